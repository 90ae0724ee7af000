import { expect, test } from 'vitest';
import { isSatisfied } from '../../../deploy/setup/dependencies.mjs';

const MACHINE = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const LOCKED = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b-darwin': { version: '2.0.0', optional: true, os: ['darwin'], cpu: ['x64'] },
  'node_modules/b-arm': { version: '2.0.0', optional: true, os: ['linux'], cpu: ['arm64'] },
  'node_modules/b-musl': { version: '2.0.0', optional: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'node_modules/not-here': { version: '2.0.0', optional: true, os: ['!linux'] },
  'node_modules/of-an-optional-one': { version: '2.0.0', optional: true },
};

test.each([
  ['all is there', { 'node_modules/a': { version: '1.0.0' } }, true],
  ['more is there', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/c': { version: '1.0.0' } }, true],
  ['one is missing', {}, false],
  ['one has another version', { 'node_modules/a': { version: '1.0.1' } }, false],
  [
    'an optional one has another version',
    { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b-darwin': { version: '1.9.0' } },
    false,
  ],
])('%s', (_, installed, satisfied) => {
  expect(isSatisfied(LOCKED, installed, MACHINE)).toBe(satisfied);
});

test.each([
  ['its own', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }],
  ['any processor', { os: ['linux'] }],
  ['all but another', { os: ['!win32'], cpu: ['x64'] }],
])('an optional one for this machine is missing: %s', (_, machines) => {
  const locked = { 'node_modules/b-linux': { version: '2.0.0', optional: true, ...machines } };
  expect(isSatisfied(locked, {}, MACHINE)).toBe(false);
  expect(isSatisfied(locked, { 'node_modules/b-linux': { version: '2.0.0' } }, MACHINE)).toBe(true);
});
