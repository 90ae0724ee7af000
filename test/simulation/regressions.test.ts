// What the simulation found, each told by itself. The seeds that found it are named; a seed's story changes with the
// program, these do not.
import { describe, expect, test } from 'vitest';
import { Keeper } from '../../src/actors/Keeper.ts';
import { CallActor } from '../../src/calling/CallActor.ts';
import { CallStore, type HeldCall, LEASE_MS, RENEW_EVERY_MS } from '../../src/calling/CallStore.ts';
import { Calls } from '../../src/calling/Calls.ts';
import type { Call, CallSettings } from '../../src/calling/state.ts';
import type { Database } from '../../src/db/Database.ts';
import { sayClock } from '../../src/db/sharedClock.ts';
import type { Sql } from '../../src/db/sql.ts';
import { createLog } from '../../src/log.ts';
import { MemoryBus } from '../../src/platform/Bus.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/FakeClock.ts';
import { START_MS } from './durations.ts';
import { MemoryDatabase } from './MemoryDatabase.ts';

const ANN = '00000000-0000-7000-8000-000000000001';
const BEN = '00000000-0000-7000-8000-000000000002';
const MATCH = '00000000-0000-7000-8000-000000000003';
const settings: CallSettings = {
  ringMs: 30_000,
  durationMs: 300_000,
  extensionMs: 300_000,
  maxExtensions: 3,
  warningMs: 30_000,
  requestMs: 20_000,
  reconnectMs: 30_000,
};
const matchSettings = { acceptMs: 86_400_000, warningMs: 3_600_000 };

/** A memory database whose next transaction can be done without its leader ever hearing of it. */
async function setUp() {
  /** The database's clock. Each process has one of its own, which stands still from when the process is gone. */
  const time = { now: Date.UTC(2030, 0, 1) };
  const memory = new MemoryDatabase(time);
  for (const owner of ['P', 'Q', 'R']) memory.tables.names.set(owner, {});
  let loseAnswer = false;
  let delay = false;
  let late: (() => Promise<unknown>) | undefined;
  const db = {
    query: (...asked: Parameters<typeof memory.query>) => memory.query(...asked),
    queryAhead: memory.queryAhead.bind(memory),
    wasAway: () => false,
    transaction: async <T>(work: (tx: Sql) => Promise<T>) => {
      if (delay) {
        delay = false;
        late = () => memory.transaction(work);
        throw new Error('given up on');
      }
      await late?.();
      late = undefined;
      const result = await memory.transaction(work);
      if (!loseAnswer) return result;
      loseAnswer = false;
      throw new Error('the answer was lost');
    },
  } as unknown as Database;
  memory.tables.matches.set(MATCH, {
    id: MATCH,
    low_id: ANN,
    high_id: BEN,
    status: 'active',
    phase: 'ready',
    low_accepted: true,
    high_accepted: true,
    warned: false,
    created_at: time.now,
    accept_by: time.now + matchSettings.acceptMs,
    ended_at: null,
    end_reason: null,
    due_at: null,
    version: 1,
  });
  const calls = new Calls({
    db,
    clock: new FakeClock(time.now),
    settings,
    matchSettings,
    turn: { secret: undefined, urls: [] },
    maxUnanswered: 3,
    isOpen: () => true,
    publish: () => {},
  });
  const store = new CallStore(db, settings);
  const { id } = await calls.initiate(MATCH, ANN, 'audio');
  const hold = async (owner: string, ownNow = time.now): Promise<HeldCall> => {
    const claim = await store.claim(id, owner, ownNow);
    if (!('held' in claim)) throw new Error('not to be had');
    return claim.held;
  };
  const shown: Call[] = [];
  const said: string[] = [];
  const lost: string[] = [];
  const actorOf = (held: HeldCall, clock = new FakeClock(time.now)) =>
    new CallActor({
      held,
      store,
      settings,
      matchSettings,
      clock,
      log: createLog('silent'),
      publish: () => {},
      audience: {
        changed: (call) => shown.push(call),
        say: ({ type }) => said.push(type),
        lost: () => lost.push(held.call.id),
      },
    });
  /** An actor of the call, in the middle of the talk. */
  const talk = async (owner: string, ownNow = time.now) => {
    const clock = new FakeClock(ownNow);
    const actor = actorOf(await hold(owner), clock);
    for (const userId of [ANN, BEN]) await actor.command({ type: 'joined' }, userId);
    await actor.command({ type: 'answer' }, BEN);
    await actor.system({ type: 'media_flowing' });
    return { actor, clock };
  };
  const keep = (owner: string, actor: CallActor, clock: FakeClock) => {
    const keeper = new Keeper({
      db,
      calls: store,
      bus: new MemoryBus(),
      clock,
      log: createLog('silent'),
      tickMatch: () => Promise.resolve(),
      activateCall: () => Promise.resolve(),
      reconcileInboxes: () => Promise.resolve(),
      dropOld: () => Promise.resolve(),
      processId: () => owner,
    });
    keeper.hold(actor);
    keeper.start();
  };
  const row = () => memory.tables.calls.get(id)!;
  const loseNextAnswer = () => {
    loseAnswer = true;
  };
  /** The next transaction is given up on, and done all the same right before the one after it. */
  const delayNext = () => {
    delay = true;
  };
  const comesThrough = async () => {
    await late?.();
    late = undefined;
  };
  const heard = { shown, said, lost };
  const faults = { loseNextAnswer, delayNext, comesThrough };
  return { time, memory, store, id, hold, actorOf, talk, keep, row, ...heard, ...faults };
}

