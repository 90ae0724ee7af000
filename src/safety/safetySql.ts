/** The statements of blocks and reports. */
import { sql } from '../db/sql.ts';
import { SEVERED_DUE_MS } from '../matching/transitions.ts';

/**
 * Whether $2 is there for $1 to be blocked or reported: an active account without a block by the other one, or whoever
 * had a match with $1. Who had one knows them anyway, and neither blocking first nor deleting the account protects from a
 * report. No more of $2's status is asked: the answer would tell somebody who lost a match whether they were blocked,
 * or what became of the other one's account.
 */
export const isThere = sql<{ there: boolean }>(
  'safety-is-there',
  `select exists (
     select from users u where u.id = $2
       and (u.status = 'active' and not exists (select from blocks b where b.blocker_id = $2 and b.blocked_id = $1)
            or exists (select from matches m where m.low_id = least($1::uuid, $2::uuid) and m.high_id = greatest($1::uuid, $2::uuid)))
   ) as there`,
);

/** Keeps both from being erased until the end of the transaction. Before the pair's row: an erasure takes it after theirs. */
export const keepBoth = sql<{ id: string }>(
  'safety-keep-both',
  'select id from users where id in ($1, $2) order by id for key share',
);

/** The block in the pair's row: it meets every like there, so no match is made across it. */
export const blockPair = sql(
  'safety-block-pair',
  `insert into pair_decisions as d (low_id, high_id, low_blocked, high_blocked)
   values (least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), $1::uuid < $2::uuid, $1::uuid > $2::uuid)
   on conflict (low_id, high_id) do update set
     low_blocked = d.low_blocked or excluded.low_blocked, high_blocked = d.high_blocked or excluded.high_blocked`,
);
export const addBlock = sql<{ blocked_id: string }>(
  'safety-block',
  `insert into blocks (blocker_id, blocked_id, created_at) values ($1, $2, $3) on conflict do nothing returning blocked_id`,
);

/** The sweeper ends the match of the two, should nobody do so before. */
export const severPair = sql(
  'safety-sever-pair',
  `update matches set due_at = to_timestamp(${SEVERED_DUE_MS / 1_000})
   where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid) and status = 'active'`,
);

/** Undoes only the block: what the two decided about each other before stays decided. Nothing comes back without a row. */
export const unblockPair = sql<{ low_id: string }>(
  'safety-unblock-pair',
  `update pair_decisions set
     low_blocked = low_blocked and low_id <> $1, high_blocked = high_blocked and high_id <> $1
   where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid)
   returning low_id`,
);
export const removeBlock = sql<{ blocked_id: string }>(
  'safety-unblock',
  `delete from blocks where blocker_id = $1 and blocked_id = $2 returning blocked_id`,
);

/** Newest first, before the block of $2 at $3. Whatever became of the account: leaving somebody out would tell. */
export const listBlocked = sql<{ id: string; display_name: string; created_at: number }>(
  'safety-blocked',
  `select u.id, u.display_name, b.created_at from blocks b join users u on u.id = b.blocked_id
   where b.blocker_id = $1 and (b.created_at, b.blocked_id) < ($3::timestamptz, $2::uuid)
   order by b.created_at desc, b.blocked_id desc limit $4`,
);

export const callBetween = sql<{ id: string }>(
  'safety-call-between',
  `select id from calls where id = $1 and (caller_id, callee_id) in (($2::uuid, $3::uuid), ($3::uuid, $2::uuid))`,
);
/** The call of $1 and $2 that is on, or else their last that ended after $3. */
export const latestCall = sql<{ id: string }>(
  'safety-latest-call',
  `select c.id from matches m join calls c on c.match_id = m.id
   where m.low_id = least($1::uuid, $2::uuid) and m.high_id = greatest($1::uuid, $2::uuid)
     and (c.phase <> 'ended' or c.ended_at > $3)
   order by c.created_at desc limit 1`,
);
export const addReport = sql(
  'safety-report',
  `insert into reports (id, reporter_id, reported_id, reason, details, call_id, created_at) values ($1, $2, $3, $4, $5, $6, $7)
   on conflict (id) do nothing`,
);
