/** The statements of decisions: many people's decisions at once, one row lock a pair. */
import { sql } from '../db/sql.ts';

export type DecisionKind = 'like' | 'dislike';

export interface ContextRow {
  ord: number;
  actor_verified: boolean;
  tier: 'regular' | 'premium';
  /** Whether the other one is there: active, no block either way. */
  target_there: boolean;
  /** What the actor decided before, if it still counts. */
  before: DecisionKind | null;
  matched: boolean;
}

/**
 * What is to be known of each decision before it is taken: actor $1[i], target $2[i]; a dislike counts for $3 days.
 * No row comes back for an actor who is not active. The pair is looked up LATERAL with a limit: as a plain join, planned
 * while the partitions are small, it becomes a scan of all of them.
 */
export const readContext = sql<ContextRow>(
  'decision-context',
  `select g.ord, a.email_verified_at is not null as actor_verified, a.tier,
     coalesce(t.status = 'active', false) and not coalesce(d.low_blocked or d.high_blocked, false) as target_there,
     case when d.low_id = g.actor then d.low_decision else d.high_decision end as before,
     coalesce(d.matched, false) as matched
   from unnest($1::uuid[], $2::uuid[]) with ordinality as g (actor, target, ord)
   join users a on a.id = g.actor and a.status = 'active'
   left join users t on t.id = g.target
   left join lateral (
     select * from pair_decisions
     where low_id = least(g.actor, g.target) and high_id = greatest(g.actor, g.target) limit 1) d on true`,
);

/** Takes likes from the day's allowance: $2[i] of person $1[i] on day $3. Returns the count after it. */
export const takeLikes = sql<{ user_id: string; used: number }>(
  'decision-take-likes',
  `insert into like_counts as c (user_id, day, used)
   select user_id, $3, n from unnest($1::uuid[], $2::int[]) as g (user_id, n) order by user_id
   on conflict (user_id) do update set day = excluded.day,
     used = case when c.day = excluded.day then c.used else 0 end + excluded.used
   returning user_id, used`,
);

/** Gives back what was taken and not used. */
export const returnLikes = sql(
  'decision-return-likes',
  `update like_counts c set used = c.used - g.n
   from unnest($1::uuid[], $2::int[]) as g (user_id, n) where c.user_id = g.user_id and c.day = $3`,
);

export interface PairRow {
  low_id: string;
  high_id: string;
  /** Of the match that these decisions made, if they did. */
  match_id: string | null;
}

/**
 * Writes the decisions of pairs, in the order of their ids (so that no two batches wait for each other in a
 * circle). A mutual like makes the match here and nowhere else: the row's lock lets one transaction see it first.
 * Pairs that were matched or blocked meanwhile are not written and do not come back.
 */
export const decidePairs = sql<PairRow>(
  'decision-pairs',
  `with given as (
     select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])
       as g (low_id, high_id, low_decision, high_decision, match_id)
   ), written as (
     insert into pair_decisions as d (low_id, high_id, low_decision, low_at, high_decision, high_at, matched)
     select low_id, high_id, low_decision, case when low_decision is not null then $6::timestamptz end,
       high_decision, case when high_decision is not null then $6::timestamptz end,
       coalesce(low_decision = 'like' and high_decision = 'like', false)
     from given order by low_id, high_id
     on conflict (low_id, high_id) do update set
       low_decision = coalesce(excluded.low_decision, d.low_decision),
       low_at = coalesce(excluded.low_at, d.low_at),
       high_decision = coalesce(excluded.high_decision, d.high_decision),
       high_at = coalesce(excluded.high_at, d.high_at),
       matched = coalesce(coalesce(excluded.low_decision, d.low_decision) = 'like'
         and coalesce(excluded.high_decision, d.high_decision) = 'like', false)
     where not d.matched and not d.low_blocked and not d.high_blocked
     returning d.low_id, d.high_id, d.matched
   ), made as (
     insert into matches (id, low_id, high_id, status, phase, created_at, accept_by, due_at)
     select g.match_id, w.low_id, w.high_id, 'active', 'awaiting_accept', $6, $7, $8
     from written w join given g using (low_id, high_id) where w.matched
     returning id, low_id, high_id
   )
   select w.low_id, w.high_id, m.id as match_id from written w left join made m using (low_id, high_id)`,
);

/** The last match of a pair, if any. */
export const lastMatch = sql<{ id: string; status: string; ended_at: number | null }>(
  'decision-last-match',
  `select id, status, ended_at from matches where low_id = $1 and high_id = $2 order by created_at desc limit 1`,
);

/** Lets a pair begin anew, long after their match ended: both decisions are forgotten. */
export const forgetPair = sql<{ low_id: string }>(
  'decision-forget-pair',
  `update pair_decisions set low_decision = null, low_at = null, high_decision = null, high_at = null, matched = false
   where low_id = $1 and high_id = $2 and matched and not low_blocked and not high_blocked
     and not exists (select from matches m where m.low_id = $1 and m.high_id = $2
       and (m.status = 'active' or m.ended_at > $3))
   returning low_id`,
);

/** The viewer's newest dislike that was made after $2 and may be taken back. */
export const lastDislike = sql<{ target_id: string; at: number }>(
  'decision-last-dislike',
  `select target_id, at from (
     select high_id as target_id, low_at as at from pair_decisions
       where low_id = $1 and low_decision = 'dislike' and low_at > $2
     union all
     select low_id, high_at from pair_decisions
       where high_id = $1 and high_decision = 'dislike' and high_at > $2) mine
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
