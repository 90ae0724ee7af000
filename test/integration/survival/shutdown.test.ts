/** FT-23, FT-24: a process that is told to end is gone after its drain, whatever it still holds or waits for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { TEST_ENVIRONMENT } from '../../support/app.ts';
import { useDatabase } from '../../support/database.ts';
import { FickleWay } from '../../support/FickleWay.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, newPerson, type TestApp } from '../../support/signedIn.ts';
import { again, preloaded, signal, startShared } from './processes.ts';

const DRAIN_SEC = 1;

const database = useDatabase();
let server: TestServer | undefined;

afterAll(() => server?.kill());

async function start(dbUrl: string): Promise<TestServer> {
  server = await startShared({
    DB_URL: dbUrl,
    DRAIN_SEC: `${DRAIN_SEC}`,
    CALL_RING_SEC: '600',
    ...preloaded('patience.js'),
  });
  return server;
}

/** A room of each kind, with somebody in it and a seat that was not taken. */
async function fillRooms(app: TestApp): Promise<string> {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await ann.sit(seat);
  await bob.ok('POST', `/calls/${call.id}/join`);
  await ann.sit((await ann.ok('POST', `/matches/${matchId}/join`)).seat);
  await bob.ok('POST', `/matches/${matchId}/join`);
  await ann.inbox();
  await (await newPerson(app)).ok('POST', '/realtime/inbox');
  return call.id;
}

test('SIGTERM with seats that nobody took: all that is held is given back, exit 0', async () => {
  const running = await start(database.url);
  const callId = await fillRooms(running);
  expect(await running.stop('SIGTERM')).toBe(0);
  expect(running.output()).not.toContain('closing took too long');
  const { rows } = await database.db.pool.query('select owner, phase from calls where id = $1', [callId]);
  expect(rows).toEqual([{ owner: null, phase: 'ringing' }]);
});

test('SIGTERM while PostgreSQL stands still: exit 0 all the same, and no time-out of it is waited for', async () => {
  const { way, url } = await FickleWay.to(database.url);
  const running = await start(url);
  await fillRooms({ url: running.url, dbUrl: database.url });
  await signal(running, 'patient from now on');
  way.stall();
  expect(await running.stop('SIGTERM')).toBe(0);
  way.close();
});

test('SIGTERM while the start waits for another process to migrate: exit 0', async () => {
  const other = new pg.Client(database.url);
  await other.connect();
  await other.query(`select pg_advisory_lock(hashtextextended('duet migrations', 0))`);
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: resolve(import.meta.dirname, '../../..'),
    env: { ...process.env, ...TEST_ENVIRONMENT, DB_URL: database.url },
    stdio: 'ignore',
  });
  try {
    await again(async () => {
      const { rows } = await other.query('select from pg_locks where not granted');
      expect(rows).toHaveLength(1);
    });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    await other.end();
  }
});
