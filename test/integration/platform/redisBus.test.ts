/** The bus over Redis: what it does with messages that cannot be sent, and with those that nobody of Duet sent. */
import { expect, test } from 'vitest';
import { Revocations } from '../../../src/accounts/Revocations.ts';
import { CalmPresence } from '../../../src/actors/CalmPresence.ts';
import type { Database } from '../../../src/db/Database.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { createLog, type Log } from '../../../src/log.ts';
import { RESUMED } from '../../../src/platform/Bus.ts';
import { Cache } from '../../../src/platform/Cache.ts';
import { RedisBus } from '../../../src/platform/RedisBus.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { useRedis } from '../../support/redis.ts';

const server = useRedis();

function openBus() {
  const warned: string[] = [];
  const log = {
    info: () => {},
    warn: (_: object, message: string) => warned.push(message),
  } as unknown as Log;
  return { bus: new RedisBus({ url: server.url, log }), warned };
}

test('what is told while Redis stands still is lost at once, which is said once, and looked for afterwards', async () => {
  const { bus, warned } = openBus();
  const heard: unknown[] = [];
  let resumed = 0;
  bus.subscribe('topic', (message) => heard.push(message));
  bus.subscribe(RESUMED, () => resumed++);
  await eventually(() => {
    bus.publish('topic', {});
    return heard.length;
  }).toBeGreaterThan(0);
  warned.length = 0;
  const before = resumed;
  server.pause();
  try {
    bus.publish('topic', {});
    await eventually(() => warned).toEqual(['Messages on the bus are lost']);
    heard.length = 0;
    for (let i = 0; i < 1_000; i++) bus.publish('topic', { late: true });
    await new Promise(setImmediate);
    expect(warned).toHaveLength(1);
  } finally {
    server.resume();
  }
  await eventually(() => resumed).toBeGreaterThan(before);
  expect(heard).not.toContainEqual({ late: true });
  bus.publish('topic', { after: true });
  await eventually(() => heard).toContainEqual({ after: true });
  await bus.close();
});

test('messages that nobody of Duet would send end nothing, and keep nobody from hearing others', async () => {
  const { bus, warned } = openBus();
  const clock = new FakeClock();
  const cache = new Cache({ clock, bus });
  const db = { query: () => Promise.resolve([]) } as unknown as Database;
  const hub = new InboxHub({ db, bus, clock, log: createLog('silent') });
  hub.onHeard(({ userId }) => userId);
  const revocations = new Revocations({ db, bus, clock, log: createLog('silent') });
  await revocations.start();
  const redis = openRedis(server.url, createLog('silent'));
  await waitUntilReady(redis, 5_000);
  const presence = new CalmPresence(redis);
  await eventually(() => presence.isConnected).toBe(true);
  const heard = new Set<unknown>();
  // As Colyseus' requests between processes take what they hear.
  await presence.subscribe('p:one', (message) => heard.add((message as [string])[0]));
  const topics = ['cache:forget', 'inbox', 'inbox.heard', 'sessions.revoked', RESUMED];
  for (const topic of topics) bus.subscribe(topic, (message) => heard.add((message as { end: string }).end));
  await eventually(async () => {
    await redis.publish('duet:bus:inbox', '{"end":"first"}');
    return heard.size;
  }).toBe(1);
  for (const odd of [
    'null',
    '{}',
    '7',
    '"text"',
    '[null]',
    '[{}]',
    '{"keys":7}',
    '{"keys":[null]}',
    'no JSON',
    '',
  ]) {
    for (const topic of topics) await redis.publish(`duet:bus:${topic}`, odd);
    await redis.publish('p:one', odd);
  }
  for (const topic of topics) await redis.publish(`duet:bus:${topic}`, JSON.stringify({ end: topic }));
  await redis.publish('p:one', '["presence"]');
  await eventually(() => [...heard]).toEqual(expect.arrayContaining([...topics, 'presence']));
  expect(warned).toContain('A message on the bus was not understood');
  presence.shutdown();
  redis.disconnect();
  await revocations.close();
  cache.close();
  await bus.close();
});
