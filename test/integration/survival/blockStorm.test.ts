/**
 * A block is written in two places: its row says since when, and for whom it is listed, the pair's flag keeps every like
 * from making a match across it. Both, or neither: else there is a block that nobody can take back, or one that is listed
 * and not in force.
 */
import { expect, inject, test } from 'vitest';
import type { Addresses } from '../../../src/accounts/Addresses.ts';
import type { Audit } from '../../../src/accounts/Audit.ts';
import { Erasure } from '../../../src/accounts/Erasure.ts';
import { forgetPredecessor } from '../../../src/accounts/predecessor.ts';
import { lockById } from '../../../src/accounts/userStatements.ts';
import { retryDeadlocks } from '../../../src/db/retryDeadlocks.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { usePeople } from '../../support/people.ts';
import { onServer } from '../../support/postgresServer.ts';

const PEOPLE = 8;
const STORIES = 6_000;
const AT_ONCE = 16;

const markDue = sql(
  'test-mark-due',
  `update users set status = 'deleted', erase_at = now() - interval '1 s' where id = $1`,
);
const isApart = sql<{ low_id: string; high_id: string; flag: string; listed: boolean }>(
  'test-blocks-apart',
  `with flags as (
     select low_id, high_id, low_id as blocker, high_id as blocked from pair_decisions where low_blocked
     union all select low_id, high_id, high_id, low_id from pair_decisions where high_blocked)
   select coalesce(f.blocker, b.blocker_id) as blocker, coalesce(f.blocked, b.blocked_id) as blocked,
     f.blocker is not null as flag, b.blocker_id is not null as listed
   from flags f full join blocks b on b.blocker_id = f.blocker and b.blocked_id = f.blocked
   where f.blocker is null or b.blocker_id is null`,
);
const ofNobody = sql<{ n: number }>(
  'test-pairs-of-nobody',
  `select count(*) as n from pair_decisions d where (low_blocked or high_blocked) and (
     not exists (select from users where id = d.low_id) or not exists (select from users where id = d.high_id))`,
);
const acrossBlocks = sql<{ n: number }>(
  'test-matches-across-blocks',
  `select count(*) as n from matches m join pair_decisions d using (low_id, high_id)
   where m.status = 'active' and m.due_at <> to_timestamp(0) and (d.low_blocked or d.high_blocked)`,
);
const counts = sql<{ blocks: number; matches: number }>(
  'test-storm-counts',
  'select (select count(*) from blocks) as blocks, (select count(*) from matches) as matches',
);

const at = usePeople({ poolSize: AT_ONCE + 8 });

test(`${STORIES} blocks, likes, erasures and takeovers at once: every block is listed and in force, or neither`, async () => {
  const { world } = at;
  const { db, clock, blocks, decisions } = world;
  const [row] = await db.query(sql<{ name: string }>('test-db-name', 'select current_database() as name'));
  // A circle is found in a moment, instead of in a second; nothing else changes.
  await onServer(inject('postgres').url, `alter database "${row!.name}" set deadlock_timeout = '20ms'`);
  const erasure = new Erasure({
    db,
    clock,
    audit: { record: async () => {} } as unknown as Audit,
    removeFiles: async () => {},
    forget: async () => {},
    addresses: { read: String } as unknown as Addresses,
    forgetMails: async () => {},
  });
  const people = await world.persons(PEOPLE);
  /** Who has deleted the account: their sessions are over, and nobody likes them; who had a match may block them. */
  const leaving = new Set<string>();
  const underWay = new Set<Promise<unknown>>();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
  const pair = (others: readonly string[] = people) => {
    const one = pick(people);
    return [one, pick(others.filter((id) => id !== one))] as const;
  };
  const known = () => [...people, ...leaving];
  const decide = async (...decision: Parameters<typeof decisions.decide>) => {
    const decided = decisions.decide(...decision).finally(() => underWay.delete(decided));
    underWay.add(decided);
    await decided;
  };
  const stories: [number, string, () => Promise<unknown>][] = [
    [30, 'a block', () => blocks.blockNow(...pair(known()))],
    [30, 'an unblock', () => blocks.unblock(...pair(known()))],
    [
      25,
      'two likes',
      () => {
        const [one, other] = pair();
        return Promise.all([decide(one, other, 'like'), decide(other, one, 'like')]);
      },
    ],
    [5, 'a dislike', () => decide(...pair(), 'dislike')],
    [
      5,
      'an erasure',
      async () => {
        const newcomer = await world.person();
        const nth = Math.floor(Math.random() * PEOPLE);
        const gone = people[nth]!;
        people[nth] = newcomer;
        leaving.add(gone);
        await db.query(markDue, [gone]);
        await Promise.allSettled(underWay);
        await erasure.erase(gone);
        leaving.delete(gone);
      },
    ],
    [
      5,
      'a takeover',
      () => {
        const someone = pick(people);
        return retryDeadlocks(() =>
          db.transaction(async (tx) => {
            const [locked] = await tx.query(lockById, [someone]);
            if (locked !== undefined) await forgetPredecessor(tx, someone, undefined);
          }),
        );
      },
    ],
  ];
  const deck = stories.flatMap((story) => Array<typeof story>(story[0]).fill(story));
  const unexpected = new Map<string, number>();
  let left = STORIES;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const [, name, run] = pick(deck);
        await run().catch((error: Error & { code?: string }) => {
          if (error instanceof DuetError && error.status < 500) return;
          const what = `${name}: ${error.code} ${error.message}`;
          unexpected.set(what, (unexpected.get(what) ?? 0) + 1);
        });
      }
    }),
  );
  expect([...unexpected]).toEqual([]);
  expect(await db.query(isApart)).toEqual([]);
  expect([...(await db.query(ofNobody)), ...(await db.query(acrossBlocks))]).toEqual([{ n: 0 }, { n: 0 }]);
  const [told] = await db.query(counts);
  expect([told!.blocks > 0, told!.matches > 0]).toEqual([true, true]);
}, 300_000);
