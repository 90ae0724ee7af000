/**
 * FT-26, FT-28: the wall clock of a running process jumps by an hour and by a day, that of the database by an hour, two
 * processes and the database differ by a day: nothing fires early, late, or at all.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../support/client.ts';
import { createTestDatabase, replaceClock, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { databaseNow, expectCredited, heldCall } from '../../support/outage.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, registerMatch, registerPerson } from '../../support/signedIn.ts';
import { again, at, pause, preloaded, signal, startShared } from './processes.ts';

const HOUR_MS = 3_600_000;
const STEPS_MS = [HOUR_MS, -2 * HOUR_MS, 25 * HOUR_MS, -48 * HOUR_MS];
const RING_MS = 12_000;
/** Of one clock, on a machine that has other things to do; a step that is heeded is an hour. */
const ONE_CLOCK_MS = 60_000;
/** How long is waited for what comes in its time: a step that is heeded the wrong way puts it off by an hour. */
const HEARD_MS = 40_000;
const redis = useRedis();
let database: TestDatabase;
let client: pg.Client;
let server: TestServer;
/** Began an hour ahead of the database. */
let ahead: TestServer;

const start = (startOffsetMs: number) =>
  startShared({
    DB_URL: database.url,
    REDIS_URL: redis.url,
    CALL_RING_SEC: `${RING_MS / 1000}`,
    MATCH_ACCEPT_SEC: '1800',
    MATCH_WARNING_SEC: '60',
    ...preloaded('stepClock.js'),
    STEPS_MS: STEPS_MS.join(','),
    START_OFFSET_MS: `${startOffsetMs}`,
  });
const setDatabaseClock = (ms: number) => client.query('update test_clock set ms = $1', [ms]);

beforeAll(async () => {
  database = await createTestDatabase();
  await replaceClock(database.url, `pg_catalog.clock_timestamp() + ms * interval '1 ms'`);
  client = new pg.Client(database.url);
  await client.connect();
  [server, ahead] = await Promise.all([start(0), start(HOUR_MS)]);
});
afterAll(async () => {
  await Promise.all([server?.kill(), ahead?.kill()]);
  await client?.end();
  await database?.drop();
});

test('±1 h, ±1 d: a call rings its time, nobody is signed out or kicked, no match expires', async () => {
  const { ann, bob, matchId } = await registerMatch(server.url);
  const inboxes = await Promise.all([ann.inbox(), bob.inbox()]);
  const kicked: number[] = [];
  for (const { room } of inboxes) room.onLeave((code) => kicked.push(code));
  const from = await databaseNow(client);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  let offsetMs = 0;
  for (const stepMs of STEPS_MS) {
    offsetMs += stepMs;
    await signal(server, `stepped to ${offsetMs}`);
    await pause(1_000);
    // The access token was good for 15 minutes before the step, and is no older after it.
    expect((await ann.ok('GET', `/calls/${call.id}`)).call.phase).toBe('ringing');
    const { seat } = await bob.ok('POST', '/realtime/inbox');
    expect(Math.abs(seat.serverNow - (await databaseNow(client)))).toBeLessThan(ONE_CLOCK_MS);
  }
  const ended = await inboxes[0]!.next('call:ended', (event: Json) => event.call.id === call.id, HEARD_MS);
  expect(ended.call.outcome).toBe('missed');
  // By the clock of the database, which nobody sets here.
  const { rows } = await client.query(
    `select extract(epoch from at)::float8 * 1000 as at from call_journal where call_id = $1 and phase = 'ended'`,
    [call.id],
  );
  expect(rows[0].at - from).toBeGreaterThanOrEqual(RING_MS - 1);
  expect((await ann.ok('GET', '/matches/active')).items).toHaveLength(1);
  expect(kicked).toEqual([]);
  expect(inboxes[1]!.ofType('call:ended')).toHaveLength(1);
});

test('the database’s clock is set by ±1 h: a call rings its time, whoever holds it', async () => {
  const { ann, matchId } = await newMatch(server);
  const inbox = await ann.inbox();
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  for (const stepMs of [HOUR_MS, -HOUR_MS, 0]) {
    await setDatabaseClock(stepMs);
    // Longer than a lease.
    await pause(2_500);
    const there = await again(() => at(ahead, ann).ok('POST', `/calls/${call.id}/join`));
    expect(there.call.phase).toBe('ringing');
    // Whose process was starved for longer than a lease was credited that.
    expect(Math.abs(Date.parse(there.call.ringUntil) - Date.parse(call.ringUntil))).toBeLessThan(
      ONE_CLOCK_MS,
    );
  }
  const ended = await inbox.next('call:ended', (event: Json) => event.call.id === call.id, HEARD_MS);
  expect(ended.call.outcome).toBe('missed');
  // By the clock of the process that held it, which nobody sets here.
  const { rows } = await client.query('select state from calls where id = $1', [call.id]);
  const { createdAt, ringUntil, endedAt } = rows[0].state;
  expect(endedAt).toBeGreaterThanOrEqual(ringUntil);
  expect(endedAt - createdAt).toBeGreaterThanOrEqual(RING_MS);
  expect(endedAt - createdAt).toBeLessThan(RING_MS + ONE_CLOCK_MS);
  expect(inbox.ofType('call:ended')).toHaveLength(1);
});

