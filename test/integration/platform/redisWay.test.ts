/** What a way to Redis can do to its connections: they come back, and do nothing twice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CalmPresence } from '../../../src/actors/CalmPresence.ts';
import { createLog } from '../../../src/log.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { eventually } from '../../support/eventually.ts';
import { useRedis } from '../../support/redis.ts';
import { RedisWay } from './RedisWay.ts';

const server = useRedis();
const log = createLog('silent');
let way: RedisWay;

beforeAll(async () => {
  way = await RedisWay.to(server.port);
});
afterAll(() => way.close());

test('the presence hears again after connections that were accepted and closed', async () => {
  const redis = openRedis(way.url, log);
  const presence = new CalmPresence(redis);
  const heard: unknown[] = [];
  await eventually(() => presence.isConnected).toBe(true);
  await presence.subscribe('topic', (message) => heard.push(message));
  way.slam();
  // Longer than the half second for which a command may be waited for.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  way.let();
  await eventually(() => way.open).toBe(3);
  await eventually(async () => {
    await presence.publish('topic', 'hello');
    return heard.length;
  }).toBeGreaterThan(0);
  presence.shutdown();
  redis.disconnect();
});

test('what was said to have failed is not done on the next connection', async () => {
  const redis = openRedis(way.url, log);
  await waitUntilReady(redis, 5_000);
  await redis.set('key', 'new');
  way.hush();
  await Promise.all([
    expect(redis.set('key', 'old')).rejects.toThrow('Command timed out'),
    expect(redis.multi().incr('count').exec()).rejects.toThrow('Command timed out'),
  ]);
  way.break();
  await eventually(() => redis.get('key').catch(() => undefined)).toBe('new');
  // By now what was sent again would have been answered, too.
  expect(await redis.mget('key', 'count')).toEqual(['new', null]);
  redis.disconnect();
});
