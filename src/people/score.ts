/**
 * The score that discovery's index is ordered by. It is the part of the rank that is the same for every viewer:
 * recent activity, photos, how much a profile says. Who liked whom is not in it, so no order can tell.
 *
 * It moves in steps (not with every heartbeat: each change writes into every index of `users`), and a part that changes by
 * the day mixes those who are equal, so that the same few are not first every day.
 */

/** One step is worth this much; below it, only chance decides. */
export const SCORE_STEP = 1000;

/** The score of a row of `users` that the statement calls `u`, as SQL. */
export const SCORE_SQL = `(
  (case when u.last_active_at > now() - interval '1 day' then 40
        when u.last_active_at > now() - interval '7 days' then 25
        when u.last_active_at > now() - interval '30 days' then 10 else 0 end
   + case u.photo_count when 0 then 0 when 1 then 15 when 2 then 20 else 25 end
   + case when length(u.bio) >= 40 then 10 when u.bio <> '' then 5 else 0 end
   + case when cardinality(u.interests) >= 3 then 10 when cardinality(u.interests) > 0 then 5 else 0 end
  ) * ${SCORE_STEP} + abs(hashtext(u.id::text || current_date::text) % ${SCORE_STEP}))`;
