import { Redis } from 'ioredis';
import type { Log } from '../log.ts';

/** How long a command may take before its caller is told that Redis is gone. */
const COMMAND_TIMEOUT_MS = 500;
const MAX_RECONNECT_DELAY_MS = 1_000;

/**
 * A connection to Redis that comes back by itself for ever. While it is away a command fails at once (nothing is
 * queued), and a stalled one after half a second: nobody waits for Redis.
 */
export function openRedis(url: string, log: Log): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: null,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 2_000,
    retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
  });
  let told = false;
  redis.on('error', (error: Error) => {
    // Once an outage, not once a try.
    if (!told) log.warn({ err: error }, 'Redis is away');
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info({}, 'Redis is back');
    told = false;
  });
  return redis;
}

/** Resolves when the connection is there, or after `atMostMs`: the start does not depend on Redis. */
export async function waitUntilReady(redis: Redis, atMostMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, atMostMs);
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
