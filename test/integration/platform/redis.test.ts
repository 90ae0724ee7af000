/** A Redis that stands still (SIGSTOP): its connections stay open, and nothing is answered. */
import { expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { failWhileSilent, openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { eventually } from '../../support/eventually.ts';
import { useRedis } from '../../support/redis.ts';

const server = useRedis();

test('is waited for once, and asked again when it answers', async () => {
  const redis = openRedis(server.url, createLog('silent'));
  failWhileSilent(redis);
  await waitUntilReady(redis, 5_000);
  await redis.set('before', 'there');
  server.pause();
  try {
    await expect(redis.get('before')).rejects.toThrow('Command timed out');
    await expect(redis.get('before')).rejects.toThrow('Redis does not answer');
    await expect(redis.multi().get('before').incr('count').exec()).rejects.toThrow('Redis does not answer');
  } finally {
    server.resume();
  }
  await eventually(() => redis.get('before').catch(() => undefined)).toBe('there');
  redis.disconnect();
});

test('is there again when it was killed while it stood still, in the database that was asked for', async () => {
  const redis = openRedis(`${server.url}/3`, createLog('silent'));
  failWhileSilent(redis);
  await waitUntilReady(redis, 5_000);
  server.pause();
  await expect(redis.get('key')).rejects.toThrow('Command timed out');
  await server.stop();
  await server.start();
  await eventually(() => redis.set('key', 'there').catch(() => undefined)).toBe('OK');
  await redis.select(3);
  expect(await redis.get('key')).toBe('there');
  redis.disconnect();
});
