/**
 * FT-25, FT-29, FT-38: a process that does not end in order, one whose memory is full, and what a later release has
 * made of the schema and the rows. Two processes, one after the other, on one database.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CloseCode } from '@colyseus/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Inbox, Json, Person } from '../../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';
import { at, startShared } from './processes.ts';

const preload = pathToFileURL(resolve(import.meta.dirname, 'trouble.js')).href;
const HEAP_MB = 256;
const START_MS = 120_000;

let database: TestDatabase;
let db: pg.Client;
let server: TestServer;
/** Two couples, who live through all of it. */
let ann: Person;
let bob: Person;
let matchId: string;
let others: { ann: Person; bob: Person; matchId: string };

const start = () =>
  startShared({
    DB_URL: database.url,
    CALL_RING_SEC: '600',
    NODE_OPTIONS: `--import ${preload} --max-old-space-size=${HEAP_MB}`,
    FAIL_TO_END: 'match',
  });

beforeAll(async () => {
  database = await createTestDatabase();
  db = new pg.Client(database.url);
  await db.connect();
  server = await start();
  ({ ann, bob, matchId } = await newMatch(server));
  others = await newMatch(server);
});
afterAll(async () => {
  await server?.kill();
  await db?.end();
  await database?.drop();
});

async function rowsOf(text: string, ...values: unknown[]): Promise<Json[]> {
  return (await db.query(text, values)).rows;
}

