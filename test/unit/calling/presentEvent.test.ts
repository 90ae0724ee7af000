/** What an inbox event says when it is delivered. */
import { expect, test } from 'vitest';
import { presentEvent } from '../../../src/calling/presentEvent.ts';
import { DuetError } from '../../../src/errors.ts';
import type { StoredEvent } from '../../../src/events/outbox.ts';
import type { MatchView } from '../../../src/matching/shapes.ts';
import type { Card } from '../../../src/people/shapes.ts';

const MATCH = { id: 'm' } as MatchView;
const created = { type: 'match:created', userId: 'ann', payload: { matchId: 'm' } } as unknown as StoredEvent;

function present(event: StoredEvent, view: () => Promise<MatchView>) {
  return Promise.resolve(presentEvent({ matches: { view }, cards: async () => new Map() }, event));
}

test('a match that cannot be shown any more is told as a fact', async () => {
  const view = () => Promise.reject(new DuetError('NOT_FOUND'));
  expect(await present(created, view)).toEqual({ matchId: 'm', match: null });
});

test('a match that cannot be looked up now is not told without it: the event comes again', async () => {
  const shutdown = Object.assign(new Error('terminating connection'), { severity: 'FATAL', code: '57P01' });
  const tries = [() => Promise.reject(shutdown), () => Promise.resolve(MATCH)];
  const view = () => tries.shift()!();
  await expect(present(created, view)).rejects.toThrow(shutdown);
  expect(await present(created, view)).toEqual({ matchId: 'm', match: MATCH });
});

test('… nor while the database stands still', async () => {
  const unavailable = new DuetError('UNAVAILABLE');
  await expect(present(created, () => Promise.reject(unavailable))).rejects.toThrow(unavailable);
});

test('who rings is shown as the one who is called sees them, or without a face', async () => {
  const call = { id: 'c', callerId: 'ann', calleeId: 'bob' };
  const incoming = { type: 'call:incoming', userId: 'bob', payload: { call } } as unknown as StoredEvent;
  const ann = { id: 'ann' } as Card;
  const cards = async (viewerId: string, userIds: readonly string[]) =>
    new Map(viewerId === 'bob' && userIds.includes('ann') ? [['ann', ann]] : []);
  const matches = { view: () => Promise.reject(new Error('not asked for')) };
  expect(await presentEvent({ matches, cards }, incoming)).toStrictEqual({ call, from: ann });
  const other = { ...incoming, userId: 'cay' } as StoredEvent;
  expect(await presentEvent({ matches, cards }, other)).toStrictEqual({ call, from: null });
});

test('of a call that ended it is told how, and how long it lasted', async () => {
  const call = { id: 'c', outcome: 'completed', durationSec: 42 };
  const ended = { type: 'call:ended', userId: 'bob', payload: { call } } as unknown as StoredEvent;
  expect(await present(ended, () => Promise.resolve(MATCH))).toEqual({
    call,
    outcome: 'completed',
    durationSec: 42,
  });
});
