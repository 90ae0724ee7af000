/** A room of another process, asked for while Redis is away: that it cannot be reached is known, not tried. */
import { matchMaker } from '@colyseus/core';
import type { Redis } from 'ioredis';
import { afterEach, expect, test, vi } from 'vitest';
import type { CalmPresence } from '../../../src/actors/CalmPresence.ts';
import { callRoom } from '../../../src/actors/colyseus.ts';
import { useApp } from '../../support/app.ts';
import { request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { useRedis } from '../../support/redis.ts';

const redis = useRedis();
const app = useApp({
  get REDIS_URL() {
    return redis.url;
  },
});
const isConnected = () => (matchMaker.presence as CalmPresence).isConnected;
/** Nobody answers, and that is found out long after this test has failed. */
const ask = () => callRoom('a room elsewhere', 'command', [], 3_600_000);

afterEach(() => vi.restoreAllMocks());

test('stopped: nobody is asked', async () => {
  await eventually(isConnected).toBe(true);
  await redis.stop();
  await eventually(isConnected).toBe(false);
  await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await redis.start();
  await eventually(isConnected).toBe(true);
});

test('standing still: nobody is asked any more once something was not answered', async () => {
  await eventually(isConnected).toBe(true);
  redis.pause();
  await matchMaker.presence.publish('anything', {});
  expect(isConnected()).toBe(false);
  await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  redis.resume();
  await eventually(isConnected).toBe(true);
});

test('standing still: who is just asking waits for no answer any more', async () => {
  await eventually(isConnected).toBe(true);
  redis.pause();
  await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  redis.resume();
  await eventually(isConnected).toBe(true);
});

test('standing still: what was noticed while a request was counted helps who is just asking another process', async () => {
  await eventually(isConnected).toBe(true);
  const { pub, sub } = matchMaker.presence as unknown as { pub: Redis; sub: Redis };
  const { commandTimeout } = pub.options;
  // By what it sends itself it would notice nothing.
  for (const { options } of [pub, sub]) options.commandTimeout = undefined;
  redis.pause();
  const refused = expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect((await request(app.url, 'GET', '/api/v1/users/me')).status).toBe(401);
  await refused;
  redis.resume();
  for (const { options } of [pub, sub]) options.commandTimeout = commandTimeout;
  await eventually(isConnected).toBe(true);
});
