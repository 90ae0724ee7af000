/**
 * The statements of discovery. The shape was measured at a million people: an index whose order is the order of the
 * result (best first in each corner: an audience, an area, a cohort) with every filter inside it, read by LATERAL, and
 * one sorted array of all who are out of the question, so that the viewer's history is read once and not once a
 * candidate.
 */
import { countedOnSql } from '../days.ts';
import { sql } from '../db/sql.ts';
import { LOWEST_ID } from '../ids.ts';
import { COHORT_SQL } from './age.ts';
import { EARTH_KM } from './place.ts';
import { PAIR_SQL } from './sightings.ts';

export interface CandidateRow {
  id: string;
  score: number;
}

/** In a subquery of its own it is computed once, and not for each of ten thousand decisions. */
const DISLIKES_FROM = `(select now() - $2 * interval '1 day')`;

/**
 * Everybody out of the question for viewer $1: decided on (a dislike older than $2 days may come back), blocked
 * either way, matched (a match that ended more than $3 days ago may come back).
 */
const SETTLED = `
  select high_id from pair_decisions where low_id = $1 and (low_blocked or high_blocked
    or not matched and (low_at > ${DISLIKES_FROM} or low_decision = 'like'))
  union all
  select low_id from pair_decisions where high_id = $1 and (low_blocked or high_blocked
    or not matched and (high_at > ${DISLIKES_FROM} or high_decision = 'like'))
  union all
  select high_id from matches where low_id = $1 and (status = 'active' or ended_at > now() - $3 * interval '1 day')
  union all
  select low_id from matches where high_id = $1 and (status = 'active' or ended_at > now() - $3 * interval '1 day')`;

/** Shown to viewer $1 in the browsing that began at $4; nobody where that is null. */
const SHOWN = `select seen_id from sightings where month = any ($5::date[]) and viewer_id = $1 and since = $4`;

const SHOWN_AT_ALL = `u.status = 'active' and u.discoverable and u.email_verified_at is not null`;

/**
 * Both sides' preferences, on a row `u`: ages $6..$7, the viewer's age $8, spot $9..$11 and its slack $12, reach $13, today
 * $14. The other's reach counts as $15 at least: it must not tell where somebody is who hides that.
 */
const FITS = `${SHOWN_AT_ALL}
  and u.birth_date between $6 and $7
  and $8 between u.min_age and u.max_age
  and u.rested_on <> $14
  and (u.x is null or $9::real is null or
       ${2 * EARTH_KM} * asin(least(1,
         sqrt((u.x - $9) * (u.x - $9) + (u.y - $10) * (u.y - $10) + (u.z - $11) * (u.z - $11)) / ${2 * EARTH_KM}))
         - u.slack_km - $12 <= least(greatest(u.max_distance_km, $15), $13))
  and u.id <> $1`;

/**
 * Sorted, and searched by halves: for ten thousand decisions half the work of hashing them, once for each place that asks.
 * width_bucket finds the last one that is not above.
 */
const WITH_SETTLED = `with settled (ids) as materialized (
  select array_agg(id order by id) from (${SETTLED} union all ${SHOWN}) out_of_question (id))`;
const NOT_SETTLED = `(select ids from settled)[width_bucket(u.id, (select ids from settled))] is distinct from u.id`;
/** The parameters of what is not asked still need their types. */
const WITHOUT_SETTLED = `with unasked as (select $2::integer, $3::integer, $4::timestamptz, $5::date[])`;

/**
 * The best $21 of the corners that $16 (audiences), $17 (areas) and $18 (cohorts) name, in two steps. First the best
 * $22 of each of the first $20 corners; the $21th of those is a floor under which nobody can be among the best $21.
 * Then those corners are read on from where the first step stopped, and the others from their top, down to that floor;
 * those whose best score $19 is below it not at all. Nobody above the score $23 is looked at: those were all found, or
 * found out of the question, before.
 */
const findIn = (name: string, asks: { settled: boolean }) => {
  const fit = `${FITS} and ${asks.settled ? NOT_SETTLED : 'true'}`;
  return sql<CandidateRow>(
    name,
    `${asks.settled ? WITH_SETTLED : WITHOUT_SETTLED}, corners as (
     select audience, area, cohort, best, nth <= $20 as leads
     from unnest($16::smallint[], $17::bigint[], $18::integer[], $19::integer[])
       with ordinality as c (audience, area, cohort, best, nth)
   ), first as materialized (
     select l.audience, l.area, l.cohort, c.id, c.score
     from corners l cross join lateral (
       select u.id, u.score from users u
       where u.audience = l.audience and u.wide_area = l.area and ${COHORT_SQL} = l.cohort and u.score <= $23 and ${fit}
       order by u.score desc, u.id limit $22
     ) c
     where l.leads
   ), floor as materialized (
     select coalesce((select score from first order by score desc offset $21 - 1 limit 1), 0) as score
   ), unread as (
     select audience, area, cohort, min(score) as score, (array_agg(id order by score, id desc))[1] as id
     from first group by audience, area, cohort having count(*) = $22 and min(score) >= (select score from floor)
     union all
     select audience, area, cohort, $23, '${LOWEST_ID}'
     from corners where not leads and best >= (select score from floor)
   ), further as (
     select c.id, c.score from unread r cross join lateral (
       select u.id, u.score from users u
       where u.audience = r.audience and u.wide_area = r.area and ${COHORT_SQL} = r.cohort
         and u.score >= (select score from floor) and u.score <= r.score and (u.score < r.score or u.id > r.id)
         and ${fit}
       order by u.score desc, u.id limit $21
     ) c
   )
   select id, score from (select id, score from first union all select id, score from further) found
   order by score desc, id limit $21`,
  );
};

