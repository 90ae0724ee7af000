/** The statements of decisions: many people's decisions at once, one row lock a pair. */
import { countedOnSql } from '../days.ts';
import { sql } from '../db/sql.ts';
import { STORE_TOLD } from '../events/outbox.ts';

export type DecisionKind = 'like' | 'dislike';

/**
 * What became of an order. `decided`: written, or as it was before; `settled`: the pair has or had a match, or was blocked
 * or matched while this ran, and is to be looked at alone.
 */
export type Verdict = 'decided' | 'settled' | 'unverified' | 'absent' | 'used_up';

/** Of order `ord`; or, where `verdict` is null, an event that was written for `user_id` about the new match. */
export interface DecidedRow {
  verdict: Verdict | null;
  ord: number | null;
  /** Of the match that these decisions made, if they did. */
  match_id: string | null;
  /** Whether a like was taken from the day's allowance for it. */
  paid: boolean | null;
  /** Whether this half of the pair's row was a like already: of the same moment, `known` did not see it. */
  repeated: boolean | null;
  user_id: string | null;
  seq: number | null;
  epoch: number | null;
  at: number | null;
}

const LIKE_DAY = `(${countedOnSql('c.day', 'excluded.day')})`;

/**
 * Decides many orders in one statement, one a person: $3[i] of actor $1[i] about target $2[i]; a match of the two would
 * have the id $4[i], the same for both. $5 now, $6 and $7 the match's deadlines (to accept by, next due), $8 the day, $9 and $10 the day's
 * likes of regular and premium people. Nothing comes back for an actor who is not active.
 *
 * - `known`: what is clear before anything is written. Who may not like at all learns nothing about the other one. The
 *   pair is looked up LATERAL with a limit: as a plain join, planned while the partitions are small, it becomes a scan
 *   of all of them.
 * - `taken`: a like from the day's allowance, under the lock of the person's row, if one is left.
 * - `written`: in the order of the pairs' ids, so that no two batches wait for each other in a circle. A mutual like makes
 *   the match here and nowhere else: the row's lock lets one transaction see it first. Pairs that were matched or blocked
 *   meanwhile are not written. The row of a pair may be written with the other one's half only: whether a like had none
 *   left to be paid with is asked first.
 *
 * What was written is asked about with `in` inside a `case`, which hashes: PostgreSQL takes a batch for ten rows, and would
 * join each row with each.
 */
export const decideOrders = sql<DecidedRow>(
  'decide-orders',
  `with known as (
     select g.ord, g.actor, g.target, g.kind, g.match_id, least(g.actor, g.target) as low, greatest(g.actor, g.target) as high,
       case
         when g.kind = 'like' and a.email_verified_at is null then 'unverified'
         when t.status is distinct from 'active' or d.low_blocked or d.high_blocked then 'absent'
         when d.matched then 'settled'
         when g.kind = 'like' and case when d.low_id = g.actor then d.low_decision else d.high_decision end = 'like'
           then 'decided'
       end as verdict
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) with ordinality as g (actor, target, kind, match_id, ord)
     join users a on a.id = g.actor and a.status = 'active'
     left join users t on t.id = g.target
     left join lateral (
       select * from pair_decisions
       where low_id = least(g.actor, g.target) and high_id = greatest(g.actor, g.target) limit 1) d on true
   ), taken as (
     insert into like_counts as c (user_id, day, used)
     select actor, $8, 1 from known where verdict is null and kind = 'like' order by actor
     on conflict (user_id) do update
       set day = ${LIKE_DAY}, used = case when c.day = ${LIKE_DAY} then c.used + 1 else 1 end
     where c.day <> ${LIKE_DAY} or c.used < (
       select case tier when 'premium' then $10::int else $9::int end from users where id = excluded.user_id)
     returning user_id
   ), open as (
     select * from known
     where verdict is null and (kind = 'dislike' or actor in (select user_id from taken))
   ), pairs as (
     select low, high, max(kind) filter (where actor = low) as low_kind, max(kind) filter (where actor = high) as high_kind,
       match_id
     from open group by low, high, match_id
   ), written as (
     insert into pair_decisions as d (low_id, high_id, low_decision, low_at, high_decision, high_at, matched)
     select low, high, low_kind, case when low_kind is not null then $5::timestamptz end,
       high_kind, case when high_kind is not null then $5::timestamptz end,
       coalesce(low_kind = 'like' and high_kind = 'like', false)
     from pairs order by low, high
     on conflict (low_id, high_id) do update set
       low_decision = coalesce(excluded.low_decision, d.low_decision),
       low_at = coalesce(excluded.low_at, d.low_at),
       high_decision = coalesce(excluded.high_decision, d.high_decision),
       high_at = coalesce(excluded.high_at, d.high_at),
       matched = coalesce(coalesce(excluded.low_decision, d.low_decision) = 'like'
         and coalesce(excluded.high_decision, d.high_decision) = 'like', false)
     where not d.matched and not d.low_blocked and not d.high_blocked
     returning d.low_id, d.high_id, d.matched, old.low_decision as low_before, old.high_decision as high_before
   ), repeated as (
     select low_id, high_id, low_id as actor from written where low_before = 'like'
     union all
     select low_id, high_id, high_id from written where high_before = 'like'
   ), made as (
     insert into matches (id, low_id, high_id, status, phase, created_at, accept_by, due_at)
     select match_id, low, high, 'active', 'awaiting_accept', $5, $6, $7 from pairs
     where case when (low, high) in (select low_id, high_id from written where matched) then true end
     returning id, low_id, high_id
   ), told as (
     select user_id, 'match:created' as type, jsonb_build_object('matchId', id) as payload, 1 as ord
     from made cross join lateral unnest(array[low_id, high_id]) as user_id
   ), ${STORE_TOLD}
   select case
       when verdict is not null then verdict
       when kind = 'like' and actor not in (select user_id from taken) then 'used_up'
       when (low, high) in (select low_id, high_id from written) then 'decided'
       else 'settled' end as verdict,
     ord, case when match_id in (select id from made) then match_id end as match_id,
     actor in (select user_id from taken) as paid,
     (low, high, actor) in (select low_id, high_id, actor from repeated) as repeated,
     null::uuid as user_id, null::bigint as seq, null::bigint as epoch, null::timestamptz as at
   from known
   union all
   select null, null, (payload ->> 'matchId')::uuid, null, null, user_id, seq, epoch, at from stored`,
);

