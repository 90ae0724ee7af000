/** Which inbox room people are put into: the next one only when the last is full or gone. */
import { expect, test } from 'vitest';
import { Actors, INBOX_SEATS, type RoomHost } from '../../../src/actors/Actors.ts';
import type { CallStore } from '../../../src/calling/CallStore.ts';
import { createLog } from '../../../src/log.ts';
import { FakeClock } from '../../support/FakeClock.ts';

/** Rooms that are made and have seats reserved a moment after they are asked. */
function inboxes() {
  const rooms = new Map<string, { people: number }>();
  const host = {
    processId: () => 'p',
    localRoom: (id: string) => rooms.get(id),
    createLocalRoom: async (_name: string, id: string) => {
      await Promise.resolve();
      rooms.set(id, { people: 0 });
    },
    reserveSeat: async (room: { people: number }) => {
      if (room.people >= INBOX_SEATS) return false;
      room.people += 1;
      return true;
    },
  };
  const actors = new Actors({
    calls: {} as CallStore,
    clock: new FakeClock(),
    log: createLog('silent'),
    rooms: host as unknown as RoomHost,
  });
  const seat = (count: number) =>
    Promise.all(Array.from({ length: count }, () => actors.inboxSeat('ann', 0)));
  return { rooms, seat, peopleIn: () => [...rooms.values()].map(({ people }) => people) };
}

test('many who come at once share the first room', async () => {
  const { seat, peopleIn } = inboxes();
  await seat(20);
  expect(peopleIn()).toEqual([20]);
});

test('… and the next one, where they find the room full together', async () => {
  const { seat, peopleIn } = inboxes();
  await seat(INBOX_SEATS);
  await seat(20);
  expect(peopleIn()).toEqual([INBOX_SEATS, 20]);
});

test('a room that is gone is not asked for again', async () => {
  const { rooms, seat } = inboxes();
  const [before] = await seat(1);
  rooms.clear();
  const [after] = await seat(1);
  expect(after!.roomId).not.toBe(before!.roomId);
});
