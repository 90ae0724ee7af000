import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Inbox } from '../../../web/sdk/Inbox.ts';
import { type FakeRoom, fakeSeats } from './FakeRoom.ts';

/** The server tells of match number `seq`. */
const say = (room: FakeRoom, seq: number, epoch = 1) =>
  room.hear('match:ready', { matchId: `m${seq}`, seq, epoch, at: '' });

let rooms: FakeRoom[];
let inbox: Inbox;
let heard: string[];

beforeEach(async () => {
  vi.useFakeTimers();
  heard = [];
  const fake = fakeSeats();
  rooms = fake.rooms;
  inbox = new Inbox(fake.seats);
  inbox.on('match:ready', ({ matchId }) => heard.push(matchId));
  inbox.open();
  await vi.advanceTimersByTimeAsync(0);
});

afterEach(() => {
  inbox.close();
  vi.useRealTimers();
});

const acks = (room: FakeRoom) =>
  room.sent.filter(({ type }) => type === 'inbox:ack').map(({ payload }) => payload);

test('hears every event once, in order, and acknowledges a burst with one message', async () => {
  const [room] = rooms;
  for (const seq of [5, 6, 6, 5, 7]) say(room!, seq);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heard).toEqual(['m5', 'm6', 'm7']);
  expect(acks(room!)).toEqual([{ seq: 7 }]);
});

test('asks for what is missing and hears nothing out of order', () => {
  const [room] = rooms;
  say(room!, 1);
  say(room!, 3);
  expect(heard).toEqual(['m1']);
  expect(room!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 1 } });
  for (const seq of [2, 3]) say(room!, seq);
  expect(heard).toEqual(['m1', 'm2', 'm3']);
});

test('a new epoch starts its own count, and a resync is told', () => {
  const [room] = rooms;
  const lost: unknown[] = [];
  inbox.on('resync', (position) => lost.push(position));
  say(room!, 8, 1);
  say(room!, 1, 2);
  expect(heard).toEqual(['m8', 'm1']);
  room!.hear('inbox:resync', { epoch: 2, seq: 40 });
  expect(lost).toEqual([{ epoch: 2, seq: 40 }]);
  say(room!, 41, 2);
  expect(heard).toEqual(['m8', 'm1', 'm41']);
});

test('comes back after a drop without hearing anything twice', async () => {
  say(rooms[0]!, 1);
  rooms[0]!.drop(1006);
  expect(inbox.state).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(300);
  expect(inbox.state).toBe('connected');
  // Another device may have acknowledged what this one has not heard.
  expect(rooms[1]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 1 } });
  for (const seq of [1, 2]) say(rooms[1]!, seq);
  expect(heard).toEqual(['m1', 'm2']);
});

test('says when it heard the last, as far as it knows: the log may have another one by that number', async () => {
  const at = '2030-01-01T00:00:00.123Z';
  rooms[0]!.hear('match:ready', { matchId: 'm1', seq: 1, epoch: 1, at });
  rooms[0]!.drop(1006);
  await vi.advanceTimersByTimeAsync(300);
  expect(rooms[1]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 1, at } });
  rooms[1]!.hear('inbox:resync', { epoch: 1, seq: 4, at });
  rooms[1]!.drop(1006);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(rooms[2]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 4 } });
});

test('a connection that has died without a word is noticed', async () => {
  await vi.advanceTimersByTimeAsync(100_000);
  expect(rooms).toHaveLength(1);
  rooms[0]!.isAlive = false;
  await vi.advanceTimersByTimeAsync(51_000);
  expect(rooms).toHaveLength(2);
  expect(inbox.state).toBe('connected');
});

test('does not come back after the session was revoked', async () => {
  let revoked = 0;
  inbox.on('revoked', () => {
    revoked += 1;
  });
  rooms[0]!.drop(4102);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(revoked).toBe(1);
  expect(inbox.state).toBe('closed');
  expect(rooms).toHaveLength(1);
});

test('that is lost before it heard anything asks for all since it first sat down', async () => {
  let position = { epoch: 3, seq: 7 };
  const fake = fakeSeats(() => ({ position }));
  const fresh = new Inbox(fake.seats);
  fresh.on('match:ready', ({ matchId }) => heard.push(matchId));
  fresh.open();
  await vi.advanceTimersByTimeAsync(0);
  expect(fake.rooms[0]!.sent).toEqual([]);
  fake.rooms[0]!.drop(1006);
  // Another device has acknowledged two events meanwhile.
  position = { epoch: 3, seq: 9 };
  await vi.advanceTimersByTimeAsync(300);
  expect(fake.rooms[1]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 7 } });
  for (const seq of [8, 9, 10]) say(fake.rooms[1]!, seq, 3);
  expect(heard).toEqual(['m8', 'm9', 'm10']);
  fresh.close();
});

test('hears what another device acknowledged while it sat down', async () => {
  const fake = fakeSeats(() => ({ position: { epoch: 1, seq: 4 } }));
  const fresh = new Inbox(fake.seats);
  fresh.on('match:ready', ({ matchId }) => heard.push(matchId));
  fresh.open();
  await vi.advanceTimersByTimeAsync(0);
  say(fake.rooms[0]!, 6);
  expect(fake.rooms[0]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 4 } });
  for (const seq of [5, 6]) say(fake.rooms[0]!, seq);
  expect(heard).toEqual(['m5', 'm6']);
  fresh.close();
});
