/** WS-11 to WS-17, AZ-08, AZ-09: a seat is one person's, for one use, for a short time, and cannot be guessed. */
import type { Room } from '@colyseus/sdk';
import { beforeAll, describe, expect, test } from 'vitest';
import { SEAT_SEC, type Seat } from '../../../src/actors/Actors.ts';
import { localRoom, reserveSeat } from '../../../src/actors/colyseus.ts';
import { newSecret } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { openSocket, type RawSocket } from '../../support/rawSocket.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';

const app = useApp({ CALL_RING_SEC: '600' });
let ann: Person;
let bob: Person;
let eve: Person;
let matchId: string;

beforeAll(async () => {
  ({ ann, bob, matchId } = await newMatch(app));
  eve = await newPerson(app);
});

const seatOf = async (person: Person): Promise<Seat> => (await person.ok('POST', '/realtime/inbox')).seat;

function open(seat: Seat, token: string, more = ''): Promise<RawSocket> {
  const path = `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}&_authToken=${token}${more}`;
  return openSocket(Number(new URL(app.url).port), path);
}

async function expectRefused(socket: RawSocket): Promise<void> {
  await eventually(() => socket.closeCode()).toBeDefined();
  expect(socket.frames()[0]?.payload[0]).toBe(ERROR_FRAME);
}

/** Colyseus' code of the frame that says why. */
const ERROR_FRAME = 11;

describe('a seat', () => {
  test('WS-11 that was not taken in time is gone', async () => {
    expect(SEAT_SEC).toBe(15);
    const seat = await seatOf(ann);
    const room = localRoom(seat.roomId)!;
    const [late, inTime] = [newSecret(), newSecret()];
    await reserveSeat(room, late, { userId: ann.id }, 1);
    await reserveSeat(room, inTime, { userId: ann.id }, 30);
    await new Promise((done) => setTimeout(done, 1_500));
    await expectRefused(await open({ ...seat, sessionId: late }, ann.token));
    const other = await ann.sit({ ...seat, sessionId: inTime });
    expect(other.connection.isOpen).toBe(true);
    await other.leave();
  });

  test('WS-13 is 192 random bits, never the same twice, and no guess is one', async () => {
    const seats = await Promise.all(Array.from({ length: 50 }, () => seatOf(ann)));
    const ids = seats.map((seat) => seat.sessionId);
    for (const id of ids) expect(Buffer.from(id, 'base64url')).toHaveLength(24);
    expect(new Set(ids).size).toBe(ids.length);
    // Each bit of the ids is set about half the time: nothing in them is a counter or a clock.
    const bytes = ids.map((id) => Buffer.from(id, 'base64url'));
    for (let bit = 0; bit < 192; bit++) {
      const set = bytes.filter((one) => (one[bit >> 3]! >> (bit & 7)) & 1).length;
      expect(set).toBeGreaterThan(5);
      expect(set).toBeLessThan(45);
    }
    const guesses = Array.from({ length: 100 }, () =>
      open({ ...seats[0]!, sessionId: newSecret() }, ann.token),
    );
    for (const guess of await Promise.all(guesses)) await expectRefused(guess);
  });

  test('AZ-09 is of no use to anybody else, nor without a token, and stays its owner’s', async () => {
    const inCall = (await ann.ok('POST', `/calls/initiate/${matchId}`, {})) as { call: Json; seat: Seat };
    const inMatch = (await ann.ok('POST', `/matches/${matchId}/join`)) as { seat: Seat };
    for (const seat of [await seatOf(ann), inMatch.seat, inCall.seat]) {
      for (const token of [eve.token, bob.token, 'none', '']) await expectRefused(await open(seat, token));
      const room = await ann.sit(seat);
      expect(room.connection.isOpen).toBe(true);
      await room.leave();
    }
    await ann.ok('POST', `/calls/${inCall.call.id}/end`);
  });

  test('is taken by one socket where many try at once, whoever tries', async () => {
    const seat = await seatOf(ann);
    const tokens = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? ann.token : eve.token));
    const sockets = await Promise.all(tokens.map((token) => open(seat, token)));
    await eventually(() => sockets.every((socket) => socket.frames().length > 0)).toBe(true);
    const letIn = sockets.map((socket) => socket.frames()[0]!.payload[0] === JOIN_FRAME);
    expect(letIn.filter(Boolean)).toHaveLength(1);
    expect(tokens[letIn.indexOf(true)]).toBe(ann.token);
    for (const socket of sockets) socket.destroy();
  });

  test('is taken once', async () => {
    const seat = await seatOf(ann);
    const first = await ann.sit(seat);
    await expectRefused(await open(seat, ann.token));
    expect(first.connection.isOpen).toBe(true);
    await first.leave();
  });

  test('WS-15 in a call is for its two people, and neither can take the other’s by asking often', async () => {
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    expect((await eve.call('POST', `/calls/${call.id}/join`)).status).toBe(404);
    for (let i = 0; i < 20; i++) await ann.ok('POST', `/calls/${call.id}/join`);
    const { seat } = await bob.ok('POST', `/calls/${call.id}/join`);
    const room = await bob.sit(seat);
    expect(room.connection.isOpen).toBe(true);
    await ann.ok('POST', `/calls/${call.id}/end`);
  });
});

describe('WS-17 and AZ-08: a reconnection token', () => {
  const token = (room: Room) => room.reconnectionToken.split(':').at(-1)!;

  test('is 192 random bits as well', async () => {
    const rooms = await Promise.all([1, 2, 3].map(async () => ann.sit(await seatOf(ann))));
    const tokens = rooms.map(token);
    for (const one of tokens) expect(Buffer.from(one, 'base64url')).toHaveLength(24);
    expect(new Set(tokens).size).toBe(tokens.length);
    await Promise.all(rooms.map((room) => room.leave()));
  });

  test('opens nothing, whoever has it: while its owner is connected, and after', async () => {
    const seat = await seatOf(ann);
    const room = await ann.sit(seat);
    const more = `&reconnectionToken=${token(room)}`;
    for (const thief of [eve.token, 'none', ann.token]) {
      const socket = await open(seat, thief, more);
      await eventually(() => socket.closeCode()).toBeDefined();
      expect(socket.frames().some(({ payload }) => payload[0] === JOIN_FRAME)).toBe(false);
    }
    expect(room.connection.isOpen).toBe(true);
    expect(await room.request('inbox:ack', { seq: 0 })).toEqual({});
    await room.leave(false);
    for (const thief of [eve.token, ann.token]) {
      const socket = await open(seat, thief, more);
      await eventually(() => socket.closeCode()).toBeDefined();
      expect(socket.frames().some(({ payload }) => payload[0] === JOIN_FRAME)).toBe(false);
    }
  });
});

/** Colyseus' code of the frame that lets a client in. */
const JOIN_FRAME = 10;
