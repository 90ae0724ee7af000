/** The listings of rooms in Redis, asked for while it is away. */
import type { IRoomCache } from '@colyseus/core';
import { expect, test } from 'vitest';
import { CalmDriver } from '../../../src/actors/CalmDriver.ts';
import { createLog } from '../../../src/log.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { eventually } from '../../support/eventually.ts';
import { useRedis } from '../../support/redis.ts';

const server = useRedis();

test('are read again when it is back, and those of the dead can be freed', async () => {
  const redis = openRedis(server.url, createLog('silent'));
  await waitUntilReady(redis, 5_000);
  const driver = new CalmDriver(redis);
  await server.stop();
  await Promise.all([
    expect(driver.query({})).rejects.toThrow(),
    expect(driver.query({ processId: 'dead' })).rejects.toThrow(),
  ]);
  await server.start();
  const listing = { roomId: 'one', name: 'call', processId: 'dead' } as IRoomCache;
  await eventually(() => driver.persist(listing).catch(() => false)).toBe(true);
  expect(await driver.query({})).toMatchObject([listing]);
  await driver.cleanup('dead');
  expect(await driver.query({})).toEqual([]);
  redis.disconnect();
});
