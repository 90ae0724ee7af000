/** What a way to Redis can do to its connections: they come back, and do nothing twice. */
import { stat } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CalmPresence } from '../../../src/actors/CalmPresence.ts';
import { createLog } from '../../../src/log.ts';
import { RedisBus } from '../../../src/platform/RedisBus.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { eventually } from '../../support/eventually.ts';
import { TestRedis, useRedis } from '../../support/redis.ts';
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

const outages = [
  { what: 'after the other end vanished without a word', begin: () => way.hush(), end: async () => {} },
  {
    what: 'after Redis stood still for longer than a connection is listened to in vain',
    begin: () => server.pause(),
    end: async () => {
      await new Promise((resolve) => setTimeout(resolve, 9_000));
      server.resume();
    },
  },
];

test.each(outages)('whoever listens hears again $what', async ({ begin, end }) => {
  const redis = openRedis(way.url, log);
  const presence = new CalmPresence(redis);
  const bus = new RedisBus({ url: way.url, log });
  const direct = openRedis(server.url, log);
  await waitUntilReady(direct, 5_000);
  const heard = new Set<unknown>();
  await eventually(() => presence.isConnected).toBe(true);
  await presence.subscribe('topic', (message) => heard.add(message));
  bus.subscribe('topic', (message) => heard.add((message as { from: string }).from));
  const tellBoth = async () => {
    await direct.publish('topic', '"presence"').catch(() => {});
    await direct.publish('duet:bus:topic', '{"from":"bus"}').catch(() => {});
    return heard.size;
  };
  await eventually(tellBoth).toBe(2);
  begin();
  await end();
  heard.clear();
  await eventually(tellBoth).toBe(2);
  await eventually(() => presence.isConnected).toBe(true);
  presence.shutdown();
  redis.disconnect();
  await bus.close();
  direct.disconnect();
});

test('a process that stood still itself keeps its connection', async () => {
  const redis = openRedis(server.url, log);
  await waitUntilReady(redis, 5_000);
  const id = await redis.client('ID');
  const ping = redis.ping.bind(redis) as () => Promise<'PONG'>;
  await new Promise<void>((done) => {
    redis.ping = () => {
      redis.ping = ping;
      server.pause();
      const answered = ping();
      // Called by the event loop just before its timers: when it goes on, it is time to ask again, and nothing is read.
      stat('.', () => {
        server.resume();
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
        setTimeout(done, 500);
      });
      return answered;
    };
  });
  expect(await redis.client('ID')).toBe(id);
  redis.disconnect();
});

test('who is told that Redis is a replica connects anew, to the primary', async () => {
  const primary = new TestRedis();
  await primary.start();
  const redis = openRedis(way.url, log);
  await waitUntilReady(redis, 5_000);
  await redis.call('REPLICAOF', '127.0.0.1', `${primary.port}`);
  way.target = primary.port;
  await expect(redis.set('key', 'value')).rejects.toThrow('READONLY');
  await eventually(() => redis.set('key', 'value').catch(() => undefined)).toBe('OK');
  way.target = server.port;
  redis.disconnect();
  const replica = openRedis(server.url, log);
  await waitUntilReady(replica, 5_000);
  await replica.call('REPLICAOF', 'NO', 'ONE');
  replica.disconnect();
  await primary.stop();
});

test('a bus that may not subscribe does so when it may', async () => {
  const direct = openRedis(server.url, log);
  await waitUntilReady(direct, 5_000);
  await direct.call('ACL', 'SETUSER', 'default', 'resetchannels');
  const bus = new RedisBus({ url: way.url, log });
  const heard: unknown[] = [];
  bus.subscribe('topic', (message) => heard.push(message));
  await eventually(() => way.open).toBe(2);
  // By now it was refused.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await direct.call('ACL', 'SETUSER', 'default', 'allchannels');
  await eventually(async () => {
    await direct.publish('duet:bus:topic', '{}');
    return heard.length;
  }).toBeGreaterThan(0);
  await bus.close();
  direct.disconnect();
});

test.each(['when it asks', 'when it comes back'])(
  'a presence that may not subscribe %s does so when it may',
  async (when) => {
    const redis = openRedis(way.url, log);
    await waitUntilReady(redis, 5_000);
    const direct = openRedis(server.url, log);
    await waitUntilReady(direct, 5_000);
    const presence = new CalmPresence(redis);
    const heard: unknown[] = [];
    const listen = () => presence.subscribe('topic', (message) => heard.push(message));
    await eventually(() => presence.isConnected).toBe(true);
    if (when === 'when it comes back') await listen();
    await direct.call('ACL', 'SETUSER', 'default', 'resetchannels');
    way.break();
    await eventually(() => way.open).toBe(3);
    await eventually(() => presence.isConnected).toBe(true);
    if (when === 'when it asks') await listen();
    // By now it was refused.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await direct.call('ACL', 'SETUSER', 'default', 'allchannels');
    await eventually(async () => {
      await direct.publish('topic', '{}');
      return heard.length;
    }).toBeGreaterThan(0);
    presence.shutdown();
    for (const connection of [redis, direct]) connection.disconnect();
  },
);