test('the database’s clock was set by 1 h: what a kill -9 then takes of a call is credited', async () => {
  const { ann, matchId } = await newMatch(server);
  const holder = await start(0);
  try {
    await setDatabaseClock(HOUR_MS);
    await pause(3_000);
    // Its lease is written in the clock that is now.
    const { call } = await again(() => at(holder, ann).ok('POST', `/calls/initiate/${matchId}`, {}));
    await pause(1_000);
    const held = await heldCall(client, call.id);
    await holder.kill();
    const taken = await again(() => at(ahead, ann).ok('POST', `/calls/${call.id}/join`));
    expect(Date.parse(taken.call.ringUntil)).toBeGreaterThan(Date.parse(call.ringUntil));
    await expectCredited(client, call.id, held, 'ringUntil');
    await at(ahead, ann).ok('POST', `/calls/${call.id}/end`);
  } finally {
    await holder.kill();
    await setDatabaseClock(0);
  }
});

test('the database’s clock is set back by 1 h as a process dies: its calls are taken over, those of the living are not', async () => {
  const held = async (callId: string): Promise<{ epoch: number; lasts: boolean }> => {
    const { rows } = await client.query(
      `select epoch::int, leased_until > clock_timestamp() + interval '1 minute' as lasts from calls where id = $1`,
      [callId],
    );
    return rows[0];
  };
  const [other, { ann, matchId }] = await Promise.all([newMatch(server), newMatch(server)]);
  // The database's clock was set a moment ago: until those who run say how far theirs is from it, a new one cannot know.
  await pause(3_000);
  const holder = await start(0);
  try {
    const { call: living } = await other.ann.ok('POST', `/calls/initiate/${other.matchId}`, {});
    const { call } = await again(() => at(holder, ann).ok('POST', `/calls/initiate/${matchId}`, {}));
    await holder.kill();
    await setDatabaseClock(-HOUR_MS);
    const taken = await again(() => at(ahead, ann).ok('POST', `/calls/${call.id}/join`));
    const creditedMs = Date.parse(taken.call.ringUntil) - Date.parse(call.ringUntil);
    expect(creditedMs).toBeGreaterThanOrEqual(0);
    expect(creditedMs).toBeLessThan(ONE_CLOCK_MS);
    expect((await at(ahead, ann).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
    await eventually(() => held(living.id)).toEqual({ epoch: 1, lasts: false });
    await other.ann.ok('POST', `/calls/${living.id}/end`);
  } finally {
    await holder.kill();
    await setDatabaseClock(0);
  }
});

test('whoever starts after the database’s clock was set has the clock of those who run', async () => {
  const { ann } = await newMatch(server);
  await setDatabaseClock(HOUR_MS);
  // Longer than those who run take to say how far theirs is from it.
  await pause(3_000);
  const late = await start(0);
  try {
    const clocks = await Promise.all(
      [server, late].map(async (one) => (await at(one, ann).ok('POST', '/realtime/inbox')).seat.serverNow),
    );
    expect(Math.abs(clocks[1] - clocks[0])).toBeLessThan(ONE_CLOCK_MS);
    // Its sweeper has looked, and half an hour to accept is not over.
    await pause(1_500);
    expect((await ann.ok('GET', '/matches/active')).items).toHaveLength(1);
  } finally {
    await late.kill();
    await setDatabaseClock(0);
  }
});

test('FT-28 a day and an hour apart: one clock for deadlines, tokens and leases, and a takeover keeps it', async () => {
  const { ann, bob, matchId } = await registerMatch(server.url);
  // Each takes the other's tokens: for neither they are of tomorrow, or run out.
  const carl = await registerPerson(ahead.url);
  expect((await at(server, carl).ok('GET', '/users/me')).id).toBe(carl.id);
  const inbox = await at(ahead, bob).inbox();
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const there = await at(ahead, ann).ok('POST', `/calls/${call.id}/join`);
  expect(there.seat.processId).toBe(seat.processId);
  expect(Math.abs(there.seat.serverNow - seat.serverNow)).toBeLessThan(ONE_CLOCK_MS);
  const held = await heldCall(client, call.id);
  await server.kill();
  const taken = await again(() => at(ahead, bob).ok('POST', `/calls/${call.id}/join`));
  expect(Date.parse(taken.call.ringUntil)).toBeGreaterThan(Date.parse(call.ringUntil));
  await expectCredited(client, call.id, held, 'ringUntil');
  expect(taken.call.phase).toBe('ringing');
  expect((await at(ahead, bob).ok('POST', `/calls/${call.id}/reject`)).call.outcome).toBe('rejected');
  const ended = await inbox.next('call:ended', (event: Json) => event.call.id === call.id);
  expect(Date.parse(ended.at)).toBeLessThan(Date.parse(taken.call.ringUntil));
});
