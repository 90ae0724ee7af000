/** Changes of one's profile: only the given columns are written, so two edits at once merge field by field. */
import { sql } from '../db/sql.ts';
import { SCORE_SQL } from './score.ts';

export const editProfile = sql<{ id: string }>(
  'profile-edit',
  `update users set
     display_name = coalesce($2, display_name),
     gender = coalesce($3, gender),
     bio = coalesce($4, bio),
     interests = coalesce($5::text[], interests),
     version = version + 1
   where id = $1 and status = 'active'
   returning id`,
);

/** The score of somebody whose profile changed; a second statement, because it reads what the first one wrote. */
export const rescore = sql(
  'profile-rescore',
  `update users u set score = ${SCORE_SQL}
   from (select id from users u where u.id = any ($1::uuid[]) and u.score <> ${SCORE_SQL}
         order by u.id for no key update) them
   where u.id = them.id`,
);

export const editPreferences = sql<{ min_age: number; max_age: number }>(
  'profile-edit-preferences',
  `update users set
     min_age = coalesce($2, min_age),
     max_age = coalesce($3, max_age),
     genders = coalesce($4::text[], genders),
     max_distance_km = coalesce($5, max_distance_km),
     hide_distance = coalesce($6, hide_distance),
     discoverable = coalesce($7, discoverable),
     version = version + 1
   where id = $1 and status = 'active'
   returning min_age, max_age`,
);

/** Who was about, written at most every `$2` minutes a person: no index holds the time, so the row changes in place. */
export const touch = sql<{ id: string }>(
  'profile-touch',
  `update users u set last_active_at = now()
   from (select id from users where id = any ($1::uuid[]) and last_active_at < now() - $2 * interval '1 minute'
         order by id for no key update) due
   where u.id = due.id
   returning u.id`,
);
