import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
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

const EVERY_MS = 3_600_000;
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
const plainDevices = sql<{ endpoint: string; p256dh: string; auth: string }>(
  'sealing-devices',
  `select endpoint, p256dh, auth from push_subscriptions where address is null and endpoint > $1 order by endpoint limit ${BATCH}`,
);
/** A device that subscribed again meanwhile has its row. */
const sealDevice = sql(
  'sealing-device',
  `update push_subscriptions set endpoint = $2, p256dh = $3, auth = $4, address = $5
   where endpoint = $1 and address is null and not exists (select from push_subscriptions where endpoint = $2)`,
);
const NOBODY = '00000000-0000-0000-0000-000000000000';

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
    await this.#each(plainUsers, async ({ id, plain }) => {
      const { email, key } = addresses.store(plain);
      await db.query(sealUser, [id, email, key, plain]);
    });
    await this.#each(plainRegistrations, async ({ id, plain }) => {
      await db.query(sealRegistration, [id, keys.seal('email', plain), plain]);
    });
    await this.#each(plainReports, async ({ id, plain }) => {
      await db.query(sealReport, [id, keys.seal('report', plain), plain]);
    });
    await this.#sealDevices();
  }

  async #each(plainRows: typeof plainUsers, sealRow: (row: PlainRow) => Promise<void>): Promise<void> {
    for (let after = NOBODY; !this.#rounds.closed; ) {
      const rows = await this.#o.db.query(plainRows, [after]);
      for (const row of rows) {
        if (this.#rounds.closed) return;
        await sealRow(row).catch((err: unknown) => {
          this.#o.log.error({ err, id: row.id }, 'A row could not be sealed');
        });
      }
      if (rows.length < BATCH) return;
      after = rows.at(-1)!.id;
      await this.#pause();
    }
  }

  async #sealDevices(): Promise<void> {
    const { db, keys } = this.#o;
    for (let after = ''; !this.#rounds.closed; ) {
      const rows = await db.query(plainDevices, [after]);
      for (const { endpoint, p256dh, auth } of rows) {
        const sealed = [p256dh, auth, endpoint].map((text) => keys.seal('push', text));
        await db.query(sealDevice, [endpoint, keys.tag('push', endpoint), ...sealed]);
      }
      if (rows.length < BATCH) return;
      after = rows.at(-1)!.endpoint;
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await new Promise<void>((done) => this.#o.clock.after(PAUSE_MS, done));
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }
}
