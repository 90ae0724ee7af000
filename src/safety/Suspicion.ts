import type { Clock } from '../clock.ts';
import { DAY_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { countIndependent } from './independence.ts';

export interface SuspicionOptions {
  db: Database;
  clock: Clock;
  /** How many independent people must complain; 0: nobody is suspended for it. */
  reportsToSuspend: number;
  /** Suspends somebody until an admin has looked. Does nothing to who is no active user. */
  suspend: (userId: string, reporters: number) => Promise<void>;
}

/** Reports older than this are not counted. */
const WITHIN_DAYS = 30;
/** Nor are those of accounts that were younger than this when they complained. */
const GROWN_MS = DAY_MS;
/** Far more than are needed; keeps the question small when somebody is complained about by thousands. */
const MAX_REPORTERS = 1_000;

/**
 * Sign-ins of everybody with a complaint about $1 that nobody has closed: verified, active accounts, not made for it.
 * What was said before somebody was let back in was looked at then; before the owner of the address came, it was about
 * another.
 */
const openReporters = sql<{ reporter_id: string; device_id: string | null; address: string | null }>(
  'suspicion-reporters',
  `with complaints as (
     select distinct r.reporter_id from reports r join users u on u.id = r.reporter_id
     where r.reported_id = $1 and r.status in ('open', 'reviewing') and r.created_at > $2
       and u.status = 'active' and u.email_verified_at is not null
       and u.created_at <= r.created_at - $3 * interval '1 ms'
       and r.created_at > coalesce((
         select max(a.at) from audit_log a
         where a.user_id = $1 and (
           a.action = 'status_changed' and a.details->>'after' in ('active', 'deleted')
           or a.action in ('email_verified', 'password_reset') and a.details->>'tookOver' = 'true')), '-infinity')
     order by r.reporter_id limit ${MAX_REPORTERS})
   select distinct c.reporter_id, s.device_id, s.address
   from complaints c left join sessions s on s.user_id = c.reporter_id`,
);

/** Suspends whom enough people complain about who have nothing to do with each other. */
export class Suspicion {
  readonly #o: SuspicionOptions;

  constructor(options: SuspicionOptions) {
    this.#o = options;
  }

  /** After each report about somebody, and when somebody is active again who deleted the account. */
  async consider(userId: string): Promise<void> {
    const { db, clock, reportsToSuspend, suspend } = this.#o;
    if (reportsToSuspend === 0) return;
    const since = new Date(clock.now() - WITHIN_DAYS * DAY_MS);
    const rows = await db.query(openReporters, [userId, since, GROWN_MS]);
    const reporters = countIndependent(
      rows.map((row) => ({ reporterId: row.reporter_id, deviceId: row.device_id, network: row.address })),
    );
    if (reporters >= reportsToSuspend) await suspend(userId, reporters);
  }
}
