import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type Sql, sql } from '../db/sql.ts';
import { newId } from '../ids.ts';
import { deriveKey, type Secrets, seal, unseal } from './keys.ts';
import type { Mail, Mailer } from './Mailer.ts';

/** A mail as the mailbox page shows it. `at` is epoch milliseconds. */
export interface KeptMail {
  to: string;
  subject: string;
  text: string;
  at: number;
}

export interface MailboxOptions {
  db: Sql;
  clock: Clock;
  secrets: Secrets;
  /** What addresses are compared by. */
  keyOf: (email: string) => string;
}

const MAX_KEPT = 2_000;
const MAX_LISTED = 50;

const insertMail = sql(
  'mailbox-insert',
  'insert into dev_mailbox (id, recipient, sealed, at) values ($1, $2, $3, $4)',
);
const trimMails = sql(
  'mailbox-trim',
  `delete from dev_mailbox where id in (select id from dev_mailbox order by at desc, id desc offset ${MAX_KEPT})`,
);
const listMails = sql<{ sealed: Buffer; at: number }>(
  'mailbox-list',
  `select sealed, at from dev_mailbox where recipient = $1 order by at desc, id desc limit ${MAX_LISTED}`,
);

const forgetMails = sql('mailbox-forget', 'delete from dev_mailbox where recipient = $1');

/**
 * Where mails go in development: into the database, so that every process shows the same ones. Sealed, since they
 * carry links that are as good as passwords; the newest 2,000 are kept.
 */
export class Mailbox implements Mailer {
  readonly #options: MailboxOptions;
  readonly #sealKey: Buffer;
  readonly #indexKey: Buffer;

  constructor(options: MailboxOptions) {
    this.#options = options;
    this.#sealKey = deriveKey(options.secrets.current, 'mailbox');
    this.#indexKey = deriveKey(options.secrets.current, 'mailbox recipient');
  }

  async send(mail: Mail): Promise<void> {
    const { db, clock } = this.#options;
    const kept = seal(this.#sealKey, JSON.stringify({ to: mail.to, subject: mail.subject, text: mail.text }));
    await db.query(insertMail, [newId(), this.#recipient(mail.to), kept, new Date(clock.now())]);
    await db.query(trimMails);
  }

  /** The mails to an address, newest first, 50 at most. */
  async list(to: string): Promise<KeptMail[]> {
    const rows = await this.#options.db.query(listMails, [this.#recipient(to)]);
    return rows.flatMap(({ sealed, at }) => {
      const text = unseal(this.#sealKey, sealed);
      return text === undefined ? [] : [{ ...(JSON.parse(text) as Omit<KeptMail, 'at'>), at }];
    });
  }

  /** Deletes the mails to an address. */
  async forget(to: string): Promise<void> {
    await this.#options.db.query(forgetMails, [this.#recipient(to)]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #recipient(email: string): Buffer {
    return createHmac('sha256', this.#indexKey).update(this.#options.keyOf(email)).digest();
  }
}
