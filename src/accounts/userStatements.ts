import { sql } from '../db/sql.ts';
import type { StoredText } from '../platform/DataKeys.ts';

/** The SQL of accounts over the table of users. */

export interface AccountRow {
  id: string;
  email: StoredText;
  email_verified_at: number | null;
  password_hash: string;
  display_name: string;
  role: 'user' | 'admin';
  status: 'active' | 'suspended' | 'banned' | 'deleted';
  /** When an account that its owner deleted is erased. */
  erase_at: number | null;
}

const COLUMNS = 'id, email, email_verified_at, password_hash, display_name, role, status, erase_at';

/** $1 is `Addresses.keysOf`. */
export const findByEmail = sql<AccountRow>(
  'account-by-email',
  `select ${COLUMNS} from users where email_key = any ($1::text[])`,
);
export const findById = sql<AccountRow>('account-by-id', `select ${COLUMNS} from users where id = $1`);
export const lockById = sql<AccountRow>(
  'account-lock',
  `select ${COLUMNS} from users where id = $1 for no key update`,
);

/** Nothing happens when the address is known, which in rows from before is found by $9. */
export const insertUser = sql<{ id: string }>(
  'account-insert',
  `insert into users (id, email, email_key, password_hash, display_name, birth_date, gender, created_at, last_active_at)
   select $1::uuid, $2, $3, $4, $5, $6::date, $7, $8::timestamptz, $8::timestamptz
   where not exists (select from users where email_key = $9)
   on conflict (email_key) do nothing returning id`,
);

export const insertRegistration = sql(
  'registration-insert',
  `insert into registrations (id, user_id, first, email, password_hash, display_name, birth_date, gender, created_at, documents)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
);

/** What a registration agreed to, as consents of the account that it got. */
export const recordConsents = sql(
  'consents-record',
  `insert into consents (user_id, document, version, at)
   select r.user_id, d.key, d.value, r.created_at from registrations r, jsonb_each_text(r.documents) d
   where r.id = $1 on conflict do nothing`,
);

/** The newest registration of an address that nobody has verified. */
export const latestRegistration = sql<{ id: string; display_name: string }>(
  'registration-latest',
  'select id, display_name from registrations where user_id = $1 order by created_at desc, id desc limit 1',
);

/** `network` is where it came from, as the security log has it; `contested`: others came from elsewhere. */
export const readRegistration = sql<{ first: boolean; network: string | null; contested: boolean }>(
  'registration-read',
  `with line as (
     select details->>'registrationId' as id, address from audit_log
     where user_id = $2 and action in ('registered', 'registered_again')
   ), waiting as (
     select r.id, r.first, l.address as network
     from registrations r left join line l on l.id = r.id::text where r.user_id = $2
   )
   select w.first, w.network, exists (select from waiting o where o.network is distinct from w.network) as contested
   from waiting w where w.id = $1`,
);

/** Whoever verified gets the account with the address and password that they registered. */
export const takeOver = sql(
  'account-take-over',
  `update users u
   set email = r.email, password_hash = r.password_hash, version = u.version + 1
   from registrations r where r.id = $2 and u.id = $1`,
);

export const deleteRegistrations = sql('registration-delete', 'delete from registrations where user_id = $1');

export const markVerified = sql(
  'account-verified',
  'update users set email_verified_at = coalesce(email_verified_at, $2), version = version + 1 where id = $1',
);

export const setPassword = sql(
  'account-password',
  'update users set password_hash = $2, version = version + 1 where id = $1',
);

/** Better parameters for the same password: nothing happens when it was changed meanwhile. */
export const rehashPassword = sql<{ id: string }>(
  'account-rehash',
  'update users set password_hash = $3 where id = $1 and password_hash = $2 returning id',
);

export const touchUser = sql('account-touch', 'update users set last_active_at = $2 where id = $1');

/** Whether an account was deleted for good: its owner cannot have it back by signing in. */
export function isGone(user: AccountRow, now: number): boolean {
  return user.status === 'deleted' && (user.erase_at === null || user.erase_at <= now);
}
