// The simulation's database is a model. Here it and PostgreSQL go through the same random histories of the program's
// own stores, side by side: they must answer alike at every step and hold the same rows in the end.
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eraseUser } from '../../../src/accounts/lifeStatements.ts';
import { overdueMatches, unheldCalls } from '../../../src/actors/Keeper.ts';
import { CallStore, type HeldCall } from '../../../src/calling/CallStore.ts';
import { Calls } from '../../../src/calling/Calls.ts';
import { type CallSettings, personOf, roleOf } from '../../../src/calling/state.ts';
import { byPerson, bySystem, dueAt, type PersonCommand } from '../../../src/calling/transitions.ts';
import { type Clock, SystemClock } from '../../../src/clock.ts';
import { Database } from '../../../src/db/Database.ts';
import { HeldName } from '../../../src/db/HeldName.ts';
import { type Sql, sql } from '../../../src/db/sql.ts';
import { DuetError, isRefusal } from '../../../src/errors.ts';
import { InboxHub, readBehind } from '../../../src/events/InboxHub.ts';
import { createLog } from '../../../src/log.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import { accept, lock, save } from '../../../src/matching/matchStore.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { severPair } from '../../../src/safety/safetySql.ts';
import { MemoryDatabase } from '../../simulation/MemoryDatabase.ts';
import { Random } from '../../simulation/Random.ts';
import { newMatch } from '../../simulation/tables.ts';
import { createTestDatabase, replaceClock, type TestDatabase } from '../../support/database.ts';

const HISTORIES = 12;
const STEPS = 120;
const START_MS = Date.UTC(2030, 0, 1);
const PEOPLE = [1, 2, 3].map((nth) => `0000000${nth}-0000-7000-8000-000000000000`);
const PAIRS = [
  { id: '00000011-0000-7000-8000-000000000000', low: PEOPLE[0]!, high: PEOPLE[1]! },
  { id: '00000012-0000-7000-8000-000000000000', low: PEOPLE[0]!, high: PEOPLE[2]! },
];
const OWNERS = ['P', 'Q', 'R'];
/** The one of them whose name nobody holds: gone. */
const GONE = 'R';
const settings: CallSettings = {
  ringMs: 5_000,
  durationMs: 10_000,
  extensionMs: 5_000,
  maxExtensions: 2,
  warningMs: 3_000,
  requestMs: 2_000,
  reconnectMs: 4_000,
};
const matchSettings = { acceptMs: 40_000, warningMs: 10_000 };
const COMMANDS: readonly PersonCommand['type'][] = [
  'answer',
  'answer',
  'reject',
  'end',
  'extend',
  'upgrade',
  'downgrade',
  'joined',
  'dropped',
];

/** Between two steps, by weight: mostly a moment, now and then about as long as a lease lasts, or longer. */
const PAUSES_MS = { '7': 8, '400': 6, '800': 1, '1999': 1, '2001': 1, '2600': 2, '9000': 0.3 };

