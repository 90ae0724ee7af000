import { sql } from '../db/sql.ts';
import type { StoredText } from '../platform/DataKeys.ts';
import { CALL_FACTS } from '../safety/callFacts.ts';

/** The SQL of what becomes of accounts: sanctions, deletion, erasure. */

export interface LifeRow {
  id: string;
  email: StoredText;
  email_verified_at: number | null;
  role: 'user' | 'admin';
  status: 'active' | 'suspended' | 'banned' | 'deleted';
  status_reason: string | null;
  status_until: number | null;
  erase_at: number | null;
}

const COLUMNS = 'id, email, email_verified_at, role, status, status_reason, status_until, erase_at';

/** Not `for update`: rows that refer to this person would wait for it, in no order (docs/reliability.md). */
export const lockLife = sql<LifeRow>(
  'life-lock',
  `select ${COLUMNS} from users where id = $1 for no key update`,
);

/** `$5` is when what is between this person and others is to be ended once more; null for who is active. */
export const setStatus = sql(
  'life-set-status',
  `update users set status = $2, status_reason = $3, status_until = $4, settle_at = $5, version = version + 1
   where id = $1`,
);

export const markDeleted = sql(
  'life-mark-deleted',
  `update users set status = 'deleted', erase_at = $2, settle_at = $3, version = version + 1 where id = $1`,
);

/** Takes a deletion back. */
export const restore = sql<{ id: string }>(
  'life-restore',
  `update users set status = 'active', erase_at = null, settle_at = null, version = version + 1
   where id = $1 and status = 'deleted' and erase_at > $2 returning id`,
);

/** Whether there is anything to do, in one question: nearly always there is not. */
export const whatIsDue = sql<{ lift: boolean; settle: boolean; erase: boolean }>(
  'life-what-is-due',
  `select exists (select from users where status_until <= $1) as lift,
     exists (select from users where settle_at <= $1) as settle,
     exists (select from users where erase_at <= $1) as erase`,
);

/** Ends suspensions whose time is over; one row each, for the log. */
export const liftDue = sql<{ id: string }>(
  'life-lift-due',
  `update users set status = 'active', status_reason = null, status_until = null, settle_at = null, version = version + 1
   where id in (select id from users where status_until <= $1 and status = 'suspended'
                order by id limit 100 for no key update skip locked)
   returning id`,
);

/** $2: whom to leave out. */
export const settleDue = sql<{ id: string }>(
  'life-settle-due',
  'select id from users where settle_at <= $1 and id <> all ($2::uuid[]) order by settle_at limit 100',
);
export const settled = sql(
  'life-settled',
  'update users set settle_at = null where id = $1 and settle_at <= $2',
);

/** Not before what is between them and others has ended, and those were told: with the rows goes what could tell them. */
export const eraseDue = sql<{ id: string }>(
  'life-erase-due',
  `select id from users where erase_at <= $1 and id <> all ($2::uuid[]) and settle_at is null
     and not exists (select from live_calls where user_id = users.id)
   order by erase_at limit 20`,
);

/** What calls of this person reports are about, copied before the calls go. */
export const keepCallFacts = sql(
  'life-keep-call-facts',
  `update reports r set call_facts = ${CALL_FACTS}
   from calls c where c.id = r.call_id and r.call_facts is null and (r.reporter_id = $1 or r.reported_id = $1)`,
);

/**
 * What an erasure holds before it deletes the row, whose triggers lock the rest in an order of their own: this person as the
 * deletion will, which waits for whoever is writing about them, and then their pairs, as everybody does.
 */
export const holdWhole = sql('life-hold-whole', 'select from users where id = $1 for update');
export const holdPairs = sql(
  'life-hold-pairs',
  'select from pair_decisions where low_id = $1 or high_id = $1 order by low_id, high_id for update',
);

export const eraseUser = sql('life-erase', 'delete from users where id = $1');

export const forgetSubscriptions = sql(
  'life-forget-subscriptions',
  'delete from push_subscriptions where user_id = $1',
);