/** Gives a like of day $2, or of the next if that had begun elsewhere, back to each person in $1. */
export const returnLikes = sql(
  'decision-return-likes',
  `update like_counts set used = used - 1 where user_id = any ($1::uuid[]) and day = ${countedOnSql('day', '$2::date')}`,
);

/** The last match of a pair, if any. */
export const lastMatch = sql<{ id: string; status: string; ended_at: number | null }>(
  'decision-last-match',
  `select id, status, ended_at from matches where low_id = $1 and high_id = $2 order by created_at desc limit 1`,
);

/** Whatever is decided about a pair waits for this lock: no match is made before its transaction ends. */
export const lockPair = sql(
  'decision-lock-pair',
  'select from pair_decisions where low_id = $1 and high_id = $2 for no key update',
);

/**
 * Lets a pair begin anew, long after their match ended: both decisions are forgotten. The pair must be locked: the other
 * one may have begun anew too, and a statement that waits for the row looks at it again, but not for a match made meanwhile.
 */
export const forgetPair = sql(
  'decision-forget-pair',
  `update pair_decisions set low_decision = null, low_at = null, high_decision = null, high_at = null, matched = false
   where low_id = $1 and high_id = $2 and matched and not low_blocked and not high_blocked
     and not exists (select from matches m where m.low_id = $1 and m.high_id = $2
       and (m.status = 'active' or m.ended_at > $3))`,
);

/** The viewer's newest dislike that was made after $2 and may be taken back: of somebody whom they still may see. */
export const lastDislike = sql<{ target_id: string; at: number }>(
  'decision-last-dislike',
  `select target_id, at from (
     select high_id as target_id, low_at as at from pair_decisions
       where low_id = $1 and low_decision = 'dislike' and low_at > $2 and not low_blocked and not high_blocked
     union all
     select low_id, high_at from pair_decisions
       where high_id = $1 and high_decision = 'dislike' and high_at > $2 and not low_blocked and not high_blocked) mine
   where exists (select from users where id = target_id and status = 'active')
   order by at desc limit 1`,
);

export const undoDislike = sql<{ low_id: string }>(
  'decision-undo',
  `update pair_decisions set
     low_decision = case when low_id = $1 then null else low_decision end,
     low_at = case when low_id = $1 then null else low_at end,
     high_decision = case when high_id = $1 then null else high_decision end,
     high_at = case when high_id = $1 then null else high_at end
   where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid) and not matched
     and case when low_id = $1 then low_decision else high_decision end = 'dislike'
   returning low_id`,
);
