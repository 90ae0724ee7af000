import type { Database } from '../db/Database.ts';
import { type Sql, sql } from '../db/sql.ts';
import type { StoredText } from '../platform/DataKeys.ts';
import type { Jobs } from '../platform/Jobs.ts';
import type { Mailer } from '../platform/Mailer.ts';
import type { Addresses } from './Addresses.ts';
import type { EmailTokens } from './EmailTokens.ts';
import {
  accountDeletedMail,
  accountExistsMail,
  accountRestoredMail,
  type MailText,
  mailTime,
  newDeviceMail,
  passwordChangedMail,
  resetMail,
  sessionReusedMail,
  verifyMail,
} from './mailTexts.ts';

/** A mail to be written. No token and no address is in it: both are looked up or made when it is sent. */
export type MailJob =
  | { kind: 'verify'; registrationId: string }
  | { kind: 'account-exists'; userId: string }
  | { kind: 'reset'; userId: string }
  | { kind: 'password-changed'; userId: string; at: number }
  | { kind: 'new-device'; userId: string; deviceName: string; address: string; at: number }
  | { kind: 'account-deleted'; userId: string; until: number }
  | { kind: 'account-restored'; userId: string; at: number }
  | { kind: 'session-reused'; userId: string; deviceName: string; at: number };

export interface AccountMailsOptions {
  db: Database;
  jobs: Jobs;
  mailer: Mailer;
  emailTokens: EmailTokens;
  addresses: Addresses;
  /** Where people reach Duet, without a trailing slash; asked for when a mail is written. */
  publicUrl: () => string;
}

const QUEUE = 'mail';
/**
 * Two weeks of tries: the queue's own keeping time ends it. A try may take as long as a server that lets each of the
 * dozen steps of a mail wait for the mailer's 10 s: one that is given up before would be sent twice.
 */
const RULES = { retries: 20_000, retryDelaySec: 1, retryDelayMaxSec: 60, timeoutSec: 180 };

/** Who deleted the account is still told so; once it is erased there is no address. */
const readUser = sql<{ email: StoredText }>('mail-user', 'select email from users where id = $1');
const readRegistration = sql<{ user_id: string; email: StoredText }>(
  'mail-registration',
  'select user_id, email from registrations where id = $1',
);

/** Mails about accounts: queued with the fact that they tell, written and sent by a job. */
export class AccountMails {
  readonly #o: AccountMailsOptions;

  constructor(options: AccountMailsOptions) {
    this.#o = options;
  }

  /** Declares the queue and begins to send. */
  async start(): Promise<void> {
    await this.#o.jobs.declare(QUEUE, RULES);
    await this.#o.jobs.serve<MailJob>(QUEUE, (job, id) => this.#send(job, id));
  }

  /** Queues a mail in the caller's transaction; call `wake` after the commit. */
  async add(tx: Sql, job: MailJob): Promise<void> {
    await this.#o.jobs.add(tx, QUEUE, job);
  }

  wake(): void {
    this.#o.jobs.wake(QUEUE);
  }

  async #send(job: MailJob, id: string): Promise<void> {
    const written = await this.#write(job);
    // Nobody to write to any more: the account was erased, or the address verified in the meantime.
    if (written !== undefined) await this.#o.mailer.send({ ...written, id });
  }

  async #write(job: MailJob): Promise<(MailText & { to: string }) | undefined> {
    if (job.kind === 'verify') return this.#writeVerify(job.registrationId);
    const [user] = await this.#o.db.query(readUser, [job.userId]);
    if (user === undefined) return undefined;
    return { to: this.#o.addresses.read(user.email), ...(await this.#text(job)) };
  }

  async #writeVerify(registrationId: string): Promise<(MailText & { to: string }) | undefined> {
    const { db, emailTokens, addresses } = this.#o;
    const [registration] = await db.query(readRegistration, [registrationId]);
    if (registration === undefined) return undefined;
    const token = await db.transaction((tx) =>
      emailTokens.forRegistration(tx, registration.user_id, registrationId),
    );
    return { to: addresses.read(registration.email), ...verifyMail(this.#link('verify-email', token)) };
  }

  async #text(job: Exclude<MailJob, { kind: 'verify' }>): Promise<MailText> {
    const forgot = `${this.#o.publicUrl()}/forgot-password`;
    switch (job.kind) {
      case 'account-exists':
        return accountExistsMail(forgot);
      case 'reset': {
        const token = await this.#o.db.transaction((tx) => this.#o.emailTokens.forReset(tx, job.userId));
        return resetMail(this.#link('reset-password', token));
      }
      case 'password-changed':
        return passwordChangedMail(mailTime(job.at), forgot);
      case 'new-device':
        return newDeviceMail(job.deviceName, job.address, mailTime(job.at), forgot);
      case 'account-deleted':
        return accountDeletedMail(mailTime(job.until), this.#o.publicUrl());
      case 'account-restored':
        return accountRestoredMail(mailTime(job.at), forgot);
      case 'session-reused':
        return sessionReusedMail(job.deviceName, mailTime(job.at), forgot);
    }
  }

  #link(page: string, token: string): string {
    return `${this.#o.publicUrl()}/${page}?token=${token}`;
  }
}
