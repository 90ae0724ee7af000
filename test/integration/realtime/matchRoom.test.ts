/** The room of a match: what it tells, and that it is over when its match is. */
import type { Room } from '@colyseus/sdk';
import pg from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import { CLOSE, LINGER_MS } from '../../../rooms/BaseRoom.ts';
import { SERVER_MESSAGES } from '../../../rooms/messages.ts';
import { Calls } from '../../../src/calling/Calls.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { openSocket } from '../../support/rawSocket.ts';
import { newMatch } from '../../support/signedIn.ts';

const app = useApp();
afterEach(() => vi.restoreAllMocks());

const seatOf = async (person: Person, matchId: string) =>
  (await person.ok('POST', `/matches/${matchId}/join`)).seat;

/** A room, with all that happens in it, in order. */
function watch(room: Room) {
  const story: unknown[] = [];
  const inbox = new Inbox(room);
  room.onMessage('*', (type) => story.push(String(type)));
  room.onLeave((code) => story.push(code));
  return { room, inbox, story };
}

/** For as long as a room that is over stays open, and longer. */
const lingered = () => new Promise((done) => setTimeout(done, LINGER_MS + 200));

const sit = async (person: Person, matchId: string) => watch(await person.sit(await seatOf(person, matchId)));

test('is closed for each of the two once they were told that the match has ended, by whatever way', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const rooms = [await sit(ann, matchId), await sit(bob, matchId)];
  await bob.ok('POST', `/users/block/${ann.id}`);
  for (const { story } of rooms) await eventually(() => story).toEqual(['match:ended', CLOSE.ended]);
});

test('tells the events of the inbox, as they are numbered there', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const [inInbox, inRoom] = [await ann.inbox(), await sit(ann, matchId)];
  const atBob = await sit(bob, matchId);
  await inRoom.room.request('match:accept');
  await atBob.room.request('match:accept');
  await atBob.room.request('match:end');
  for (const type of ['match:ready', 'match:ended']) {
    const event = await inRoom.inbox.next(type);
    expect(event).toEqual(await inInbox.next(type));
    expect(SERVER_MESSAGES.match[type]!.parse(event)).toEqual(event);
  }
});

test('whoever ends the match is answered before their room is closed, however long that takes', async () => {
  const { ann, matchId } = await newMatch(app);
  const { room, inbox, story } = await sit(ann, matchId);
  const severing = Promise.withResolvers<undefined>();
  vi.spyOn(Calls.prototype, 'liveOf').mockReturnValueOnce(severing.promise);
  const answer = room.request('match:end').then(({ match }) => story.push(match.phase));
  await inbox.next('match:ended');
  // Another command is refused in words.
  await expect(room.request('match:accept')).rejects.toMatchObject({ reason: { code: 'MATCH_NOT_ACTIVE' } });
  await lingered();
  expect(story).toEqual(['match:ended']);
  severing.resolve(undefined);
  await answer;
  await eventually(() => story).toEqual(['match:ended', 'closed', CLOSE.ended]);
});

test('whoever comes with a seat from before the end is told of it, and sent off', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const seat = await seatOf(ann, matchId);
  await bob.ok('POST', `/matches/${matchId}/end`);
  const { story } = watch(await ann.sit(seat));
  await eventually(() => story).toEqual(['match:ended', CLOSE.ended]);
});

test('where the log has lost its end, and perhaps the match’s, another seat is to be asked for', async () => {
  const { ann, matchId } = await newMatch(app);
  const seat = await seatOf(ann, matchId);
  const db = new pg.Client(app.dbUrl);
  await db.connect();
  await db.query('delete from outbox where user_id = $1', [ann.id]);
  await db.query('update inboxes set seq = 0 where user_id = $1', [ann.id]);
  await db.end();
  const { story } = watch(await ann.sit(seat));
  await eventually(() => story).toEqual([CLOSE.moved]);
});

test('whoever is still coming in when the match ends is told of it first', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const seat = await seatOf(ann, matchId);
  const path = `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}&_authToken=${ann.token}`;
  const socket = await openSocket(Number(new URL(app.url).port), path);
  await eventually(() => socket.frames().length).toBe(1);
  const atBob = await sit(bob, matchId);
  await atBob.room.request('match:end');
  await atBob.inbox.next('match:ended');
  await lingered();
  expect(socket.closeCode()).toBeUndefined();
  socket.send(JOINED);
  await eventually(() => socket.closeCode()).toBe(CLOSE.ended);
  const told = socket.frames().map(({ payload }) => payload.toString('latin1'));
  expect(told.some((frame) => frame.includes('match:ended'))).toBe(true);
});

/** The client's word that it is in: Colyseus' code of the frame. */
const JOINED = Buffer.from([10]);
