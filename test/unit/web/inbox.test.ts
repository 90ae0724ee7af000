import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Inbox } from '../../../web/sdk/Inbox.ts';
import type { Seats } from '../../../web/sdk/Seats.ts';

/** A room as the SDK of Colyseus gives one, as far as the inbox uses it. */
class FakeRoom {
  isAlive = true;
  readonly sent: { type: string; payload: unknown }[] = [];
  #hear: (type: string, payload: unknown) => void = () => undefined;
  #left: (code: number) => void = () => undefined;

  onMessage(_: '*', hear: (type: string, payload: unknown) => void): void {
    this.#hear = hear;
  }
  onStateChange(): void {}
  onLeave(left: (code: number) => void): void {
    this.#left = left;
  }
  send(type: string, payload: unknown): void {
    this.sent.push({ type, payload });
  }
  leave(): void {}
  ping(answer: () => void): void {
    if (this.isAlive) answer();
  }

  say(seq: number, epoch = 1): void {
    this.#hear('match:ready', { matchId: `m${seq}`, seq, epoch, at: '' });
  }
  hear(type: string, payload: unknown): void {
    this.#hear(type, payload);
  }
  drop(code: number): void {
    this.#left(code);
  }
}

let rooms: FakeRoom[];
let inbox: Inbox;
let heard: string[];

beforeEach(async () => {
  vi.useFakeTimers();
  rooms = [];
  heard = [];
  const seats = {
    ask: async () => ({ seat: {} }),
    take: async () => {
      const room = new FakeRoom();
      rooms.push(room);
      return room;
    },
  } as unknown as Seats;
  inbox = new Inbox(seats);
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
  for (const seq of [5, 6, 6, 5, 7]) room!.say(seq);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heard).toEqual(['m5', 'm6', 'm7']);
  expect(acks(room!)).toEqual([{ seq: 7 }]);
});

test('asks for what is missing and hears nothing out of order', () => {
  const [room] = rooms;
  room!.say(1);
  room!.say(3);
  expect(heard).toEqual(['m1']);
  expect(room!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 1 } });
  for (const seq of [2, 3]) room!.say(seq);
  expect(heard).toEqual(['m1', 'm2', 'm3']);
});

test('a new epoch starts its own count, and a resync is told', () => {
  const [room] = rooms;
  const lost: unknown[] = [];
  inbox.on('resync', (position) => lost.push(position));
  room!.say(8, 1);
  room!.say(1, 2);
  expect(heard).toEqual(['m8', 'm1']);
  room!.hear('inbox:resync', { epoch: 2, seq: 40 });
  expect(lost).toEqual([{ epoch: 2, seq: 40 }]);
  room!.say(41, 2);
  expect(heard).toEqual(['m8', 'm1', 'm41']);
});

test('comes back after a drop without hearing anything twice', async () => {
  rooms[0]!.say(1);
  rooms[0]!.drop(1006);
  expect(inbox.state).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(300);
  expect(inbox.state).toBe('connected');
  // Another device may have acknowledged what this one has not heard.
  expect(rooms[1]!.sent).toContainEqual({ type: 'inbox:replay', payload: { after: 1 } });
  for (const seq of [1, 2]) rooms[1]!.say(seq);
  expect(heard).toEqual(['m1', 'm2']);
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
