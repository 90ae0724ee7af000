/** In which matches calls begin, and how many of them: with what the clocks say at that moment, not when a sweeper comes by. */
import { describe, expect, test } from 'vitest';
import { CallActor } from '../../../src/calling/CallActor.ts';
import { CallStore } from '../../../src/calling/CallStore.ts';
import { Calls, UNHELD_MS } from '../../../src/calling/Calls.ts';
import type { RingingCall } from '../../../src/calling/state.ts';
import type { Database } from '../../../src/db/Database.ts';
import { createLog } from '../../../src/log.ts';
import { SEVERED_DUE_MS } from '../../../src/matching/transitions.ts';
import { MemoryDatabase } from '../../simulation/MemoryDatabase.ts';
import { newMatch, type StoredMatch } from '../../simulation/tables.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const ANN = '00000000-0000-7000-8000-000000000001';
const BEN = '00000000-0000-7000-8000-000000000002';
const MATCH = '00000000-0000-7000-8000-000000000003';
const HOUR_MS = 3_600_000;
const settings = {
  ringMs: 30_000,
  durationMs: 300_000,
  extensionMs: 300_000,
  maxExtensions: 3,
  warningMs: 30_000,
  requestMs: 20_000,
  reconnectMs: 30_000,
};
const matchSettings = { acceptMs: 24 * HOUR_MS, warningMs: HOUR_MS };

/** Two people with a match that waits for both to accept, and a clock that nobody sweeps by. */
function setUp(match: Partial<StoredMatch> = {}, databaseAheadMs = 0) {
  const clock = new FakeClock();
  const startMs = clock.now();
  const memory = new MemoryDatabase({
    get now() {
      return clock.now() + databaseAheadMs;
    },
  });
  const begun = newMatch(MATCH, [ANN, BEN], startMs, matchSettings);
  memory.tables.matches.set(MATCH, { ...begun, ...match });
  const db = memory as unknown as Database;
  const calls = new Calls({
    db,
    clock,
    settings,
    matchSettings,
    turn: { secret: undefined, urls: [] },
    maxUnanswered: 3,
    isOpen: () => true,
    publish: () => {},
  });
  const store = new CallStore(db, settings);
  const actor = async (callId: string) => {
    const claim = await store.claim(callId, 'P', clock.now());
    if (!('held' in claim)) throw new Error('not to be had');
    return new CallActor({
      held: claim.held,
      store,
      settings,
      matchSettings,
      clock,
      log: createLog('silent'),
      publish: () => {},
      audience: { changed() {}, say() {}, lost() {} },
    });
  };
  const told = () => [...memory.tables.outbox.values()].flat().map(({ type }) => type);
  return { clock, memory, calls, actor, told };
}

describe('no call begins', () => {
  test('between two whom a block has parted, though nobody has ended their match yet', async () => {
    for (const phase of ['awaiting_accept', 'ready'] as const) {
      const { calls, told } = setUp({ phase, due_at: SEVERED_DUE_MS });
      await expect(calls.initiate(MATCH, ANN, 'audio')).rejects.toMatchObject({ code: 'MATCH_NOT_ACTIVE' });
      expect(told()).toEqual([]);
    }
  });

  test('in a match whose time to accept is over, though nobody has ended it yet', async () => {
    const { calls, clock, told, memory } = setUp({ high_accepted: true });
    clock.jump(matchSettings.acceptMs);
    await expect(calls.initiate(MATCH, ANN, 'audio')).rejects.toMatchObject({ code: 'MATCH_NOT_ACTIVE' });
    expect(told()).toEqual([]);
    expect(memory.tables.matches.get(MATCH)).toMatchObject({ phase: 'awaiting_accept', low_accepted: false });
  });

  test('for who is not in the match, whatever became of it', async () => {
    const { calls } = setUp({ due_at: SEVERED_DUE_MS });
    const stranger = calls.initiate(MATCH, '00000000-0000-7000-8000-000000000009', 'audio');
    await expect(stranger).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test.each([
  [0, ['initiate'], 0],
  [UNHELD_MS - 1, ['initiate'], 0],
  [UNHELD_MS + 4_000, ['initiate', 'recover'], 4_000],
])(
  'first held after %i ms a call is credited what was lost, if anything was',
  async (afterMs, commands, credit) => {
    const { calls, actor, clock, memory } = setUp();
    const call = await calls.initiate(MATCH, ANN, 'audio');
    clock.jump(afterMs);
    const { ringUntil } = (await actor(call.id)).call as RingingCall;
    expect(memory.tables.journal.map(({ command }) => command)).toEqual(commands);
    expect(ringUntil - (call as RingingCall).ringUntil).toBe(credit);
  },
);

test.each([
  ['expired', (memory: MemoryDatabase) => ({ ...memory.tables.matches.get(MATCH)!, accept_by: 1 })],
  ['severed', (memory: MemoryDatabase) => ({ ...memory.tables.matches.get(MATCH)!, due_at: SEVERED_DUE_MS })],
])('a call that rings is not answered once its match has %s', async (_, parted) => {
  const { calls, actor, memory, told } = setUp();
  const { id } = await calls.initiate(MATCH, ANN, 'audio');
  const room = await actor(id);
  memory.tables.matches.set(MATCH, parted(memory));
  const answer = room.command({ type: 'answer' }, BEN);
  await expect(answer).rejects.toMatchObject({ code: 'MATCH_NOT_ACTIVE' });
  expect(told()).toEqual(['call:incoming']);
  expect(memory.tables.calls.get(id)!.phase).toBe('ringing');
  // Nothing is in doubt: it can be hung up at once.
  expect(await room.command({ type: 'end' }, ANN)).toMatchObject({ outcome: 'cancelled' });
});

test('a call in a match about which both are to be warned warns them, and counts as the caller’s acceptance', async () => {
  const { calls, clock, told, memory } = setUp({ high_accepted: true });
  clock.jump(matchSettings.acceptMs - matchSettings.warningMs);
  await calls.initiate(MATCH, ANN, 'audio');
  expect(memory.tables.matches.get(MATCH)).toMatchObject({ phase: 'ready', warned: true, due_at: null });
  expect(told().toSorted()).toEqual([
    'call:incoming',
    'match:ready',
    'match:ready',
    'match:timeout_warning',
    'match:timeout_warning',
  ]);
});

test.each([-HOUR_MS, 0, HOUR_MS])(
  'three calls that nobody answered are enough for an hour, though the database’s clock was set by %i ms',
  async (aheadMs) => {
    const { calls, actor, clock } = setUp({}, aheadMs);
    const unanswered = async () => {
      const { id } = await calls.initiate(MATCH, ANN, 'audio');
      await (await actor(id)).command({ type: 'end' }, ANN);
    };
    for (let nth = 0; nth < 3; nth++) await unanswered();
    clock.jump(HOUR_MS - 1_000);
    await expect(unanswered()).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS', retryAfterSec: 1 });
    clock.jump(1_000);
    await unanswered();
  },
);