export const findWithin = findIn('discovery-within', { settled: true });
/** Without asking who is out of the question: for those further down, of whom few are; `stillFit` asks afterwards. */
export const findWithinAll = findIn('discovery-within-all', { settled: false });

/** Where people are: the corners that anybody is filed under and the best score in each, found by jumping along the index. */
export const populatedCorners = sql<{ audience: number; area: string; cohort: number; best: number }>(
  'discovery-corners',
  `with recursive jump (audience, area, cohort, best) as (
     (select u.audience, u.wide_area, ${COHORT_SQL}, u.score from users u where ${SHOWN_AT_ALL}
      order by u.audience, u.wide_area, ${COHORT_SQL}, u.score desc limit 1)
     union all
     select n.audience, n.wide_area, n.cohort, n.score from jump j cross join lateral (
       select u.audience, u.wide_area, ${COHORT_SQL} as cohort, u.score from users u
       where (u.audience, u.wide_area, ${COHORT_SQL}) > (j.audience, j.area, j.cohort) and ${SHOWN_AT_ALL}
       order by u.audience, u.wide_area, ${COHORT_SQL}, u.score desc limit 1
     ) n
   )
   select audience, area::text, cohort, best from jump`,
);

/** The best $17 anywhere, for audiences $16: for who has no location, or a reach beyond counting areas. None above $18. */
export const findAnywhere = sql<CandidateRow>(
  'discovery-anywhere',
  `${WITH_SETTLED}
   select c.id, c.score
   from unnest($16::smallint[]) as p (audience)
   cross join lateral (
     select u.id, u.score from users u
     where u.audience = p.audience and u.score <= $18 and ${FITS} and ${NOT_SETTLED}
     order by u.score desc, u.id limit $17
   ) c
   order by c.score desc, c.id limit $17`,
);

/**
 * Which of $16 (in that order) still may be shown: the same conditions again and audiences $17, probed for these few
 * only. Whatever a cached list says, a block, a ban, a pause, a decision or another gender is in force with the next page.
 */
export const stillFit = sql<{ id: string }>(
  'discovery-still-fit',
  `select u.id
   from unnest($16::uuid[]) with ordinality as c (id, ord) join users u on u.id = c.id
   where ${FITS}
     and u.audience = any ($17::smallint[])
     and not exists (
       select from pair_decisions d where d.low_id = least(u.id, $1) and d.high_id = greatest(u.id, $1)
         and (d.low_blocked or d.high_blocked or not d.matched and case when d.low_id = $1
           then d.low_decision = 'like' or d.low_at > now() - $2 * interval '1 day'
           else d.high_decision = 'like' or d.high_at > now() - $2 * interval '1 day' end))
     and not exists (
       select from matches m where m.low_id = least(u.id, $1) and m.high_id = greatest(u.id, $1)
         and (m.status = 'active' or m.ended_at > now() - $3 * interval '1 day'))
     and u.id not in (${SHOWN})
   order by c.ord`,
);

/** What the rank needs beyond the index. */
export const candidateDetails = sql<{
  id: string;
  interests: string[];
  cell: string | null;
  can_talk: boolean;
}>(
  'discovery-details',
  `select u.id, u.interests, case when u.hide_distance then null else u.cell end as cell,
     u.last_active_at > now() - interval '5 minutes'
       and not exists (select from live_calls l where l.user_id = u.id) as can_talk
   from users u where u.id = any ($1::uuid[])`,
);

/** The page that a cursor was answered with before, for a client that asks again. */
export const pageShown = sql<{ id: string }>(
  'discovery-page-shown',
  `select seen_id as id from sightings where month = any ($2::date[]) and viewer_id = $1 and since = $3 and page = $4 order by nth`,
);

export const recordShown = sql(
  'discovery-record-shown',
  `insert into sightings (month, viewer_id, since, seen_id, page, nth, at)
   select $2, $1, $3, id, $4, nth, $6 from unnest($5::uuid[]) with ordinality as g (id, nth)
   on conflict do nothing`,
);

/** Which of $4 the viewer was shown since $3, in the months $2. One row of each is enough, however many there are. */
export const seenSince = sql<{ id: string }>(
  'discovery-seen-since',
  `select c.id from unnest($4::uuid[]) as c (id) cross join lateral (
     select from sightings s
     where s.month = any ($2::date[]) and ${PAIR_SQL} = uuid_send($1::uuid) || uuid_send(c.id) and s.at >= $3
     order by s.at desc limit 1) shown`,
);

const SHOW_DAY = `(${countedOnSql('s.day', 'excluded.day')})`;
/** Adds to the counts of day $4; whoever reaches $3 rests until tomorrow. */
export const countShows = sql<{ id: string }>(
  'discovery-count-shows',
  `with counted as (
     insert into show_counts as s (user_id, day, shows)
     select id, $4, n from unnest($1::uuid[], $2::int[]) as g (id, n) order by id
     on conflict (user_id) do update set
       day = ${SHOW_DAY}, shows = case when s.day = ${SHOW_DAY} then s.shows else 0 end + excluded.shows
     returning user_id, day, shows
   )
   update users u set rested_on = them.day
   from (select u.id, c.day from users u join counted c on c.user_id = u.id
         where c.shows >= $3 and u.rested_on <> c.day order by u.id for no key update of u) them
   where u.id = them.id
   returning u.id`,
);
