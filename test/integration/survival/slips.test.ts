/** FT-37 and what a process prints: all of it lines of the log, and nobody who stops reading them ends it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { again, pause, preloaded, startShared } from './processes.ts';

const redis = useRedis();
let database: TestDatabase;
let server: TestServer;

const start = () => startShared({ DB_URL: database.url, REDIS_URL: redis.url, ...preloaded('slips.js') });

beforeAll(async () => {
  database = await createTestDatabase();
  server = await start();
});
afterAll(async () => {
  await server?.kill();
  await database?.drop();
});

/** Whatever is no JSON; the address is told to people. */
function plainLines(): string[] {
  return server
    .output()
    .split('\n')
    .filter((line) => line !== '' && !line.includes('Duet is at') && !line.startsWith('{'));
}

async function isAlive(): Promise<void> {
  expect((await request(server.url, 'GET', '/health/liveness')).status).toBe(200);
}

test('FT-37 a rejection that nobody waits for is counted and logged without what it says, and the process goes on', async () => {
  process.kill(server.pid, 'SIGUSR2');
  await eventually(() => server.output()).toContain('a rejection was not handled');
  await isAlive();
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('duet_unhandled_total{kind="rejection"} 1');
  expect(metrics).toContain('duet_unhandled_total{kind="exception"} 0');
  expect(server.output()).not.toContain('ann@example.org');
});

test('while Redis is away, what Colyseus has to say is in the log, once, and without addresses', async () => {
  await redis.stop();
  await eventually(() => server.output()).toContain('RedisPresence: pub connection error');
  await pause(3_000);
  expect(server.output().split('RedisPresence: pub connection error')).toHaveLength(2);
  await redis.start();
  await again(async () => {
    const { status } = await request(server.url, 'GET', '/health/readiness');
    if (status !== 200) throw new Error(`readiness ${status}`);
  });
  expect(plainLines()).toEqual([]);
});

test('FT-37 an exception that nobody caught: logged without what it says, exit 1', async () => {
  process.kill(server.pid, 'SIGHUP');
  expect(await server.exited).toBe(1);
  expect(server.output()).toContain('an exception was not caught');
  expect(server.output()).not.toContain('ann@example.org');
  expect(plainLines()).toEqual([]);
});

test('nobody reads what it prints any more: it goes on', async () => {
  server = await start();
  server.closeOutput();
  process.kill(server.pid, 'SIGUSR2');
  await redis.stop();
  await pause(1_000);
  await redis.start();
  await isAlive();
  expect(await server.stop('SIGINT')).toBe(0);
});
