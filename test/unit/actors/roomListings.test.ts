/** The mirror of a process's rooms in Redis: what it could not be told is told later, and without one nothing is kept for it. */
import type { IRoomCache } from '@colyseus/core';
import type { RedisDriver } from '@colyseus/redis-driver';
import { expect, test } from 'vitest';
import { RoomListings } from '../../../src/actors/RoomListings.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const listing = (roomId: string) => ({ roomId }) as IRoomCache;

/** Redis as far as listings need it, which is away when a test says so. */
function mirror() {
  const rooms = new Set<string>();
  const state = { away: false };
  const act = async (change: () => void) => {
    if (state.away) throw new Error('Connection is closed');
    change();
    return true;
  };
  return {
    rooms,
    state,
    driver: {
      persist: ({ roomId }: IRoomCache) => act(() => rooms.add(roomId)),
      remove: (roomId: string) => act(() => rooms.delete(roomId)),
    } as unknown as RedisDriver,
  };
}

async function rounds(clock: FakeClock, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    clock.advance(250);
    for (let turns = 0; turns < 5; turns++) await new Promise((done) => setImmediate(done));
  }
}

test('a room that ended while Redis was away is listed no more when it is back', async () => {
  const clock = new FakeClock();
  const { rooms, state, driver } = mirror();
  const listings = new RoomListings({ clock, mirror: driver });
  await listings.insert(listing('stays'));
  await listings.insert(listing('ends'));
  await rounds(clock, 1);
  expect([...rooms]).toEqual(['stays', 'ends']);
  state.away = true;
  listings.remove('ends');
  await rounds(clock, 10);
  state.away = false;
  await rounds(clock, 1);
  expect([...rooms]).toEqual(['stays']);
  listings.shutdown();
});

test('without Redis nothing is remembered of rooms that are gone', async () => {
  const listings = new RoomListings({ clock: new FakeClock() });
  await listings.insert(listing('one'));
  listings.remove('one');
  expect(listings.waiting).toBe(0);
  const mirrored = new RoomListings({ clock: new FakeClock(), mirror: mirror().driver });
  await mirrored.insert(listing('one'));
  expect(mirrored.waiting).toBe(1);
  mirrored.shutdown();
});