describe('what the simulation found', () => {
  test('a change whose answer was lost is not written over (seeds 65, 106)', async () => {
    const { talk, row, shown, loseNextAnswer } = await setUp();
    const { actor } = await talk('P');
    loseNextAnswer();
    await expect(actor.command({ type: 'end' }, ANN)).rejects.toThrow('the answer was lost');
    expect(row().outcome).toBe('completed');

    await expect(actor.command({ type: 'extend' }, BEN)).rejects.toMatchObject({ code: 'CALL_NOT_ACTIVE' });
    expect(row()).toMatchObject({ phase: 'ended', outcome: 'completed' });
    expect(shown.at(-1)?.phase).toBe('ended');
  });

  test('the people in the room see such a change soon, though nobody does anything', async () => {
    const { talk, shown, said, loseNextAnswer } = await setUp();
    const { actor, clock } = await talk('P');
    loseNextAnswer();
    await expect(actor.command({ type: 'end' }, ANN)).rejects.toThrow();
    expect(actor.call.phase).toBe('active');
    clock.advance(600);
    await eventually(() => actor.call.phase).toBe('ended');
    expect(shown.at(-1)?.phase).toBe('ended');
    expect(said.at(-1)).toBe('call:ended');
  });

  test('an end whose answer was lost is not taken for a loss of the call by the next renewal (seed 22)', async () => {
    const { talk, keep, said, lost, loseNextAnswer } = await setUp();
    const { actor, clock } = await talk('P');
    keep('P', actor, clock);
    loseNextAnswer();
    await expect(actor.command({ type: 'end' }, ANN)).rejects.toThrow('the answer was lost');
    clock.advance(RENEW_EVERY_MS - 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lost).toEqual([]);
    clock.advance(RENEW_EVERY_MS);
    await eventually(() => said.at(-1)).toBe('call:ended');
    expect(lost).toEqual([]);
  });

  test('that somebody is gone is told again when the database did not take it, unless he is back', async () => {
    const { memory, talk, row } = await setUp();
    const { actor, clock } = await talk('P');
    const { transaction } = memory;
    memory.transaction = () => Promise.reject(new Error('no database'));
    let isBack = false;
    const drop = (userId: string) =>
      actor.insist(
        () => actor.command({ type: 'dropped' }, userId),
        () => !isBack,
      );
    await drop(BEN);
    memory.transaction = transaction;
    const before = row().version;
    clock.advance(600);
    await eventually(() => row().version).toBe(before + 1);
    expect(actor.call).toMatchObject({ absentSince: { callee: expect.any(Number) } });
    memory.transaction = () => Promise.reject(new Error('no database'));
    await drop(ANN);
    memory.transaction = transaction;
    isBack = true;
    clock.advance(600);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(actor.call).toMatchObject({ absentSince: { caller: null } });
  });

  test('a change that was given up on and comes through late costs nobody the call (seed 9612)', async () => {
    const { talk, row, lost, delayNext } = await setUp();
    const { actor } = await talk('P');
    delayNext();
    await expect(actor.command({ type: 'extend' }, ANN)).rejects.toThrow('given up on');
    await expect(actor.command({ type: 'upgrade' }, BEN)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(actor.call).toMatchObject({ pending: { kind: 'extend', by: 'caller' } });
    await actor.command({ type: 'extend' }, BEN);
    expect(row().state).toMatchObject({ extensions: 1, pending: null });
    expect(lost).toEqual([]);
  });

  test('a deadline that fell into an outage is moved, not fired (seed 2)', async () => {
    const { time, memory, talk, hold, row } = await setUp();
    const { call } = (await talk('P')).actor;
    const endsAt = (call as { endsAt: number }).endsAt;
    const outageMs = settings.durationMs + 10_000;
    memory.tables.names.delete('P');
    time.now += outageMs;
    const { call: after } = await hold('Q');
    expect(after).toMatchObject({ phase: 'active', endsAt: endsAt + outageMs });
    // Both have as long to come back as anybody.
    expect(row().due_at).toBe(time.now + settings.reconnectMs);
  });

  test.each([
    { set: 'an hour ahead', byMs: 3_600_000, ownMs: 0, creditedMs: 0 },
    { set: 'an hour ahead, the owner gone a second ago', byMs: 3_600_000, ownMs: 1_000, creditedMs: 1_000 },
    { set: 'back from an hour behind', byMs: 3_600_000, ownMs: 3_600_000, creditedMs: 0 },
  ])('a database whose clock is set $set credits nobody an hour', async ({ byMs, ownMs, creditedMs }) => {
    const { time, talk, hold } = await setUp();
    const { call } = (await talk('P')).actor;
    const endsAt = (call as { endsAt: number }).endsAt;
    const ownNow = time.now + ownMs;
    time.now += byMs;
    expect((await hold('Q', ownNow)).call).toMatchObject({ phase: 'active', endsAt: endsAt + creditedMs });
  });

  test('a database whose clock is set before anybody holds a new call credits it no hour (seed 600002)', async () => {
    const { time, hold } = await setUp();
    const ownNow = time.now;
    time.now += 3_600_000;
    expect((await hold('P', ownNow)).call).toMatchObject({ ringUntil: ownNow + settings.ringMs });
  });

  test('nor one that was given back, taken by whose clock is a little behind', async () => {
    const { time, talk, hold } = await setUp();
    const { actor } = await talk('P');
    const { endsAt } = actor.call as { endsAt: number };
    await actor.close();
    const ownNow = time.now - 100;
    time.now += 3_600_000;
    expect((await hold('Q', ownNow)).call).toMatchObject({ endsAt });
  });

  test('who stood still while it asked the database’s clock says nothing of its own (seed 702281 of clocks)', async () => {
    const clock = new FakeClock(START_MS);
    const said: string[] = [];
    const session: Sql = {
      query: async ({ name }) => {
        said.push(name);
        const rows = [{ epoch_ms: clock.now() }];
        clock.advance(4_000);
        return rows as never;
      },
    };
    expect(await sayClock(session, clock, 0)).toBe(0);
    expect(await sayClock(session, clock, undefined)).toBeUndefined();
    expect(new Set(said)).toEqual(new Set(['read-epoch-ms']));
  });

  test.each([-3_600_000, -29_000, -1_500, 1_500, 29_000, 3_600_000])(
    'whoever takes over from the dead credits the outage, the database’s clock long set by %i ms',
    async (setMs) => {
      const { time, talk, hold, memory } = await setUp();
      const ownAtStart = time.now;
      time.now += setMs;
      const { call } = (await talk('P', ownAtStart)).actor;
      const endsAt = (call as { endsAt: number }).endsAt;
      memory.tables.names.delete('P');
      time.now += 10_000;
      const ownNow = ownAtStart + 10_000;
      expect((await hold('Q', ownNow)).call).toMatchObject({
        endsAt: endsAt + 10_000,
        // The whole time to come back, by the clock that will be asked.
        absentSince: { caller: ownNow, callee: ownNow },
      });
    },
  );

  test('a clock that is put right while nobody holds a call credits it no hour: it has not been there for so long', async () => {
    const { time, talk, hold, memory } = await setUp();
    const ownAtStart = time.now;
    time.now -= 3_600_000;
    const { call } = (await talk('P', ownAtStart)).actor;
    const { endsAt } = call as { endsAt: number };
    memory.tables.names.delete('P');
    time.now += 3_600_000 + 10_000;
    expect((await hold('Q', ownAtStart + 10_000)).call).toMatchObject({ endsAt });
  });

  test('an outage is credited once, also when the first to take over fails (seed 3)', async () => {
    const { time, talk, hold, loseNextAnswer } = await setUp();
    const { call } = (await talk('P')).actor;
    const endsAt = (call as { endsAt: number }).endsAt;
    time.now += 5_000;
    loseNextAnswer();
    await expect(hold('Q')).rejects.toThrow('the answer was lost');
    time.now += LEASE_MS + 1;
    expect((await hold('R')).call).toMatchObject({ endsAt: endsAt + 5_000 + LEASE_MS + 1 });
  });

  test('an outage is credited from the last commit on, though the lease was renewed long before (crash drill)', async () => {
    const { time, talk, hold } = await setUp();
    const { actor } = await talk('P');
    // A starved process renews late and still commits: by that it holds.
    time.now += 1_600;
    await actor.command({ type: 'extend' }, ANN);
    const { endsAt } = actor.call as { endsAt: number };
    time.now += LEASE_MS;
    await expect(hold('Q')).rejects.toThrow('not to be had');
    time.now += 1;
    expect((await hold('Q')).call).toMatchObject({ endsAt: endsAt + LEASE_MS + 1 });
  });

  test('a command that comes again is done once, by the next holder too (seed 1550)', async () => {
    const { time, talk, hold, actorOf, memory } = await setUp();
    const command = { type: 'extend' } as const;
    const id = '00000000-0000-7000-8000-00000000000a';
    const { actor: first } = await talk('P');
    await first.command(command, ANN, id);
    await first.command(command, BEN);
    await first.command(command, ANN, id);
    expect(first.call).toMatchObject({ extensions: 1, pending: null });

    time.now += LEASE_MS + 1;
    const next = actorOf(await hold('Q'));
    await next.command(command, ANN, id);
    expect(next.call).toMatchObject({ extensions: 1, pending: null });
    expect(memory.tables.journal.filter((line) => line.command === 'extend')).toHaveLength(2);
  });

  test.each([
    ['what it thinks is done already', 'extend'],
    ['a refusal', 'answer'],
  ] as const)(
    'who lost a call and does not know it yet answers nothing: %s (seed 200150)',
    async (_, type) => {
      const { time, talk, hold, lost, id } = await setUp();
      const { actor } = await talk('P');
      await actor.command({ type: 'extend' }, ANN);
      time.now += LEASE_MS + 1;
      await hold('Q');
      await expect(actor.command({ type }, ANN)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(lost).toEqual([id]);
    },
  );

  test('what changes nothing is decided by the row, where a change of before came through late (seed 1207)', async () => {
    const { talk, delayNext, comesThrough } = await setUp();
    const { actor } = await talk('P');
    delayNext();
    await expect(actor.command({ type: 'extend' }, ANN)).rejects.toThrow('given up on');
    // It is asked whether it was written, and was not.
    await actor.command({ type: 'joined' }, BEN);
    await comesThrough();
    await expect(actor.command({ type: 'decline_extend' }, BEN)).resolves.toMatchObject({ pending: null });
  });

  test('who is refused keeps nobody waiting, whatever the database takes (seed 711718)', async () => {
    const { memory, talk } = await setUp();
    const { actor } = await talk('P');
    const { query } = memory;
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    memory.query = async (...asked) => {
      await answered;
      return query.apply(memory, asked) as never;
    };
    const refused = actor.command({ type: 'answer' }, BEN);
    expect(await actor.system({ type: 'sever' })).toMatchObject({ outcome: 'completed' });
    answer();
    await expect(refused).rejects.toMatchObject({ code: 'WRONG_PHASE' });
  });

  test('a command that changed nothing changes nothing either when it comes again', async () => {
    const { talk } = await setUp();
    const { actor } = await talk('P');
    const id = '00000000-0000-7000-8000-00000000000b';
    await actor.command({ type: 'upgrade' }, ANN);
    await actor.command({ type: 'upgrade' }, ANN, id);
    await actor.command({ type: 'decline_upgrade' }, BEN);
    await actor.command({ type: 'upgrade' }, BEN);
    expect(await actor.command({ type: 'upgrade' }, ANN, id)).toMatchObject({
      media: 'audio',
      pending: { kind: 'upgrade', by: 'callee' },
    });
  });

  test('a held call hears that its match has ended, when it was not told (seed 30)', async () => {
    const { talk, store, id, memory } = await setUp();
    const { epoch, version } = (await talk('P')).actor;
    expect(await store.renew('P', [{ id, epoch, version }])).toEqual(new Map());
    const match = memory.tables.matches.get(MATCH)!;
    memory.tables.matches.set(MATCH, { ...match, phase: 'closed', status: 'ended' });
    expect((await store.renew('P', [{ id, epoch, version }])).get(id)?.fate).toBe('severed');
  });

  test('a change that comes through after its holder read that it was not written is known by the next renewal (seed 509429)', async () => {
    const { talk, store, id, memory } = await setUp();
    const { actor } = await talk('P');
    await actor.command({ type: 'upgrade' }, ANN);
    const row = memory.tables.calls.get(id)!;
    const state = { ...row.state, pending: null } as typeof row.state;
    memory.tables.calls.set(id, { ...row, version: row.version + 1, state });
    const { epoch, version } = actor;
    const renewal = (await store.renew('P', [{ id, epoch, version }])).get(id)!;
    expect(renewal).toEqual({ fate: 'changed', version: version + 1 });
    await actor.catchUp(renewal.version);
    expect(actor.call).toMatchObject({ pending: null });
    expect(await store.renew('P', [{ id, epoch, version: actor.version }])).toEqual(new Map());
  });
});
