import { expect, test } from 'vitest';
import type { Call } from '../../../src/calling/state.ts';
import {
  durationSec,
  hidesPresence,
  mediaPolicy,
  peerOf,
  personOf,
  roleOf,
} from '../../../src/calling/state.ts';

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

test('a call has two people, and nobody else', () => {
  const call = inPhase('active');
  expect(['ann', 'bob', 'cay'].map((userId) => roleOf(call, userId))).toEqual([
    'caller',
    'callee',
    undefined,
  ]);
  expect([personOf(call, 'caller'), personOf(call, 'callee')]).toEqual(['ann', 'bob']);
  expect([peerOf(call, 'ann'), peerOf(call, 'bob')]).toEqual(['bob', 'ann']);
});

test('a call that has ended lets nothing flow, video or not', () => {
  expect(mediaPolicy({ ...inPhase('ended'), media: 'video' } as Call)).toEqual({
    audio: false,
    video: false,
  });
});

test('the seconds of a talk are whole ones: those that are over, and in the end the nearest', () => {
  const active = { ...inPhase('active'), startedAt: 10_000 } as Call;
  expect([9_000, 10_000, 10_999, 11_000, 70_000].map((now) => durationSec(active, now))).toEqual([
    0, 0, 0, 1, 60,
  ]);
  const ended = (startedAt: number | null, endedAt: number) =>
    durationSec({ ...inPhase('ended'), startedAt, endedAt } as Call, 500_000);
  expect([ended(10_000, 70_400), ended(10_000, 69_500), ended(10_000, 9_000)]).toEqual([60, 60, 0]);
  expect([ended(null, 70_000), durationSec(inPhase('connecting'), 70_000)]).toEqual([0, 0]);
});
