import type { Clock } from '../clock.ts';
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
const EVERY_MS = 3_600_000;
/** A registration that was not the first one and that nobody verified in this time. */
const REGISTRATION_KEEP_MS = 7 * 86_400_000;

const deleteRegistrations = sql(
  'registration-delete-old',
  'delete from registrations where not first and created_at < $1',
);

/** Complaints outlive the accounts, but not for ever: a year after they were handled, where one of the two is gone. */
const REPORT_KEEP_MS = 365 * 86_400_000;
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
    await db.query(deleteReports, [new Date(clock.now() - REPORT_KEEP_MS)]);
    await forgetOldAudit(db, audit);
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }
}
