/** What a killed process left in Redis is freed by the others; what a living one has there stays. */
import { RedisDriver } from '@colyseus/redis-driver';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DeadListings } from '../../../src/actors/DeadListings.ts';
import { SystemClock } from '../../../src/clock.ts';
import { HeldName } from '../../../src/db/HeldName.ts';
import { createLog } from '../../../src/log.ts';
import { useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { useRedis } from '../../support/redis.ts';

const database = useDatabase();
const server = useRedis();
let redis: Redis;

beforeAll(() => {
  redis = new Redis(server.url);
});
afterAll(() => redis.quit());

async function listed(): Promise<{ rooms: string[]; processes: string[] }> {
  const rooms = Object.keys(await redis.hgetall('roomcaches'));
  return { rooms: rooms.sort(), processes: Object.keys(await redis.hgetall('roomcount')).sort() };
}

test('whose name was free twice is taken for dead', async () => {
  for (const id of ['own', 'living', 'killed']) {
    await redis.hset('roomcount', id, '2,2');
    for (const nth of [1, 2])
      await redis.hset(
        'roomcaches',
        `${id}-${nth}`,
        JSON.stringify({ roomId: `${id}-${nth}`, processId: id, name: 'call', clients: 1 }),
      );
  }
  const all = await listed();
  const living = new HeldName(database.url, 'living', new SystemClock());
  await living.hold();
  const mirror = new RedisDriver(redis);
  const dead = new DeadListings({
    db: database.db,
    clock: new FakeClock(),
    log: createLog('silent'),
    mirror,
    ownId: () => 'own',
    processes: () => redis.hkeys('roomcount'),
    exclude: (id) => redis.hdel('roomcount', id),
  });
  await dead.sweep();
  expect(await listed()).toEqual(all);
  // Names prove nothing in the first seconds of a PostgreSQL.
  await eventually(async () => {
    await dead.sweep();
    return listed();
  }).toEqual({
    rooms: ['living-1', 'living-2', 'own-1', 'own-2'],
    processes: ['living', 'own'],
  });
  await dead.close();
  living.close();
});
