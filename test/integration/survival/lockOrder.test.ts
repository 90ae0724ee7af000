/**
 * RC-33 and RC-03: likes, blocks, calls that start, are answered and end, matches that end, and the writers of who is
 * about, all at once on the same few people. Nobody ever waits in a circle (docs/reliability.md, "One order of locks").
 */
import { expect, test } from 'vitest';
import { CallActor } from '../../../src/calling/CallActor.ts';
import { CallStore } from '../../../src/calling/CallStore.ts';
import { Calls } from '../../../src/calling/Calls.ts';
import type { PersonCommand } from '../../../src/calling/transitions.ts';
import { SystemClock } from '../../../src/clock.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { Decisions } from '../../../src/matching/decisions.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import { Activity } from '../../../src/people/Activity.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { Blocks } from '../../../src/safety/Blocks.ts';
import { PATIENT_CALLS } from '../../support/callSettings.ts';
import { openDatabase, useDatabase } from '../../support/database.ts';
import { onServer } from '../../support/postgresServer.ts';

const PEOPLE = 12;
const STORIES = 10_000;
const AT_ONCE = 24;
const OWNER = 'this test';

const matchSettings = { acceptMs: 86_400_000, warningMs: 3_600_000 };

const addPeople = sql(
  'test-add-people',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender,
     last_active_at)
   select id, id || '@example.org', id || '@example.org', now(), '', 'Somebody', '1990-01-01', 'woman',
     now() - interval '1 hour'
   from unnest($1::uuid[]) as given (id)`,
);
/** So that there is always somebody to be written about. */
const forgetActivity = sql(
  'test-forget-activity',
  `update users set last_active_at = now() - interval '1 hour' where id = $1`,
);
const someMatch = sql<{ id: string; low_id: string; high_id: string }>(
  'test-some-match',
  `select id, low_id, high_id from matches where status = 'active' order by random() limit 1`,
);
/** Matches may begin again and calls may be tried again: there is always something to do. */
const beginAgain = sql(
  'test-begin-again',
  `update pair_decisions set low_decision = null, high_decision = null, matched = false
  where low_id = $1 and high_id = $2 and matched
    and not exists (select from matches m where m.low_id = $1 and m.high_id = $2 and m.status = 'active')`,
);
const liveCall = sql<{ id: string }>(
  'test-live-call',
  `select id from calls where phase <> 'ended' order by random() limit 1`,
);

const countCalls = sql<{ n: number }>('test-count-calls', 'select count(*) as n from calls');
const deadlocks = sql<{ deadlocks: number }>(
  'test-deadlocks',
  'select deadlocks from pg_stat_database where datname = current_database()',
);

// Its own pool: the program's, closed before its connections' counts are read.
const database = useDatabase({ poolSize: 2 });

test(`${STORIES} stories, ${AT_ONCE} at a time, on ${PEOPLE} people: no deadlock, none surfaced`, async () => {
  // A circle is found in a moment, instead of in a second; nothing else changes.
  const name = new URL(database.url).pathname.slice(1);
  await onServer(database.url, `alter database "${name}" set deadlock_timeout = '20ms'`);
  const db = await openDatabase(database.url, AT_ONCE + 6);
  const clock = new SystemClock();
  await clock.calibrate(() => db.epochMs());
  const log = createLog('silent');
  const hub = new InboxHub({ db, bus: new MemoryBus(), clock, log });
  const publish = () => {};
  const store = new CallStore(db, PATIENT_CALLS);
  const calls = new Calls({
    db,
    clock,
    settings: PATIENT_CALLS,
    matchSettings,
    turn: { secret: undefined, urls: [] },
    maxUnanswered: 3,
    isOpen: () => true,
    publish,
  });
  const actors = new Map<string, Promise<CallActor | undefined>>();
  const hold = async (id: string) => {
    const claim = await store.claim(id, OWNER, Date.now());
    if (!('held' in claim)) return undefined;
    const audience = { changed: () => {}, say: () => {}, lost: () => {} };
    return new CallActor({
      held: claim.held,
      store,
      settings: PATIENT_CALLS,
      matchSettings,
      clock,
      log,
      audience,
      publish,
    });
  };
  const actorOf = (id: string) => {
    const actor = actors.get(id) ?? hold(id);
    actors.set(id, actor);
    return actor;
  };
  const matches: Matches = new Matches({
    db,
    clock,
    settings: matchSettings,
    cards: async () => new Map(),
    publish,
    onClosed: async (matchId) => {
      const call = await calls.liveOf(matchId);
      if (call !== undefined) await (await actorOf(call.id))?.system({ type: 'sever' });
    },
  });
  const decisions = new Decisions({
    db,
    clock,
    match: matchSettings,
    likesPerDay: { regular: 1e9, premium: 1e9 },
    publish,
  });
  const blocks = new Blocks({
    db,
    clock,
    pairSevered: (one, other) => matches.sever(one, other),
    forgetCandidates: async () => {},
  });
  const activities = [0, 1].map(() => new Activity({ db, clock, log, flushEveryMs: 5 }));

  const people = Array.from({ length: PEOPLE }, () => newId());
  await db.query(addPeople, [people]);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
  const pair = () => {
    const one = pick(people);
    return [one, pick(people.filter((id) => id !== one))] as const;
  };
  const like = async () => {
    const [one, other] = pair();
    await Promise.all([decisions.decide(one, other, 'like'), decisions.decide(other, one, 'like')]);
  };
  const call = async () => {
    const [match] = await db.query(someMatch);
    if (match === undefined) return;
    // Glare, now and then.
    const callers =
      Math.random() < 0.3 ? [match.low_id, match.high_id] : [pick([match.low_id, match.high_id])];
    await Promise.all(callers.map((id) => calls.initiate(match.id, id, 'audio')));
  };
  const act = async () => {
    const [live] = await db.query(liveCall);
    const actor = live && (await actorOf(live.id));
    if (actor === undefined || actor.call.phase === 'ended') return;
    const type = pick(['joined', 'answer', 'answer', 'reject', 'end', 'end'] as const);
    const { callerId, calleeId } = actor.call;
    await actor.command({ type } as PersonCommand, type === 'answer' ? calleeId : pick([callerId, calleeId]));
  };
  const endMatch = async () => {
    const [match] = await db.query(someMatch);
    if (match === undefined) return;
    await matches.command(match.id, { type: pick(['accept', 'accept', 'end'] as const) }, match.low_id);
    await db.query(beginAgain, [match.low_id, match.high_id]);
  };
  const block = async () => {
    const [one, other] = pair();
    await blocks.block(one, other);
    await blocks.unblock(one, other);
    await db.query(beginAgain, one < other ? [one, other] : [other, one]);
  };
  const beAbout = async () => {
    await db.query(forgetActivity, [pick(people)]);
    for (const activity of activities) for (const id of people) activity.seen(id);
  };
  const renew = async () => {
    const held = (await Promise.all(actors.values())).filter((actor) => actor?.call.phase !== 'ended');
    await store.renew(
      OWNER,
      held.flatMap((actor) =>
        actor ? [{ id: actor.call.id, epoch: actor.epoch, version: actor.version }] : [],
      ),
    );
  };
  const acknowledge = () => hub.ack(pick(people), 1_000_000);
  const stories = [like, like, call, call, act, act, act, endMatch, block, beAbout, renew, acknowledge];

  const surfaced = new Map<string, number>();
  const refused = new Map<string, number>();
  let left = STORIES;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const story = pick(stories);
        await story().catch((error: unknown) => {
          const code = error instanceof DuetError ? error.code : undefined;
          const counts = code === undefined ? surfaced : refused;
          const what = code ?? `${story.name}: ${(error as { code?: string }).code} ${String(error)}`;
          counts.set(what, (counts.get(what) ?? 0) + 1);
        });
      }
    }),
  );
  for (const actor of await Promise.all(actors.values())) await actor?.close();
  for (const activity of activities) await activity.close();
  await decisions.close();
  const [row] = await db.query(countCalls);
  // A connection's counts are told at the latest when it ends.
  await db.close();

  expect(Object.fromEntries(surfaced)).toEqual({});
  expect(row!.n).toBeGreaterThan(50);
  expect(await database.db.query(deadlocks)).toEqual([{ deadlocks: 0 }]);
}, 120_000);
