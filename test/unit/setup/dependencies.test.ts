import { expect, test } from 'vitest';
import { isSatisfied } from '../../../deploy/setup/dependencies.mjs';

const LOCKED = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b-darwin': { version: '2.0.0', optional: true },
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
  expect(isSatisfied(LOCKED, installed)).toBe(satisfied);
});
