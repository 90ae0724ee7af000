import { expect, test } from 'vitest';
import { isFit } from '../../../deploy/setup/nodeRuntime.mjs';

test.each([
  ['', false],
  ['20.19.5', false],
  ['23.11.1', false],
  ['24.0.2', false],
  ['24.1.0', false],
  ['24.2.0', true],
  ['24.10.0', true],
  ['25.0.0', true],
  ['26.3.0', false],
])('Node.js %s: %s', (version, fits) => {
  expect(isFit(version)).toBe(fits);
});
