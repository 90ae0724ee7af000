import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { DAY_MS, HOUR_MS } from '../days.ts';
import { type Sql, sql } from '../db/sql.ts';
import { newSecret } from '../ids.ts';
import { type AccountRow, lockById } from './userStatements.ts';

/** What a one-time token of a mail is good for; one kind never passes for the other. */
export type EmailTokenKind = 'verify' | 'reset';

/** How long each is good. The mails say so too (`mailTexts.ts`). */
export const TOKEN_LIFE_MS: Record<EmailTokenKind, number> = { verify: DAY_MS, reset: HOUR_MS / 2 };
const TOKEN_BYTES = 32;

const insertToken = sql(
  'email-token-insert',
  `insert into email_tokens (hash, kind, user_id, registration_id, created_at, expires_at)
   values ($1, $2, $3, $4, $5, $6)`,
);
const findToken = sql<{ user_id: string }>(
  'email-token-find',
  'select user_id from email_tokens where hash = $1 and kind = $2',
);
const deleteToken = sql<{ registration_id: string | null; expires_at: number }>(
  'email-token-delete',
  'delete from email_tokens where hash = $1 and kind = $2 returning registration_id, expires_at',
);
const deleteKind = sql(
  'email-token-delete-kind',
  'delete from email_tokens where user_id = $1 and kind = $2',
);
const deleteOfRegistration = sql(
  'email-token-delete-registration',
  'delete from email_tokens where registration_id = $1',
);
const deleteExpired = sql('email-token-delete-expired', 'delete from email_tokens where expires_at <= $1');

/** One-time tokens in the links of mails. The database has their hashes only. */
export class EmailTokens {
  readonly #clock: Clock;

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock;
  }

  /** A token for a reset of the password. Earlier ones are void. */
  async forReset(tx: Sql, userId: string): Promise<string> {
    await this.voidAll(tx, userId, 'reset');
    return this.#insert(tx, 'reset', userId, null);
  }

  /** A token that verifies the address for one registration. Earlier ones of that registration are void. */
  async forRegistration(tx: Sql, userId: string, registrationId: string): Promise<string> {
    await tx.query(deleteOfRegistration, [registrationId]);
    return this.#insert(tx, 'verify', userId, registrationId);
  }

  /**
   * Uses a token up, in a transaction; undefined when it is unknown, used or too old. The account is locked first, as
   * by everybody who voids its tokens: nobody holds one and waits for the other (docs/reliability.md).
   */
  async use(
    tx: Sql,
    kind: EmailTokenKind,
    token: string,
  ): Promise<{ user: AccountRow; registrationId: string | null } | undefined> {
    const hash = hashOf(kind, token);
    const [found] = await tx.query(findToken, [hash, kind]);
    if (found === undefined) return undefined;
    const [user] = await tx.query(lockById, [found.user_id]);
    const [row] = await tx.query(deleteToken, [hash, kind]);
    if (user === undefined || row === undefined || row.expires_at <= this.#clock.now()) return undefined;
    return { user, registrationId: row.registration_id };
  }

  /** Voids a user's tokens of one kind: the address or the password they were for has changed. */
  async voidAll(tx: Sql, userId: string, kind: EmailTokenKind): Promise<void> {
    await tx.query(deleteKind, [userId, kind]);
  }

  /** Deletes what is too old. */
  async forgetOld(tx: Sql): Promise<void> {
    await tx.query(deleteExpired, [new Date(this.#clock.now())]);
  }

  async #insert(
    tx: Sql,
    kind: EmailTokenKind,
    userId: string,
    registrationId: string | null,
  ): Promise<string> {
    const token = newSecret(TOKEN_BYTES);
    const now = this.#clock.now();
    await tx.query(insertToken, [
      hashOf(kind, token),
      kind,
      userId,
      registrationId,
      new Date(now),
      new Date(now + TOKEN_LIFE_MS[kind]),
    ]);
    return token;
  }
}

function hashOf(kind: EmailTokenKind, token: string): Buffer {
  return createHash('sha256').update(`${kind}:${token}`).digest();
}
