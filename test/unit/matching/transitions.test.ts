import { describe, expect, test } from 'vitest';
import { isRefusal } from '../../../src/errors.ts';
import {
  begin,
  byPerson,
  bySystem,
  dueAt,
  type Match,
  type MatchChange,
  SEVERED_DUE_MS,
  type Side,
  settle,
  sideOf,
} from '../../../src/matching/transitions.ts';

const T0 = 1_000_000;
const settings = { acceptMs: 86_400_000, warningMs: 3_600_000 };
const fresh: Match = {
  id: 'm',
  lowId: 'a',
  highId: 'b',
  status: 'active',
  phase: 'awaiting_accept',
  accepted: { low: false, high: false },
  warned: false,
  severed: false,
  createdAt: T0,
  acceptBy: T0 + settings.acceptMs,
  endedAt: null,
  endReason: null,
};

function change(result: ReturnType<typeof byPerson>): MatchChange {
  if (isRefusal(result)) throw new Error(result.refused);
  return result;
}
const by = (match: Match, type: 'accept' | 'decline' | 'end', side: Side) =>
  byPerson(match, { type }, side, T0 + 1);

const half = change(by(fresh, 'accept', 'low')).match;
const ready = change(by(half, 'accept', 'high')).match;
const closed = change(by(ready, 'end', 'low')).match;

describe('acceptance is blind', () => {
  test('one acceptance changes nothing that the other could see', () => {
    const { match, effects } = change(by(fresh, 'accept', 'low'));
    expect(effects).toEqual([]);
    expect({ ...match, accepted: null }).toEqual({ ...fresh, accepted: null });
  });

  test('the second acceptance makes it ready and tells both', () => {
    expect(change(by(half, 'accept', 'high'))).toMatchObject({
      match: { phase: 'ready', status: 'active' },
      effects: [{ kind: 'notify', type: 'match:ready' }],
    });
  });

  test('accepting again changes nothing', () => {
    expect(change(by(half, 'accept', 'low')).match).toBe(half);
  });
});

test.each([
  ['accept', fresh, 'active'],
  ['decline', fresh, 'rejected'],
  ['decline', half, 'rejected'],
  ['decline', ready, 'WRONG_PHASE'],
  ['end', fresh, 'ended'],
  ['end', half, 'ended'],
  ['end', ready, 'ended'],
  ['accept', closed, 'MATCH_NOT_ACTIVE'],
  ['decline', closed, 'MATCH_NOT_ACTIVE'],
  ['end', closed, 'ended'],
] as const)('%s → %#', (type, match, expected) => {
  for (const side of ['low', 'high'] as const) {
    const result = by(match, type, side);
    expect(isRefusal(result) ? result.refused : result.match.status).toBe(expected);
  }
});

test('a match has two sides, and nobody else', () => {
  expect(['a', 'b', 'c'].map((userId) => sideOf(fresh, userId))).toEqual(['low', 'high', undefined]);
});

test('either may be the first to accept: alone it makes nothing ready', () => {
  for (const side of ['low', 'high'] as const)
    expect(change(by(fresh, 'accept', side)).match.phase).toBe('awaiting_accept');
});

test('what is over is what it was, with its end, and both are told', () => {
  expect(change(by(ready, 'end', 'low'))).toEqual({
    match: { ...ready, status: 'ended', phase: 'closed', endedAt: T0 + 1, endReason: 'ended' },
    effects: [{ kind: 'notify', type: 'match:ended' }],
  });
});

test('an end never says who ended it', () => {
  const one = change(by(half, 'decline', 'low')).match;
  const other = change(by(half, 'decline', 'high')).match;
  expect(one).toEqual(other);
  expect(one.endReason).toBe('ended');
});

describe('deadlines', () => {
  test('a new match is to be accepted in its time, and first due when that is to be warned of', () => {
    const { acceptBy, dueAt: due } = begin(T0, settings);
    expect(acceptBy).toBe(fresh.acceptBy);
    expect(due).toBe(dueAt(fresh, settings));
  });

  test('before its time nothing falls due, and a warning comes once', () => {
    const warnAt = fresh.acceptBy - settings.warningMs;
    expect(settle(fresh, warnAt - 1, settings)).toEqual({ match: fresh, effects: [] });
    const { match: warned } = settle(fresh, warnAt, settings);
    expect(settle(warned, fresh.acceptBy - 1, settings)).toEqual({ match: warned, effects: [] });
  });

  test('what fell due while nobody looked happens at once, whole', () => {
    const { match, effects } = settle(fresh, fresh.acceptBy - 1_000, settings);
    expect(match).toEqual({ ...fresh, warned: true });
    expect(effects).toEqual([{ kind: 'notify', type: 'match:timeout_warning', remainingMs: 1_000 }]);
    const late = settle(fresh, fresh.acceptBy, settings);
    expect(late.match).toMatchObject({ status: 'expired', endReason: 'expired', endedAt: fresh.acceptBy });
    expect(late.effects).toEqual([{ kind: 'notify', type: 'match:ended' }]);
  });

  test('a warning an hour before, then expiry; nothing once ready', () => {
    const warnAt = fresh.acceptBy - settings.warningMs;
    expect(dueAt(fresh, settings)).toBe(warnAt);
    const warned = change(bySystem(half, { type: 'tick' }, warnAt, settings));
    expect(warned.effects).toEqual([
      { kind: 'notify', type: 'match:timeout_warning', remainingMs: 3_600_000 },
    ]);
    expect(dueAt(warned.match, settings)).toBe(fresh.acceptBy);
    expect(change(bySystem(warned.match, { type: 'tick' }, fresh.acceptBy, settings)).match.status).toBe(
      'expired',
    );
    expect(dueAt(ready, settings)).toBeNull();
    expect(change(bySystem(ready, { type: 'tick' }, fresh.acceptBy + 1, settings)).match).toBe(ready);
  });

  test('what is severed already is due at once and stays so until a tick ends it, accepted or not', () => {
    const severed = { ...half, severed: true };
    for (const match of [severed, change(by(severed, 'accept', 'high')).match]) {
      expect(dueAt(match, settings)).toBe(SEVERED_DUE_MS);
      const ended = change(bySystem(match, { type: 'tick' }, T0, settings)).match;
      expect(ended).toMatchObject({ status: 'ended', phase: 'closed', endReason: 'ended' });
      expect(dueAt(ended, settings)).toBeNull();
    }
  });

  test('a severed pair is closed in any phase, once', () => {
    for (const match of [fresh, half, ready]) {
      expect(change(bySystem(match, { type: 'sever' }, T0, settings)).match).toMatchObject({
        status: 'ended',
        phase: 'closed',
      });
    }
    expect(change(bySystem(closed, { type: 'sever' }, T0, settings)).match).toBe(closed);
  });
});