/** A call that is answered and ended. */
async function talk(): Promise<void> {
  const { call } = await others.ann.ok('POST', `/calls/initiate/${others.matchId}`, {});
  await others.bob.ok('POST', `/calls/${call.id}/answer`, {});
  expect((await others.ann.ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
}

/** A call that is declined, and most of what else people do. */
async function live(stranger: Person): Promise<void> {
  await Promise.all([ann.ok('GET', '/users/me'), bob.ok('PUT', '/users/me', { bio: 'Here' })]);
  await ann.ok('GET', '/users/discovery');
  await ann.ok('POST', `/matches/like/${stranger.id}`);
  await ann.ok('GET', '/matches/active');
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  expect((await bob.ok('POST', `/calls/${call.id}/reject`)).call.outcome).toBe('rejected');
}

/** What the migrations of a later release may do while this one runs: every table has more columns than it knows. */
async function extendSchema(): Promise<void> {
  const tables = await rowsOf(
    `select c.oid::regclass::text as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and c.relname not like 'mikro_orm%'`,
  );
  expect(tables.length).toBeGreaterThan(20);
  for (const { name } of tables)
    await db.query(`alter table ${name} add column of_later text default 'later'`);
  await db.query('create table of_later (id uuid primary key)');
  await db.query(`insert into mikro_orm_migrations (name) values ('9999Later')`);
}

test('FT-38 under a running process the schema becomes that of a later release: everything goes on', async () => {
  const [before, after] = await Promise.all([newPerson(server), newPerson(server)]);
  const inbox = await bob.inbox();
  await talk();
  const { call } = await others.ann.ok('POST', `/calls/initiate/${others.matchId}`, {});
  await live(before);
  await extendSchema();
  // Several times: the statements that were prepared before are spread over the connections of the pool.
  for (let times = 0; times < 3; times++) await live(after);
  expect((await others.bob.ok('POST', `/calls/${call.id}/reject`)).call.outcome).toBe('rejected');
  await talk();
  // An event of a kind that only the later release knows is passed on, and holds up nothing.
  await db.query(
    `with seq as (update inboxes set seq = seq + 1 where user_id = $1 returning user_id, seq, epoch)
     insert into outbox (user_id, seq, epoch, type, payload) select user_id, seq, epoch, 'later:told', '{"x":1}' from seq`,
    [bob.id],
  );
  await live(after);
  expect(await inbox.next('later:told', () => true, 20_000)).toMatchObject({ x: 1 });
  await eventually(() => inbox.ofType('call:ended').length).toBe(5);
  const seqs = inbox.events.map(({ payload }) => payload.seq);
  expect(seqs).toEqual(seqs.map((_, i) => seqs[0] + i));
});

test(
  'FT-25 a room throws when it is to end: the others are ended and their calls given back, the exit is not 0',
  async () => {
    const left = (room: Inbox['room']) => new Promise<number>((done) => room.onLeave(done));
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const inCall = left(await ann.sit(seat));
    const inInbox = left((await bob.inbox()).room);
    const inMatch = left(await bob.sit((await bob.ok('POST', `/matches/${matchId}/join`)).seat));
    expect(await server.stop('SIGINT')).toBe(1);
    expect(server.output()).toContain('a room could not be ended in order');
    expect(server.output()).not.toContain('closing took too long');
    expect([await inCall, await inInbox, await inMatch]).toEqual(Array(3).fill(CloseCode.SERVER_SHUTDOWN));
    expect(await rowsOf('select owner, phase from calls where id = $1', call.id)).toEqual([
      { owner: null, phase: 'ringing' },
    ]);

    // FT-38: the release of before is started again on what the later one has made of the database, rows and all.
    await db.query(`update calls set state = state || '{"ofLater":{"x":1}}' where id = $1`, [call.id]);
    server = await start();
    [ann, bob, others.ann, others.bob] = [ann, bob, others.ann, others.bob].map((one) => at(server, one)) as [
      Person,
      Person,
      Person,
      Person,
    ];
    expect((await ann.ok('POST', `/calls/${call.id}/join`)).call).toMatchObject({ phase: 'ringing' });
    expect((await bob.ok('POST', `/calls/${call.id}/reject`)).call.outcome).toBe('rejected');
    await live(await newPerson(server));
  },
  START_MS,
);

test(
  'FT-29 the heap is full: the process ends by itself, and nothing is half written or lost that was answered',
  async () => {
    const ended: Json[] = [];
    const couples = [{ ann, bob, matchId }, others];
    let full = false;
    const traffic = couples.map(async (couple) => {
      while (!full) {
        const { call } = await couple.ann.ok('POST', `/calls/initiate/${couple.matchId}`, {});
        ended.push((await couple.bob.ok('POST', `/calls/${call.id}/reject`)).call);
      }
    });
    const cutOff = Promise.allSettled(traffic);
    await eventually(() => ended.length).toBeGreaterThan(4);
    process.kill(server.pid, 'SIGUSR2');
    expect(await server.exited).not.toBe(0);
    full = true;
    await cutOff;
    expect(server.output()).toContain('heap out of memory');

    const lost = await rowsOf(
      `select id from unnest($1::uuid[]) as told (id) where not exists
         (select from calls c where c.id = told.id and c.phase = 'ended' and c.outcome = 'rejected')`,
      ended.map(({ id }) => id),
    );
    expect(lost).toEqual([]);
    // Row, journal, seats and events of a change are there together or not at all.
    await eventually(() =>
      rowsOf(`select from pg_stat_activity where datname = current_database()`),
    ).toHaveLength(1);
    expect(
      await rowsOf(
        `select c.id from calls c left join call_journal j on j.call_id = c.id
         group by c.id having max(j.version) <> c.version or count(j.*) <> c.version
           or bool_or(j.phase = 'ended') <> (c.phase = 'ended')`,
      ),
    ).toEqual([]);
    expect(
      await rowsOf(
        `select c.id from calls c left join live_calls l on l.call_id = c.id
         group by c.id having count(l.user_id) <> (case when c.phase = 'ended' then 0 else 2 end)`,
      ),
    ).toEqual([]);
    expect(
      await rowsOf(
        `select i.user_id from inboxes i left join outbox o on o.user_id = i.user_id
         group by i.user_id, i.seq having count(o.seq) <> i.seq or coalesce(max(o.seq), 0) <> i.seq`,
      ),
    ).toEqual([]);
    expect(
      await rowsOf(
        `select c.id from calls c where (select count(*) from outbox o
           where o.type = 'call:incoming' and o.payload->'call'->>'id' = c.id::text) <> 1`,
      ),
    ).toEqual([]);
  },
  START_MS,
);