/** What PostgreSQL believes the time to be, for the connections of this test. */
const setTime = sql('test-set-time', 'update test_clock set ms = $1');
const addPeople = sql(
  'test-add-people',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
   select id, id || '@example.org', id || '@example.org', now(), '', 'Somebody', '1990-01-01', 'woman'
   from unnest($1::uuid[]) as given (id) on conflict do nothing`,
);
const DUMPS = {
  calls: `select state, phase, outcome, owner, epoch, version, leased_until, due_at, ended_at from calls order by created_at, id`,
  matches: `select id, status, phase, low_accepted, high_accepted, warned, due_at, end_reason, version from matches order by id`,
  live: `select user_id, call_id from live_calls order by user_id`,
  journal: `select call_id, version, epoch, command, command_id, by_id, state, at from call_journal order by at, call_id, version`,
  inboxes: `select user_id, epoch, seq, acked from inboxes order by user_id`,
  outbox: `select user_id, seq, epoch, type, payload from outbox order by user_id, seq`,
};

let made: TestDatabase;
let postgres: Database;
let names: HeldName[];
/** In all histories. */
let held = 0;

beforeAll(async () => {
  made = await createTestDatabase();
  await replaceClock(made.url, 'to_timestamp(ms / 1000)');
  const client = new pg.Client(made.url);
  await client.connect();
  // Further from the processes' clocks than this no name can be held.
  await client.query('update test_clock set ms = $1', [START_MS]);
  await client.end();
  postgres = await Database.open({ url: made.url, poolSize: 2, log: createLog('silent') });
  names = OWNERS.filter((owner) => owner !== GONE).map(
    (owner) => new HeldName(made.url, owner, new SystemClock()),
  );
  await Promise.all(names.map((name) => name.hold()));
});

afterAll(async () => {
  for (const name of names ?? []) name.close();
  await postgres?.close();
  await made?.drop();
});

type Time = { now: number };

/** The program's stores over one of the two databases. */
class Side {
  readonly db: Database;
  readonly clock: Clock;
  readonly store: CallStore;
  readonly calls: Calls;
  readonly matches: Matches;
  readonly hub: InboxHub;
  /** The calls in order of making: their ids differ between the two. */
  readonly callIds: string[] = [];
  /** What was held, and is perhaps no longer. */
  readonly held: HeldCall[] = [];

  constructor(db: Database, time: Time) {
    this.db = db;
    const clock = { now: () => time.now, after: () => ({ cancel() {} }) };
    this.clock = clock;
    const publish = () => {};
    this.store = new CallStore(db, settings);
    this.calls = new Calls({
      db,
      clock,
      settings,
      matchSettings,
      turn: { secret: undefined, urls: [] },
      maxUnanswered: 3,
      isOpen: () => true,
      publish,
    });
    this.matches = new Matches({
      db,
      clock,
      settings: matchSettings,
      cards: () => Promise.resolve(new Map()),
      publish,
      onClosed: () => Promise.resolve(),
    });
    this.hub = new InboxHub({ db, bus: new MemoryBus(), clock, log: createLog('silent') });
  }

  /** The answer of one step, or the code of its refusal, with ids as names and without the wall clock. */
  async answer(act: (side: Side) => Promise<unknown>): Promise<unknown> {
    try {
      return this.plain((await act(this)) ?? null);
    } catch (error) {
      if (error instanceof DuetError) return error.code;
      throw error;
    }
  }

  plain(value: unknown): unknown {
    const told = value instanceof Map ? [...value] : value;
    let text = JSON.stringify(told, (key, inner: unknown) => (key === 'at' ? undefined : inner));
    for (const [index, id] of this.callIds.entries()) text = text.replaceAll(id, `call-${index}`);
    return JSON.parse(text);
  }
}

/** Draws one step; the same is then done on both sides. */
function draw(random: Random, time: Time, callCount: number, heldCount: number) {
  const kinds = {
    initiate: 3,
    claim: 4,
    commit: 14,
    renew: 2,
    release: 1,
    read: 2,
    match: 2,
    ack: 1,
    inbox: 2,
    sever: 0.1,
    sweep: 2,
  };
  const kind = random.weighted(kinds);
  const pair = random.pick(PAIRS);
  const nth = random.between(0, Math.max(0, callCount - 1));
  const userId = random.pick(PEOPLE);
  const owner = random.pick(OWNERS);
  // Mostly what was held last.
  const heldAt = random.chance(0.8) ? heldCount - 1 : random.between(0, Math.max(0, heldCount - 1));
  const type = random.pick(COMMANDS);
  const system = random.pick(['tick', 'media_flowing', 'sever', null, null, null, null] as const);
  const commandId = `000000${random.between(10, 40)}-0000-7000-8000-000000000000`;
  const matchType = random.weighted({ accept: 10, decline: 1, end: 1, tick: 4 });
  const seq = random.between(0, 12);

  const act = async (side: Side): Promise<unknown> => {
    const callId = side.callIds[nth];
    const held = side.held[heldAt];
    switch (kind) {
      case 'initiate': {
        const call = await side.calls.initiate(pair.id, userId, nth % 2 === 0 ? 'audio' : 'video');
        if (!side.callIds.includes(call.id)) side.callIds.push(call.id);
        return call;
      }
      case 'claim': {
        if (callId === undefined) return null;
        const claim = await side.store.claim(callId, owner, time.now);
        if ('held' in claim) side.held.push(claim.held);
        return claim;
      }
      case 'commit': {
        if (held === undefined) return null;
        const role = roleOf(held.call, userId) ?? 'callee';
        const change =
          system === null
            ? byPerson(held.call, { type }, role, time.now, settings)
            : bySystem(held.call, { type: system }, time.now, settings);
        if (isRefusal(change)) return change;
        const { call, effects } = change;
        const written = await side.store.commit({
          call,
          epoch: held.epoch,
          version: held.version,
          command: system ?? type,
          commandId: system === null ? commandId : undefined,
          byId: system === null ? personOf(call, role) : null,
          dueAt: dueAt(call, settings),
          events: effects
            .filter((effect) => effect.kind === 'notify')
            .map((effect) => ({ userId: personOf(call, effect.to), type: effect.type, payload: { call } })),
          ...(type === 'answer' && {
            first: async (tx: Sql) => {
              const match = (await lock(tx, call.matchId, side.clock, matchSettings))!;
              const accepted = accept(match, call.calleeId);
              return isRefusal(accepted) ? accepted : () => save(tx, match, accepted, matchSettings);
            },
          }),
        });
        if (written !== undefined && !isRefusal(written))
          side.held.push({ ...held, call, version: written.version });
        return written;
      }
      case 'renew': {
        const mine = side.held.slice(-4).map((one) => ({
          id: one.call.id,
          epoch: one.epoch,
          version: one.version,
        }));
        // In whatever order.
        const fates = await side.store.renew(owner, mine);
        return side.callIds.flatMap((id) => (fates.has(id) ? [[id, fates.get(id)]] : []));
      }
      case 'release':
        if (held === undefined || held.call.phase === 'ended') return null;
        return side.store.release(held.call, held.epoch);
      case 'read':
        if (held === undefined) return null;
        return [
          await side.store.reread(held.call.id, held.epoch),
          await side.calls.find(held.call.id, held.call.callerId),
          await side.calls.liveOf(pair.id),
        ];
      case 'match':
        return matchType === 'tick'
          ? side.matches.system(pair.id, { type: 'tick' })
          : side.matches.command(pair.id, { type: matchType }, userId);
      case 'ack':
        await side.hub.ack(userId, seq);
        return side.hub.position(userId);
      case 'inbox':
        return [
          await side.hub.beginning(userId),
          held && (await side.store.told(held.call)),
          await side.db.query(readBehind, [[userId], [seq], [null]]),
        ];
      case 'sever':
        return side.db.query(severPair, [userId, pair.high]);
      case 'sweep': {
        const calls = await side.db.query(unheldCalls, [new Date(time.now)]);
        const matches = await side.db.query(overdueMatches, [new Date(time.now)]);
        // Of those that fell due at one moment either may come first.
        return [calls.map((row) => side.callIds.indexOf(row.id)).sort(), matches.map((row) => row.id).sort()];
      }
    }
  };
  return { kind, act };
}

async function populate(side: Side, memory: MemoryDatabase): Promise<void> {
  for (const { id, low, high } of PAIRS) {
    const match = newMatch(id, [low, high], START_MS, matchSettings);
    memory.tables.matches.set(id, match);
    await side.db.query(
      sql(
        'test-insert-match',
        `insert into matches (id, low_id, high_id, status, phase, created_at, accept_by, due_at)
         values ($1, $2, $3, 'active', 'awaiting_accept', $4, $5, $6)`,
      ),
      [id, low, high, ...[match.created_at, match.accept_by, match.due_at!].map((ms) => new Date(ms))],
    );
  }
}

/** What is left in the memory, in the shape of `DUMPS`. */
function dump({ tables }: MemoryDatabase): Record<keyof typeof DUMPS, object[]> {
  const by =
    <T>(...keys: (keyof T)[]) =>
    (one: T, other: T) =>
      keys.map((key) => (one[key] < other[key] ? -1 : one[key] > other[key] ? 1 : 0)).find((sign) => sign) ??
      0;
  return {
    calls: [...tables.calls.values()],
    matches: [...tables.matches.values()].sort(by('id')),
    live: [...tables.liveCalls].map(([user_id, call_id]) => ({ user_id, call_id })).sort(by('user_id')),
    journal: tables.journal.filter((line) => tables.calls.has(line.call_id)),
    inboxes: [...tables.inboxes.values()].sort(by('user_id')),
    outbox: [...tables.outbox.values()].flat().sort(by('user_id', 'seq')),
  };
}

test.each(Array.from({ length: HISTORIES }, (_, index) => index + 1))('history %i', async (seed) => {
  const random = new Random(seed);
  const time = { now: START_MS };
  const memory = new MemoryDatabase(time);
  for (const owner of OWNERS) if (owner !== GONE) memory.tables.names.set(owner, {});
  await postgres.query(addPeople, [PEOPLE]);
  await postgres.query(sql('test-clear-inboxes', 'delete from inboxes'));
  await postgres.query(sql('test-clear-outbox', 'delete from outbox'));
  await postgres.query(sql('test-clear-matches', 'delete from matches'));
  const real = new Side(postgres, time);
  const model = new Side(memory as unknown as Database, time);
  await populate(real, memory);

  const story: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    time.now += Number(random.weighted(PAUSES_MS));
    await postgres.query(setTime, [time.now]);
    const { kind, act } = draw(random, time, real.callIds.length, real.held.length);
    const answers = [await real.answer(act), await model.answer(act)];
    story.push(`${time.now - START_MS} ${kind} → ${JSON.stringify(answers[0]).slice(0, 200)}`);
    expect(answers[1], story.slice(-8).join('\n')).toEqual(answers[0]);
  }

  await expectSame(real, model, memory);
  for (const side of [real, model]) await side.db.query(eraseUser, [PEOPLE[2]!]);
  await expectSame(real, model, memory);
  held += real.held.length;
});

test('calls were held in them', () => {
  expect(held).toBeGreaterThan(10 * HISTORIES);
});

/** The two hold the same rows. */
async function expectSame(real: Side, model: Side, memory: MemoryDatabase): Promise<void> {
  const left = dump(memory);
  for (const [table, text] of Object.entries(DUMPS)) {
    const rows = await postgres.query(sql<object>(`test-dump-${table}`, text));
    const modelled = left[table as keyof typeof DUMPS];
    const columns = Object.keys(rows[0] ?? {});
    expect(canonical(model.plain(modelled), columns)).toEqual(canonical(real.plain(rows), columns));
    expect(modelled).toHaveLength(rows.length);
  }
}

/** Rows as text, of some columns, in an order that does not depend on the database's. */
function canonical(rows: unknown, columns: readonly string[]): string[] {
  const text = (value: unknown): string => {
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    if (Array.isArray(value)) return `[${value.map(text).join()}]`;
    const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${key}:${text(inner)}`).join()}}`;
  };
  return (rows as Record<string, unknown>[])
    .map((row) => columns.map((column) => `${column}=${text(row[column] ?? null)}`).join(' '))
    .sort();
}
