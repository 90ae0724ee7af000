/** A process that alone is cut off from PostgreSQL: what others took over from it, it acts on no more. */
import pg from 'pg';
import { afterAll, beforeAll, test } from 'vitest';
import { Inbox } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FickleWay } from '../../support/FickleWay.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch } from '../../support/signedIn.ts';
import { again, at, startShared } from './processes.ts';

/** Close code of a room that another process holds now. */
const MOVED = 4104;

const redis = useRedis();
let database: TestDatabase;
let way: FickleWay;
let a: TestServer;
let b: TestServer;
let db: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  const made = await FickleWay.to(database.url);
  way = made.way;
  const shared = { REDIS_URL: redis.url, CALL_RING_SEC: '120', CALL_RECONNECT_SEC: '60' };
  a = await startShared({ ...shared, DB_URL: made.url });
  b = await startShared({ ...shared, DB_URL: database.url });
  db = new pg.Client(database.url);
  await db.connect();
});
afterAll(async () => {
  await Promise.all([a?.kill(), b?.kill()]);
  await db?.end();
  way?.close();
  await database?.drop();
});

test('the call is taken over and a block ends it: the room of before is closed, though it can ask nobody', async () => {
  const { ann, bob, matchId } = await newMatch(b);
  const { call, seat } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
  const atA = new Inbox(await at(a, ann).sit(seat));
  let closed: number | undefined;
  atA.room.onLeave((code) => {
    closed = code;
  });
  await at(a, bob).ok('POST', `/calls/${call.id}/answer`, {});
  const row = async () =>
    (await db.query('select epoch::int, outcome from calls where id = $1', [call.id])).rows[0];

  way.stall();
  await eventually(async () => (await row()).epoch > 1).toBe(true);
  await eventually(() => closed).toBe(MOVED);
  await again(() => at(b, bob).ok('POST', `/users/block/${ann.id}`));
  await eventually(row).toMatchObject({ outcome: 'unavailable' });
});
