import { type Sql, sql } from '../db/sql.ts';
import { type AccountRow, recordConsents } from './userStatements.ts';

/**
 * Whoever had an account before the owner of its address came: they typed an address that is not theirs, and may have
 * signed in, filled in a profile and made decisions. Whoever then proves that they get the address's mail (verifying it,
 * or choosing a new password) finds none of that. Such an account was never verified, so it has no matches and no calls.
 * Nor was a suspension, a ban or a deletion meant for the owner; the devices of who was banned stay so (`Bans.ts`).
 */

// What cannot be empty is as the owner registered it: a registration of $2, or as it is, if they registered none.
const clearProfile = sql(
  'predecessor-profile',
  `update users u
   set display_name = coalesce(r.display_name, me.display_name), birth_date = coalesce(r.birth_date, me.birth_date),
       gender = coalesce(r.gender, me.gender), bio = default, interests = default, cell = default, area = default,
       x = default, y = default, z = default, slack_km = default, hide_distance = default, min_age = default,
       max_age = default, genders = default, max_distance_km = default, discoverable = default,
       photo_count = default, score = default, rested_on = default, status = 'active', status_reason = null,
       status_until = null, erase_at = null, settle_at = null, version = u.version + 1
   from users me left join registrations r on r.id = $2 and r.user_id = me.id
   where me.id = $1 and u.id = me.id`,
);

const forgetLikes = sql('predecessor-likes', 'delete from like_counts where user_id = $1');

/** What others decided about this account stays: it is theirs. */
const forgetDecisions = sql(
  'predecessor-decisions',
  `with pair as (
     select low_id, high_id from pair_decisions where low_id = $1 or high_id = $1
     order by low_id, high_id for no key update
   )
   update pair_decisions d set
     low_decision = case when d.low_id <> $1 then d.low_decision end,
     low_at = case when d.low_id <> $1 then d.low_at end,
     low_blocked = d.low_blocked and d.low_id <> $1,
     high_decision = case when d.high_id <> $1 then d.high_decision end,
     high_at = case when d.high_id <> $1 then d.high_at end,
     high_blocked = d.high_blocked and d.high_id <> $1
   from pair where d.low_id = pair.low_id and d.high_id = pair.high_id`,
);

/**
 * A place takes its counts along, by a trigger; the files of photos without a row are found by `PeopleUpkeep`. A block that
 * came since the decisions were forgotten is in force, and stays in the list.
 */
const forgetRest = sql(
  'predecessor-rest',
  `with block as (
          delete from blocks b where blocker_id = $1 and not exists (
            select from pair_decisions d
            where d.low_id = least(b.blocker_id, b.blocked_id) and d.high_id = greatest(b.blocker_id, b.blocked_id)
              and case when d.low_id = $1 then d.low_blocked else d.high_blocked end)),
        photo as (delete from photos where user_id = $1),
        push as (delete from push_subscriptions where user_id = $1),
        answer as (delete from idempotency_keys where user_id = $1),
        sighting as (delete from sightings where viewer_id = $1),
        shown as (delete from show_counts where user_id = $1),
        place as (delete from places where user_id = $1)
   delete from devices where user_id = $1`,
);

/**
 * The predecessor's sign-ins stay until they are forgotten with the others, for every process must learn that they ended
 * (`Revocations.ts`). What tells their devices goes: the account's owner would be given it, and banned for it.
 */
const forgetDevices = sql(
  'predecessor-sessions',
  `update sessions
   set device_id = gen_random_uuid(), device_name = 'an unknown client', address = 'unknown', device_key = null
   where user_id = $1`,
);

/** What the security log keeps of a predecessor's standing. */
export function standingBefore({ status }: AccountRow): { before?: string } {
  return status === 'active' ? {} : { before: status };
}

/**
 * Forgets what was left behind, in the caller's transaction, in which the user's row is locked. The profile becomes that
 * of a registration, if there is one. The caller's are caches, to clear after the commit, sessions, to end, and tokens.
 */
export async function forgetPredecessor(
  tx: Sql,
  userId: string,
  registrationId: string | undefined,
): Promise<void> {
  await tx.query(clearProfile, [userId, registrationId ?? null]);
  // One after the other: everybody locks these in this order (docs/reliability.md).
  await tx.query(forgetLikes, [userId]);
  await tx.query(forgetDecisions, [userId]);
  await tx.query(forgetRest, [userId]);
  await tx.query(forgetDevices, [userId]);
  // The owner's consents are added to those of before, which nobody can take out: the newest are those of who has the
  // account.
  if (registrationId !== undefined) await tx.query(recordConsents, [registrationId]);
}
