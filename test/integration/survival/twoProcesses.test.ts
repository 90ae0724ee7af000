/** FT-01, FT-08, WS-27 and their kind: two processes of the program on one PostgreSQL and one Redis. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Inbox, type Json, request } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { expectCredited, heldCall } from '../../support/outage.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, registerPerson, signIn } from '../../support/signedIn.ts';
import { again, at, startShared } from './processes.ts';

let database: TestDatabase;
let db: pg.Client;
const redis = useRedis();
let a: TestServer;
let b: TestServer;

const start = () =>
  startShared({
    DB_URL: database.url,
    REDIS_URL: redis.url,
    CALL_RING_SEC: '8',
    CALL_RECONNECT_SEC: '15',
  });

beforeAll(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.url);
  await db.connect();
  a = await start();
  b = await start();
});
afterAll(async () => {
  await Promise.all([a?.kill(), b?.kill()]);
  await db?.end();
  await database?.drop();
});

describe('one call, two processes', () => {
  test('whoever asks where gets the same call, and hears the same', async () => {
    const { ann, bob, matchId } = await newMatch(a);
    const inbox = await at(b, bob).inbox();
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const heard = new Inbox(await ann.sit(seat));
    expect(await inbox.next('call:incoming')).toMatchObject({ call: { id: call.id }, from: { id: ann.id } });
    // Bob asks B; the call is held by A.
    const answered = await at(b, bob).ok('POST', `/calls/${call.id}/answer`, {});
    expect(answered.call.phase).toBe('connecting');
    expect(answered.seat.publicAddress).toBe(new URL(a.url).host);
    expect(await heard.next('call:answered')).toMatchObject({ by: bob.id });
    const room = await at(b, bob).sit(answered.seat);
    expect((await room.request('call:downgrade')).call.id).toBe(call.id);
    expect((await at(b, bob).call('POST', `/calls/${call.id}/extend`)).body.code).toBe('WRONG_PHASE');
    expect((await at(b, bob).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
    expect(await heard.next('call:ended')).toMatchObject({ outcome: 'cancelled' });
  });

  test('both initiate at once, each at another process: one call (RC-09)', async () => {
    const { ann, bob, matchId } = await newMatch(a);
    const [one, other] = await Promise.all([
      ann.ok('POST', `/calls/initiate/${matchId}`, {}),
      at(b, bob).ok('POST', `/calls/initiate/${matchId}`, {}),
    ]);
    expect(one.call.id).toBe(other.call.id);
    expect(one.seat.processId).toBe(other.seat.processId);
    await ann.ok('POST', `/calls/${one.call.id}/end`);
  });

  test('a session revoked at one process is dead at the other, sockets and all', async () => {
    const ann = await registerPerson(a.url);
    const inbox = await at(b, ann).inbox();
    const left = new Promise<number>((resolve) => inbox.room.onLeave((code) => resolve(code)));
    await ann.ok('POST', '/auth/logout');
    expect(await left).toBe(4102);
    const { status } = await again(async () => {
      const answer = await at(b, ann).call('GET', '/users/me');
      if (answer.status !== 401) throw new Error('still in');
      return answer;
    });
    expect(status).toBe(401);
  });
});

describe('a process dies', () => {
  test.each(['ringing', 'connecting'] as const)(
    'kill -9 while %s: the same call, at the other',
    async (phase) => {
      const { ann, bob, matchId } = await newMatch(b);
      const { call } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
      if (phase === 'connecting') await at(a, bob).ok('POST', `/calls/${call.id}/answer`, {});
      const inbox = await at(b, bob).inbox();
      const held = await heldCall(db, call.id);
      await a.kill();
      const [toAnn, toBob] = await Promise.all(
        [ann, bob].map((person) => again(() => at(b, person).ok('POST', `/calls/${call.id}/join`))),
      );
      expect(toAnn!.call).toMatchObject({ id: call.id, phase });
      expect(toAnn!.seat.processId).toBe(toBob!.seat.processId);
      if (phase === 'ringing') {
        // The outage is credited: it rings on for what was left.
        expect(Date.parse(toAnn!.call.ringUntil)).toBeGreaterThan(Date.parse(call.ringUntil));
        await expectCredited(db, call.id, held, 'ringUntil');
        expect((await at(b, bob).ok('POST', `/calls/${call.id}/answer`, {})).call.phase).toBe('connecting');
      }
      expect((await at(b, ann).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
      expect(await inbox.next('call:ended', (event: Json) => event.call.id === call.id)).toMatchObject({
        outcome: 'cancelled',
      });
      a = await start();
    },
  );

  test('nobody asks for the call again: its deadline comes all the same, once', async () => {
    const { ann, bob, matchId } = await newMatch(b);
    const { call } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
    const inbox = await at(b, bob).inbox();
    await a.kill();
    const ended = await inbox.next('call:ended', (event: Json) => event.call.id === call.id, 20_000);
    expect(ended).toMatchObject({ outcome: 'missed' });
    await new Promise((done) => setTimeout(done, 1_500));
    expect(inbox.ofType('call:ended').filter((event) => event.call.id === call.id)).toHaveLength(1);
    a = await start();
  });
});

describe('Redis is away', () => {
  test('calls go on, reading goes on, readiness says so, and it heals', async () => {
    const { ann, bob, matchId } = await newMatch(a);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const heard = new Inbox(await ann.sit(seat));
    await redis.stop();
    expect((await request(a.url, 'GET', '/health/liveness')).status).toBe(200);
    expect((await request(a.url, 'GET', '/health/readiness')).status).toBe(503);
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    expect(await heard.next('call:answered')).toMatchObject({ by: bob.id });
    await bob.sit(answered.seat);
    expect((await ann.ok('GET', '/matches/active')).items).toHaveLength(1);
    // What another process holds cannot be reached.
    const elsewhere = await at(b, bob).call('POST', `/calls/${call.id}/end`);
    expect(elsewhere).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect((await at(b, bob).call('POST', `/calls/${call.id}/join`)).status).toBe(503);
    // Who comes and goes at the process that holds the call notices nothing.
    for (let i = 0; i < 3; i++) {
      const back = await bob.sit((await bob.ok('POST', `/calls/${call.id}/join`)).seat);
      await back.leave();
    }
    const own = await at(b, bob).inbox();
    await own.room.leave();
    expect((await ann.ok('POST', `/calls/${call.id}/end`)).call.phase).toBe('ended');
    await redis.start();
    await again(async () => {
      const { status } = await request(a.url, 'GET', '/health/readiness');
      if (status !== 200) throw new Error(`readiness ${status}`);
    });
    // Events cross between the processes again.
    const inbox = await at(b, bob).inbox();
    const next = (await ann.ok('POST', `/calls/initiate/${matchId}`, {})).call;
    expect(await inbox.next('call:incoming', (event: Json) => event.call.id === next.id)).toBeDefined();
    await ann.ok('POST', `/calls/${next.id}/end`);
  });

  test('it stands still: who asks another process is refused', async () => {
    const { ann, bob, matchId } = await newMatch(a);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    redis.pause();
    const askB = () => at(b, bob).call('POST', `/calls/${call.id}/end`);
    expect(await askB()).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    for (let i = 0; i < 3; i++) expect((await askB()).status).toBe(503);
    expect((await request(b.url, 'GET', '/health/liveness')).status).toBe(200);
    redis.resume();
    await again(() => at(b, bob).ok('POST', `/calls/${call.id}/end`));
  });
});

test('SIGTERM while a call is being asked for: it is refused, not left to ring for another process', async () => {
  const [{ ann, matchId }, other] = [await newMatch(b), await newMatch(b)];
  // For as long as this one rings the process does not end.
  const { call } = await at(a, other.ann).ok('POST', `/calls/initiate/${other.matchId}`, {});
  // So that it waits in the middle of its transaction.
  await db.query('begin');
  await db.query('select from matches where id = $1 for update', [matchId]);
  const asked = at(a, ann).call('POST', `/calls/initiate/${matchId}`, {});
  await eventually(async () => {
    const { rows } = await db.query(`select from pg_locks where not granted and locktype = 'transactionid'`);
    return rows.length;
  }).toBe(1);
  const stopped = a.stop('SIGTERM');
  await again(async () => {
    const { body } = await request(a.url, 'GET', '/health/readiness');
    if (body.status !== 'draining') throw new Error(body.status);
  });
  await db.query('commit');
  expect(await asked).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  const { rows } = await db.query('select from calls where match_id = $1', [matchId]);
  expect(rows).toEqual([]);
  await at(a, other.ann).ok('POST', `/calls/${call.id}/end`);
  expect(await stopped).toBe(0);
  a = await start();
});

test('SIGTERM: new calls are refused, running ones go on until they end, exit 0', async () => {
  const { ann, matchId } = await newMatch(b);
  const other = await newMatch(b);
  const { call } = await at(a, ann).ok('POST', `/calls/initiate/${matchId}`, {});
  const stopped = a.stop('SIGTERM');
  await again(async () => {
    const { status } = await at(a, other.ann).call('POST', `/calls/initiate/${other.matchId}`, {});
    if (status !== 503) throw new Error(`initiate ${status}`);
  });
  expect((await request(a.url, 'GET', '/health/readiness')).body.status).toBe('draining');
  expect((await at(a, ann).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
  expect(await stopped).toBe(0);
  a = await start();
  expect((await signIn(a.url, ann.email)).id).toBe(ann.id);
});
