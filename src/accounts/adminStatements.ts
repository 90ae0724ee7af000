import { sql } from '../db/sql.ts';
import type { StoredText } from '../platform/DataKeys.ts';

/** The SQL of what admins look at. Lists run from the newest id to the oldest: ids sort by time of making. */

export interface AdminUserRow {
  id: string;
  email: StoredText;
  email_verified: boolean;
  role: 'user' | 'admin';
  tier: 'regular' | 'premium';
  status: 'active' | 'suspended' | 'banned' | 'deleted';
  status_reason: string | null;
  status_until: number | null;
  erase_at: number | null;
  display_name: string;
  gender: string;
  created_at: number;
  last_active_at: number;
  reports: number;
}

const USER = `u.id, u.email, u.email_verified_at is not null as email_verified, u.role, u.tier, u.status, u.status_reason,
  u.status_until, u.erase_at, u.display_name, u.gender, u.created_at, u.last_active_at,
  (select count(distinct r.reporter_id) from reports r where r.reported_id = u.id) as reports`;

const FITS = `u.id < $2 and ($3::text is null or u.status = $3) and ($4::text is null or u.tier = $4)`;

export const findUser = sql<AdminUserRow>('admin-user', `select ${USER} from users u where u.id = $1`);

/** $1 is how many, $2 below which id, $3 and $4 status and tier or null. */
export const listUsers = sql<AdminUserRow>(
  'admin-users',
  `select ${USER} from users u where ${FITS} order by u.id desc limit $1`,
);

/**
 * The same for a status other than "active". By itself, for one plan serves whatever is asked: with a filter that may be
 * null it goes through all people.
 */
export const listUsersOfStatus = sql<AdminUserRow>(
  'admin-users-of-status',
  `select ${USER} from users u
   where u.status = $3 and u.status <> 'active' and u.id < $2 and ($4::text is null or u.tier = $4)
   order by u.id desc limit $1`,
);

/** The same for who is found by $5, the pattern of a name, the id $6, or $7, what an address is found by. */
export const searchUsers = sql<AdminUserRow>(
  'admin-users-search',
  `with found as materialized (
     select id from users where email_key = any ($7::text[])
     union (select id from users where lower(display_name) like $5 limit 10000)
     union select id from users where id = $6)
   select ${USER} from found join users u using (id) where ${FITS} order by u.id desc limit $1`,
);

export interface AuditRow {
  id: string;
  at: number;
  action: string;
  user_id: string | null;
  actor_id: string | null;
  session_id: string | null;
  device: string | null;
  address: string | null;
  details: Record<string, unknown>;
}

/** $1 is how many, $2 below which id, $3 to $5 user, actor and action, or null. `lines` is what they are looked for in. */
const auditIn = (name: string, lines: string) =>
  sql<AuditRow>(
    name,
    `select id, at, action, user_id, actor_id, session_id, device, address, details from (${lines}) lines
     where id < $2 and ($3::uuid is null or user_id = $3) and ($4::uuid is null or actor_id = $4)
       and ($5::text is null or action = $5)
     order by id desc limit $1`,
  );

export const listAudit = auditIn('admin-audit', 'select * from audit_log');
/** Somebody's lines are read first, all of them: down the whole log, one would read that of everybody. */
export const listAuditOfUser = auditIn(
  'admin-audit-user',
  'select * from audit_log where user_id = $3 offset 0',
);
export const listAuditOfActor = auditIn(
  'admin-audit-actor',
  'select * from audit_log where actor_id = $4 offset 0',
);
/** Not all of them first: of some there are as many as people, and the index has them in the order of the answer. */
export const listAuditOfAction = auditIn('admin-audit-action', 'select * from audit_log where action = $5');

export interface StatsRow {
  active: number;
  suspended: number;
  banned: number;
  deleted: number;
  registered_today: number;
  active_today: number;
  active_matches: number;
  live_calls: number;
  calls_today: number;
  open_reports: number;
}

export const readStats = sql<StatsRow>(
  'admin-stats',
  `select u.*, (select count(*) from matches where status = 'active') as active_matches,
     (select count(distinct call_id) from live_calls) as live_calls,
     (select count(*) from calls where created_at > $1) as calls_today,
     (select count(*) from reports where status in ('open', 'reviewing')) as open_reports
   from (select count(*) filter (where status = 'active') as active,
           count(*) filter (where status = 'suspended') as suspended,
           count(*) filter (where status = 'banned') as banned,
           count(*) filter (where status = 'deleted') as deleted,
           count(*) filter (where created_at > $1) as registered_today,
           count(*) filter (where last_active_at > $1) as active_today
         from users) u`,
);
