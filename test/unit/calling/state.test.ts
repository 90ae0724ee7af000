import { expect, test } from 'vitest';
import type { Call } from '../../../src/calling/state.ts';
import { hidesPresence } from '../../../src/calling/state.ts';

const inPhase = (phase: Call['phase']) => ({ phase, callerId: 'ann', calleeId: 'bob' }) as Call;

test.each([
  ['ringing', 'bob', true],
  ['ringing', 'ann', false],
  ['connecting', 'bob', false],
  ['active', 'bob', false],
  ['ended', 'bob', false],
] as const)('while %s, the presence of %s is hidden: %s', (phase, userId, hidden) => {
  expect(hidesPresence(inPhase(phase), userId)).toBe(hidden);
});
