/**
 * FT-01 in the middle of a talk, FT-09, FT-11, FT-24, FT-39: processes that are killed and replaced and a Redis that
 * forgets and restarts, under calls that go on.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Json, type Person, request } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { expectCredited, heldCall } from '../../support/outage.ts';
import { useRedis } from '../../support/redis.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, newPeople } from '../../support/signedIn.ts';
import { again, at, pause, startShared } from './processes.ts';

/** Nobody here has a microphone: what tells a call that audio flows is said there, as in the crash drill. */
const MEDIA = pathToFileURL(resolve(import.meta.dirname, '../../../loadtest/crashDrillMedia.ts')).href;
const START_MS = 240_000;
const TALK_SEC = 1_200;
/** The cases ask for 200 calls and 20 restarts; the suite has few, for the sake of its time. */
const TALKS = Number(process.env.DUET_ROLLING_CALLS ?? 6);
const REDIS_RESTARTS = Number(process.env.DUET_REDIS_RESTARTS ?? 5);
const TALKS_AT_ONCE = 10;

const redis = useRedis();
let database: TestDatabase;
let db: pg.Client;
let a: TestServer;
let b: TestServer;

beforeAll(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.url);
  await db.connect();
  [a, b] = await Promise.all([start(), start()]);
});
afterAll(async () => {
  await Promise.all([a?.kill(), b?.kill()]);
  await db?.end();
  await database?.drop();
});

function start(): Promise<TestServer> {
  return startShared({
    DB_URL: database.url,
    REDIS_URL: redis.url,
    NODE_OPTIONS: `--import ${MEDIA}`,
    CALL_RING_SEC: '600',
    CALL_DURATION_SEC: `${TALK_SEC}`,
    CALL_RECONNECT_SEC: '600',
    CALL_REQUEST_SEC: '300',
    DRAIN_SEC: '1',
  });
}

interface Talk {
  ann: Person;
  bob: Person;
  call: Json;
}

/** A call at a process in which they talk. */
async function talkAt(server: TestServer): Promise<Talk> {
  const { ann, bob, matchId } = await newMatch(server);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await bob.ok('POST', `/calls/${call.id}/answer`, {});
  const now = await again(async () => {
    const answer = await ann.ok('GET', `/calls/${call.id}`);
    if (answer.call.phase !== 'active') throw new Error(answer.call.phase);
    return answer.call;
  });
  return { ann, bob, call: now };
}

const endsAt = (call: Json): number => Date.parse(call.endsAt);

