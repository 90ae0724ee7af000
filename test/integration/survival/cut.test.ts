/** WS-27: the network between the processes and Redis is cut for 3 s, without a word; nothing told meanwhile is lost. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CutWay } from '../../support/CutWay.ts';
import type { Json } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newPerson } from '../../support/signedIn.ts';
import { at, pause, preloaded, signal, startShared } from './processes.ts';

const CUT_MS = 3_000;
const redis = useRedis();
let way: CutWay;
let database: TestDatabase;
let a: TestServer;
let b: TestServer;

beforeAll(async () => {
  database = await createTestDatabase();
  way = await CutWay.to(redis.port);
  const shared = { DB_URL: database.url, REDIS_URL: `redis://127.0.0.1:${way.port}` };
  a = await startShared(shared);
  b = await startShared({ ...shared, ...preloaded('hintsAlone.js') });
});
afterAll(async () => {
  await Promise.all([a?.kill(), b?.kill()]);
  way?.close();
  await database?.drop();
});

test('U1 at A, U2 at B: heard by a hint, and after a cut all the same', async () => {
  const ann = await newPerson(a);
  const others = await Promise.all(Array.from({ length: 6 }, () => newPerson(a)));
  const inbox = await at(b, ann).inbox();
  for (const other of others) await at(b, ann).ok('POST', `/matches/like/${other.id}`);
  const match = async (other: (typeof others)[0]) => {
    const { match: made } = await other.ok('POST', `/matches/like/${ann.id}`);
    return made.id as string;
  };
  for (const other of others.slice(0, 4)) {
    const matchId = await match(other);
    await inbox.next('match:created', (event: Json) => event.match.id === matchId);
  }
  await signal(b, 'compared from now on');
  const mend = way.cut();
  const isOver = pause(CUT_MS);
  const during = [await match(others[4]!), await match(others[5]!)];
  await isOver;
  mend();
  for (const matchId of during)
    await inbox.next('match:created', (event: Json) => event.match.id === matchId);
  const seqs = inbox.ofType('match:created').map((event: Json) => event.seq);
  expect(seqs).toEqual([1, 2, 3, 4, 5, 6]);
});
