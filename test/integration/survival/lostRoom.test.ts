/**
 * FT-27, for those who ask meanwhile: a room whose call another process holds is gone at once, whoever had a seat there
 * and did not take it.
 */
import { matchMaker } from '@colyseus/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localRoom } from '../../../src/actors/colyseus.ts';
import { newId } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import type { Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';

/** Close code of a room that another process holds now. */
const MOVED = 4104;

const app = useApp({ CALL_RING_SEC: '600', CALL_RECONNECT_SEC: '600' });
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

/** A call with Ann in its room and a seat there for Bob, which he has not taken. */
async function callWithUntakenSeat(): Promise<{ bob: Person; callId: string; closed: Promise<number> }> {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const room = await ann.sit(seat);
  const closed = new Promise<number>((done) => room.onLeave((code) => done(code)));
  await bob.ok('POST', `/calls/${call.id}/join`);
  return { bob, callId: call.id, closed };
}

/** Another process takes the call over, as one does when the lease has run out; `forMs` is what it then lasts. */
async function takenOver(callId: string, forMs: number): Promise<void> {
  await db.query(
    `update calls set owner = $2, epoch = epoch + 1, leased_until = clock_timestamp() + $3 * interval '1 ms' where id = $1`,
    [callId, newId(), forMs],
  );
}

test('with the call its room goes, also when a seat there was not taken', async () => {
  const { callId, closed } = await callWithUntakenSeat();
  const room = matchMaker.getLocalRoomById(callId);
  await takenOver(callId, 60_000);
  expect(await closed).toBe(MOVED);
  expect(localRoom(callId) === undefined).toBe(true);
  // Long before the seat would have lapsed.
  await eventually(() => matchMaker.getLocalRoomById(callId) === undefined).toBe(true);
  expect(Object.keys((room as unknown as { _reservedSeats: object })._reservedSeats)).toEqual([]);
});

test('who asks in that moment gets a seat in a room that lives, or is told to ask again', async () => {
  const { bob, callId, closed } = await callWithUntakenSeat();
  const lost = matchMaker.getLocalRoomById(callId);
  await takenOver(callId, 500);
  expect(await closed).toBe(MOVED);
  const { seat, call } = await bob.ok('POST', `/calls/${callId}/join`);
  expect(matchMaker.getLocalRoomById(callId) === lost).toBe(false);
  expect(call.phase).toBe('ringing');
  const room = await bob.sit(seat);
  expect((await room.request('call:answer', {})).call.phase).toBe('connecting');
});
