/** FT-27: a process that stands still for longer than its lease wakes up to calls that are no longer its own. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Inbox, type Json } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch } from '../../support/signedIn.ts';
import { again, at, pause, startShared } from './processes.ts';

const STALL_MS = 10_000;
/** Close code of a room that another process holds now. */
const MOVED = 4104;

const redis = useRedis();
let database: TestDatabase;
let a: TestServer;
let b: TestServer;
let db: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const shared = {
    DB_URL: database.url,
    REDIS_URL: redis.url,
    CALL_RING_SEC: '120',
    CALL_RECONNECT_SEC: '60',
  };
  a = await startShared(shared);
  b = await startShared(shared);
  db = new pg.Client(database.url);
  await db.connect();
});
afterAll(async () => {
  // A stopped process dies of SIGKILL all the same.
  await Promise.all([a?.kill(), b?.kill()]);
  await db?.end();
  await database?.drop();
});

test('SIGSTOP for 10 s: the other takes over, and the one that wakes acts no more', async () => {
  const { ann, bob, matchId } = await newMatch(b);
  const { call, seat } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
  const atA = new Inbox(await at(a, ann).sit(seat));
  const closedAtA = new Promise<number>((resolve) => atA.room.onLeave((code) => resolve(code)));
  // Bob has a seat there that he does not take.
  await at(a, bob).ok('POST', `/calls/${call.id}/join`);
  const before = await held(call.id);

  process.kill(a.pid, 'SIGSTOP');
  const stalled = pause(STALL_MS);
  const answered = await again(() => at(b, bob).ok('POST', `/calls/${call.id}/answer`, {}));
  expect(answered.call.phase).toBe('connecting');
  const after = await held(call.id);
  expect(after.owner).not.toBe(before.owner);
  expect(after.epoch).toBeGreaterThan(before.epoch);
  // While A stands still its client asks B, as clients do that hear nothing.
  const atB = new Inbox(await at(b, ann).sit((await at(b, ann).ok('POST', `/calls/${call.id}/join`)).seat));
  await stalled;
  process.kill(a.pid, 'SIGCONT');

  // A closes what it had, and whoever asks it is told what is so at B.
  expect(await closedAtA).toBe(MOVED);
  const seatViaA = (await at(a, ann).ok('POST', `/calls/${call.id}/join`)).seat;
  const viaA = await at(a, ann).ok('GET', `/calls/${call.id}`);
  expect(viaA.call.phase).toBe('connecting');
  expect(seatViaA.publicAddress).toBe(new URL(b.url).host);
  expect(await held(call.id)).toEqual(after);
  expect((await at(a, bob).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
  expect(await atB.next('call:ended')).toMatchObject({ outcome: 'cancelled' });

  // One story, told by one holder at a time.
  const { rows } = await db.query(
    'select version, epoch::int, command from call_journal where call_id = $1 order by version',
    [call.id],
  );
  expect(rows.map(({ version }: Json) => version)).toEqual(rows.map((_: Json, i: number) => i + 1));
  const epochs = rows.map(({ epoch }: Json) => epoch);
  expect(epochs).toEqual([...epochs].sort((x, y) => x - y));
  expect(rows.filter(({ command }: Json) => command === 'answer')).toHaveLength(1);
  expect(rows.filter(({ command }: Json) => command === 'end')).toHaveLength(1);
});

test('asked in the moment in which it wakes, it answers for whoever holds the call now', async () => {
  const { ann, bob, matchId } = await newMatch(b);
  const { call } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
  const before = await held(call.id);
  process.kill(a.pid, 'SIGSTOP');
  // B takes it over, and Bob comes in there.
  await again(() => at(b, bob).ok('POST', `/calls/${call.id}/answer`, {}));
  expect((await held(call.id)).epoch).toBeGreaterThan(before.epoch);
  // They wait at A's socket, and are read before it has renewed anything.
  const asked = Promise.all(
    Array.from({ length: 4 }, () => at(a, bob).call('POST', `/calls/${call.id}/end`)),
  );
  await pause(500);
  process.kill(a.pid, 'SIGCONT');
  const answers = await asked;
  expect(answers.map(({ status, body }) => [status, body.call?.outcome])).toEqual(
    answers.map(() => [200, 'cancelled']),
  );
});

async function held(callId: string): Promise<{ owner: string; epoch: number }> {
  const { rows } = await db.query('select owner, epoch::int from calls where id = $1', [callId]);
  return rows[0];
}
