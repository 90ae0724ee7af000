import { type Clock, sleep } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { type Statement, sql } from '../db/sql.ts';
import { isId, LOWEST_ID } from '../ids.ts';
import type { Log } from '../log.ts';
import type { DataKeys } from '../platform/DataKeys.ts';
import { Rounds } from '../platform/Rounds.ts';
import type { Addresses } from './Addresses.ts';

export interface SealingOptions {
  db: Database;
  clock: Clock;
  log: Log;
  keys: DataKeys;
  addresses: Addresses;
}

const EVERY_MS = HOUR_MS;
/** Rows that are read at a time; each is written by itself, so that nobody waits for more than one. */
const BATCH = 200;
/** Between full batches: a million rows are no reason to slow anybody down. */
const PAUSE_MS = 200;

interface PlainRow {
  id: string;
  plain: string;
}

/** The demo town's addresses are no secret, and it is found by them. */
const plainUsers = sql<PlainRow>(
  'sealing-users',
  `select id, email as plain from users
   where email not like 's1:%' and email_key not like '%@demo.duet' and id > $1 order by id limit ${BATCH}`,
);
const sealUser = sql(
  'sealing-user',
  'update users set email = $2, email_key = $3 where id = $1 and email = $4',
);
const plainRegistrations = sql<PlainRow>(
  'sealing-registrations',
  `select id, email as plain from registrations where email not like 's1:%' and id > $1 order by id limit ${BATCH}`,
);
const sealRegistration = sql(
  'sealing-registration',
  'update registrations set email = $2 where id = $1 and email = $3',
);
const plainReports = sql<PlainRow>(
  'sealing-reports',
  `select id, details as plain from reports
   where details not like 's1:%' and details <> '' and id > $1 order by id limit ${BATCH}`,
);
const sealReport = sql('sealing-report', 'update reports set details = $2 where id = $1 and details = $3');
const plainDevices = sql<{ id: string; p256dh: string; auth: string }>(
  'sealing-devices',
  `select endpoint as id, p256dh, auth from push_subscriptions
   where address is null and endpoint > $1 order by endpoint limit ${BATCH}`,
);
/** A device that subscribed again meanwhile has its row. */
const sealDevice = sql(
  'sealing-device',
  `update push_subscriptions set endpoint = $2, p256dh = $3, auth = $4, address = $5
   where endpoint = $1 and address is null and not exists (select from push_subscriptions where endpoint = $2)`,
);

/** Seals, now and then, what is in the database as plain text: from before texts were sealed, or put there by hand. */
export class Sealing {
  readonly #o: SealingOptions;
  readonly #rounds: Rounds;

  constructor(options: SealingOptions) {
    this.#o = options;
    const { clock, log } = options;
    const failure = 'Texts from before could not be sealed';
    this.#rounds = new Rounds({ clock, log, everyMs: EVERY_MS, work: () => this.run(), failure });
  }

  start(): void {
    this.#rounds.startNow();
  }

  /** Seals all there is, row by row. A row that cannot be (its address has two accounts) stays, and is told. */
  async run(): Promise<void> {
    const { db, addresses, keys } = this.#o;
    await this.#each(plainUsers, LOWEST_ID, async ({ id, plain }) => {
      const { email, key } = addresses.store(plain);
      await db.query(sealUser, [id, email, key, plain]);
    });
    await this.#each(plainRegistrations, LOWEST_ID, async ({ id, plain }) => {
      await db.query(sealRegistration, [id, keys.seal('email', plain), plain]);
    });
    await this.#each(plainReports, LOWEST_ID, async ({ id, plain }) => {
      await db.query(sealReport, [id, keys.seal('report', plain), plain]);
    });
    await this.#each(plainDevices, '', async ({ id: endpoint, p256dh, auth }) => {
      const sealed = [p256dh, auth, endpoint].map((text) => keys.seal('push', text));
      await db.query(sealDevice, [endpoint, keys.tag('push', endpoint), ...sealed]);
    });
  }

  /** Every row that a statement finds after one, beginning after `first`. */
  async #each<Row extends { id: string }>(
    plainRows: Statement<Row>,
    first: string,
    sealRow: (row: Row) => Promise<void>,
  ): Promise<void> {
    const { db, clock, log } = this.#o;
    for (let after = first; !this.#rounds.closed; ) {
      const rows = await db.query(plainRows, [after]);
      for (const row of rows) {
        if (this.#rounds.closed) return;
        await sealRow(row).catch((err: unknown) => {
          // A device is told apart by its address, which is nobody's to read.
          log.error({ err, ...(isId(row.id) && { id: row.id }) }, 'A row could not be sealed');
        });
      }
      if (rows.length < BATCH) return;
      after = rows.at(-1)!.id;
      await sleep(clock, PAUSE_MS);
    }
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }
}
