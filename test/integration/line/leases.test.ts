/** The leases of calls, and what is due, while rows are being written: nobody waits, and nobody believes the wrong one. */
import { expect, test } from 'vitest';
import { overdueMatches, unheldCalls } from '../../../src/actors/Keeper.ts';
import { CallStore, GONE_MS, LEASE_MS } from '../../../src/calling/CallStore.ts';
import { Calls } from '../../../src/calling/Calls.ts';
import { nameIsFree } from '../../../src/db/HeldName.ts';
import { sql } from '../../../src/db/sql.ts';
import { newId } from '../../../src/ids.ts';
import { PATIENT_CALLS } from '../../support/callSettings.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { usePeople } from '../../support/people.ts';

const OWNER = 'this process';
const holdCall = sql('test-hold-call', 'select from calls where id = $1 for update');
const holdMatch = sql('test-hold-match', 'select from matches where id = $1 for update');
const endLease = sql(
  'test-end-lease',
  `update calls set leased_until = now() - interval '1 s' where id = $1`,
);
const setLease = sql(
  'test-set-lease',
  `update calls set leased_until = clock_timestamp() + $2 * interval '1 ms' where id = $1`,
);
const ownerIsGone = sql<{ gone: boolean }>('test-owner-gone', `select ${nameIsFree('$1')} as gone`);
const leaseLeft = sql<{ ms: number }>(
  'test-lease-left',
  'select (extract(epoch from leased_until - clock_timestamp()) * 1000)::int as ms from calls where id = $1',
);
const closeMatch = sql(
  'test-close-match',
  `update matches set status = 'ended', phase = 'closed', ended_at = now(), end_reason = 'ended', due_at = null where id = $1`,
);
const makeDue = sql(
  'test-make-due',
  `update matches set due_at = now() - interval '1 s' where id = any ($1::uuid[])`,
);

const at = usePeople();

/** Some calls that ring, held by this process. */
async function ringing(count: number) {
  const { db, decisions, decisionOptions } = at.world;
  const clock = new FakeClock(Date.now());
  const calls = new Calls({
    db,
    clock,
    settings: PATIENT_CALLS,
    matchSettings: decisionOptions.match,
    turn: { secret: undefined, urls: [] },
    maxUnanswered: 3,
    isOpen: () => true,
    publish: () => {},
  });
  const store = new CallStore(db, PATIENT_CALLS);
  const held = await Promise.all(
    Array.from({ length: count }, async () => {
      const [one, other] = (await at.world.persons(2)) as [string, string];
      await decisions.decide(one, other, 'like');
      const { matchId } = await decisions.decide(other, one, 'like');
      const { id } = await calls.initiate(matchId!, one, 'audio');
      const claim = await store.claim(id, OWNER, clock.now());
      if (!('held' in claim)) throw new Error('somebody else holds it');
      const { epoch, version } = claim.held;
      return { id, matchId: matchId!, epoch, version };
    }),
  );
  return { db, store, held, claim: (id: string, by = OWNER) => store.claim(id, by, clock.now()) };
}

test('a call that is being written keeps no other’s lease from being renewed, and is not taken for lost', async () => {
  const { db, store, held } = await ringing(2);
  const [written, other] = held as [(typeof held)[0], (typeof held)[0]];
  for (const { id } of held) await db.query(endLease, [id]);
  await db.transaction(async (tx) => {
    await tx.query(holdCall, [written.id]);
    expect(await store.renew(OWNER, held)).toEqual(new Map());
    const [{ ms }] = (await db.query(leaseLeft, [other.id])) as [{ ms: number }];
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(LEASE_MS);
  });
});

test('of thousands of calls each is renewed, and each that is not held is told', async () => {
  const { db, store, held } = await ringing(2);
  const [first, last] = held as [(typeof held)[0], (typeof held)[0]];
  for (const { id } of held) await db.query(endLease, [id]);
  const gone = Array.from({ length: 1_500 }, () => ({ id: newId(), epoch: 1, version: 1 }));
  const fates = await store.renew(OWNER, [first, ...gone, last]);
  expect([...fates.keys()].toSorted()).toEqual(gone.map(({ id }) => id).toSorted());
  for (const { id } of held) expect((await db.query(leaseLeft, [id]))[0]!.ms).toBeGreaterThan(0);
});

test('a call that its process has claimed again is lost to whoever knows it by the epoch before', async () => {
  const { store, held, claim } = await ringing(1);
  const [before] = held as [(typeof held)[0]];
  const again = await claim(before.id);
  expect(again).toMatchObject({ held: { epoch: before.epoch + 1 } });
  expect(await store.renew(OWNER, [before])).toEqual(new Map([[before.id, { fate: 'lost', version: 0 }]]));
});

test('the call of an owner that is gone is free once it has missed a renewal, before its lease has run out', async () => {
  const { db, held, claim } = await ringing(2);
  const [missed, renewed] = held as [(typeof held)[0], (typeof held)[0]];
  await eventually(async () => (await db.query(ownerIsGone, [OWNER]))[0]!.gone).toBe(true);
  await db.query(setLease, [renewed.id, 1.9 * LEASE_MS]);
  expect(await claim(renewed.id, 'another process')).toEqual({ heldBy: OWNER });
  await db.query(setLease, [missed.id, LEASE_MS - GONE_MS - 1]);
  expect(await claim(missed.id, 'another process')).toMatchObject({ held: { epoch: missed.epoch + 1 } });
});

test('whoever holds a call hears with the next renewal that its match is over', async () => {
  const { db, store, held } = await ringing(2);
  const [over, other] = held as [(typeof held)[0], (typeof held)[0]];
  await db.query(closeMatch, [over.matchId]);
  const fates = await store.renew(OWNER, held);
  expect(fates.get(over.id)?.fate).toBe('severed');
  expect(fates.get(other.id)).toBeUndefined();
});

test('what is due is found although another row of it is being written', async () => {
  const { db, held } = await ringing(2);
  const [written, other] = held as [(typeof held)[0], (typeof held)[0]];
  for (const { id } of held) await db.query(endLease, [id]);
  await db.query(makeDue, [held.map(({ matchId }) => matchId)]);
  await db.transaction(async (tx) => {
    await tx.query(holdCall, [written.id]);
    await tx.query(holdMatch, [written.matchId]);
    const now = new Date();
    for (const [due, there, away] of [
      [unheldCalls, other.id, written.id],
      [overdueMatches, other.matchId, written.matchId],
    ] as const) {
      const found = await db.query(due, [now]);
      expect(found).toContainEqual({ id: there });
      expect(found).not.toContainEqual({ id: away });
    }
  });
});
