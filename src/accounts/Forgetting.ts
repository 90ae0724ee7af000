import type { Clock } from '../clock.ts';
import { DAY_MS, HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import { Rounds } from '../platform/Rounds.ts';
import type { Audit } from './Audit.ts';
import { forgetOldAudit } from './auditChain.ts';
import type { Devices } from './Devices.ts';
import type { EmailTokens } from './EmailTokens.ts';
import type { Sessions } from './Sessions.ts';

export interface ForgettingOptions {
  db: Database;
  clock: Clock;
  log: Log;
  sessions: Sessions;
  emailTokens: EmailTokens;
  devices: Devices;
  audit: Audit;
}

/** How often it is done. */
const EVERY_MS = HOUR_MS;
/** A registration that was not the first one and that nobody verified in this time. */
const REGISTRATION_KEEP_MS = 7 * DAY_MS;

const deleteRegistrations = sql(
  'registration-delete-old',
  'delete from registrations where not first and created_at < $1',
);

/**
 * An account whose address nobody verified, and that nobody registered again or used in this time: most likely a slip
 * of the keys, and somebody else's address. It is found by its first registration, which is there until it is verified.
 */
const UNVERIFIED_KEEP_MS = 30 * DAY_MS;
const UNVERIFIED_AT_ONCE = 1_000;
const giveUpUnverified = sql<{ id: string }>(
  'forgetting-give-up-unverified',
  `with stale as (
     select u.id from registrations r join users u on u.id = r.user_id
     where r.first and r.created_at < $1 and u.last_active_at < $1 and u.email_verified_at is null
       and u.status = 'active' and u.role = 'user'
       and not exists (select from registrations n where n.user_id = u.id and n.created_at >= $1)
       and not exists (
         select from sessions s where s.user_id = u.id and s.revoked_at is null and s.expires_at > $2)
     order by u.id limit ${UNVERIFIED_AT_ONCE} for no key update of u skip locked)
   update users u set status = 'deleted', erase_at = $2, version = version + 1 from stale
   where u.id = stale.id returning u.id`,
);

/** Complaints outlive the accounts, but not for ever: a year after they were handled, where one of the two is gone. */
const REPORT_KEEP_MS = 365 * DAY_MS;
const deleteReports = sql(
  'report-delete-old',
  `delete from reports r where r.handled_at < $1
     and (select count(*) from users u where u.id in (r.reporter_id, r.reported_id)) < 2`,
);

/** Deletes, now and then, what accounts need no longer. Every process does; it is the same to do it twice. */
export class Forgetting {
  readonly #o: ForgettingOptions;
  readonly #rounds: Rounds;

  constructor(options: ForgettingOptions) {
    this.#o = options;
    const { clock, log } = options;
    const failure = 'Old sessions and tokens could not be deleted';
    this.#rounds = new Rounds({ clock, log, everyMs: EVERY_MS, work: () => this.run(), failure });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Does it once. */
  async run(): Promise<void> {
    const { db, clock, sessions, emailTokens, devices, audit } = this.#o;
    await sessions.forgetOld();
    await emailTokens.forgetOld(db);
    await devices.forgetOld(db, clock.now());
    await db.query(deleteRegistrations, [new Date(clock.now() - REGISTRATION_KEEP_MS)]);
    await this.#giveUpUnverified();
    await db.query(deleteReports, [new Date(clock.now() - REPORT_KEEP_MS)]);
    await forgetOldAudit(db, audit, () => this.#rounds.closed);
  }

  /** Marks accounts as those that their owner deleted, with no grace: `AccountDeadlines` erases them. */
  async #giveUpUnverified(): Promise<void> {
    const { db, clock, audit } = this.#o;
    const now = clock.now();
    await db.transaction(async (tx) => {
      const stale = await tx.query(giveUpUnverified, [new Date(now - UNVERIFIED_KEEP_MS), new Date(now)]);
      for (const { id: userId } of stale)
        await audit.record(tx, { action: 'account_deleted', userId, details: { reason: 'UNVERIFIED' } });
    });
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }
}