test(
  'FT-01 kill -9 while they talk and one asks for video: the same call, time and question at the other process',
  async () => {
    const { ann, bob, call } = await talkAt(a);
    const asked = (await ann.ok('POST', `/calls/${call.id}/upgrade`)).call;
    expect(asked.pending).toMatchObject({ kind: 'upgrade' });
    const held = await heldCall(db, call.id);
    await a.kill();
    const back = await again(() => at(b, bob).ok('POST', `/calls/${call.id}/join`));
    expect(back.call).toMatchObject({ id: call.id, phase: 'active', media: 'audio', extensions: 0 });
    expect(back.call.pending).toMatchObject({ kind: 'upgrade', by: asked.pending.by });
    expect(endsAt(back.call)).toBeGreaterThan(endsAt(asked));
    await expectCredited(db, call.id, held, 'endsAt');
    expect((await at(b, bob).ok('POST', `/calls/${call.id}/upgrade`)).call).toMatchObject({
      media: 'video',
      pending: null,
    });
    expect((await at(b, ann).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('completed');
    a = await start();
  },
  START_MS,
);

test(
  'FT-39 both processes are replaced one after the other: every call goes on, and nothing fails that is asked twice',
  async () => {
    const talks: Talk[] = [];
    while (talks.length < TALKS) {
      const next = Array.from(
        { length: Math.min(TALKS_AT_ONCE, TALKS - talks.length) },
        (_, i) => [a, b][i % 2]!,
      );
      talks.push(...(await Promise.all(next.map(talkAt))));
    }
    let asked = 0;
    let askedTwice = 0;
    let rolling = true;
    const failed: string[] = [];
    const traffic = talks.map(async ({ ann, call }, nth) => {
      while (rolling) {
        const path = `/calls/${call.id}`;
        // What a client does behind a load balancer: the other one, once the first has failed.
        const urls = nth % 2 === 0 ? [a, b] : [b, a];
        const attempts = urls.map((server) => () => at(server, ann).call('GET', path));
        const first = await attempts[0]!().catch(() => undefined);
        const answer =
          first?.status === 200
            ? first
            : await attempts[1]!().catch((error: unknown) => ({ status: String(error) }));
        if (answer.status !== 200) failed.push(`${answer.status}`);
        asked += 1;
        if (answer !== first) askedTwice += 1;
        await pause(Math.max(100, 10 * TALKS));
      }
    });
    const replace = async (old: TestServer, take: (next: TestServer) => void) => {
      expect(await old.stop('SIGTERM')).toBe(0);
      take(await start());
    };
    await replace(a, (next) => {
      a = next;
    });
    await replace(b, (next) => {
      b = next;
    });
    rolling = false;
    await Promise.all(traffic);
    expect(asked).toBeGreaterThan(talks.length);
    expect(failed).toEqual([]);
    for (const { ann, bob, call } of talks) {
      const joined = await again(() => at(a, bob).ok('POST', `/calls/${call.id}/join`));
      expect(joined.call).toMatchObject({ id: call.id, phase: 'active', extensions: 0 });
      expect(endsAt(joined.call)).toBeGreaterThanOrEqual(endsAt(call));
      expect((await at(b, ann).ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('completed');
    }
    if (process.env.DUET_ROLLING_CALLS !== undefined)
      console.info(`${TALKS} calls, none lost; ${asked} questions, ${askedTwice} asked twice, 0 failed`);
  },
  START_MS + TALKS * 2_000,
);

describe('Redis', () => {
  test(
    'FT-09 forgets everything (FLUSHALL): the rooms are listed again, calls and events go on',
    async () => {
      const { ann, bob, call } = await talkAt(a);
      const inbox = await at(b, bob).inbox();
      const client = new Redis(redis.url);
      try {
        const listed = async () => Number(await client.hexists('roomcaches', call.id));
        await eventually(listed).toBe(1);
        await client.flushall();
        // What crosses the processes needs nothing that was in it.
        expect((await at(b, bob).ok('POST', `/calls/${call.id}/extend`)).call.pending).toMatchObject({
          kind: 'extend',
        });
        await eventually(listed).toBe(1);
        expect((await ann.ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('completed');
        await inbox.next('call:ended', (event) => event.call.id === call.id, 20_000);
      } finally {
        client.disconnect();
      }
    },
    START_MS,
  );

  test(
    'FT-11 restarts again and again: after each time what happens at one process is heard at the other',
    async () => {
      const [bob, ...others] = (await newPeople(a, 1 + REDIS_RESTARTS)) as [Person, ...Person[]];
      const inbox = await at(b, bob).inbox();
      const heardMs: number[] = [];
      for (const other of others) {
        await redis.stop();
        await pause(200);
        await redis.start();
        await again(() => other.ok('POST', `/matches/like/${bob.id}`));
        const decided = await again(() => at(a, bob).ok('POST', `/matches/like/${other.id}`));
        const answeredAt = performance.now();
        const isIt = (event: Json) => event.match.id === decided.match.id;
        expect((await inbox.next('match:created', isIt, 20_000)).match.peer.id).toBe(other.id);
        heardMs.push(performance.now() - answeredAt);
      }
      if (process.env.DUET_REDIS_RESTARTS !== undefined)
        console.info(`heard after, ms: ${heardMs.sort((x, y) => x - y).map(Math.round)}`);
      await again(async () => {
        const { status } = await request(b.url, 'GET', '/health/readiness');
        if (status !== 200) throw new Error(`readiness ${status}`);
      });
    },
    START_MS,
  );
});

test(
  'FT-24 SIGTERM twice: the second does not wait for people to finish',
  async () => {
    const lasting = await startShared({
      DB_URL: database.url,
      REDIS_URL: redis.url,
      DRAIN_SEC: '3600',
      CALL_RING_SEC: '600',
    });
    const { ann, matchId } = await newMatch(lasting);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const stopped = lasting.stop('SIGTERM');
    await again(async () => {
      const { body } = await request(lasting.url, 'GET', '/health/readiness');
      if (body.status !== 'draining') throw new Error(body.status);
    });
    void lasting.stop('SIGTERM');
    expect(await stopped).toBe(0);
    // It gave the call back: the next process need not wait for a lease to run out.
    expect((await again(() => at(b, ann).ok('POST', `/calls/${call.id}/join`))).call.phase).toBe('ringing');
    await at(b, ann).ok('POST', `/calls/${call.id}/end`);
  },
  START_MS,
);
