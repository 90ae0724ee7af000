import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { type Sql, sql } from '../db/sql.ts';
import { newId } from '../ids.ts';
import { deriveKey, type Secrets } from '../platform/keys.ts';
import { type Client, deviceName, shortAddress } from './client.ts';
import { emailKey } from './emailKey.ts';

/** What the security log tells. `…_refused` are refusals; the reason is in `details`. */
export type AuditAction =
  | 'registered'
  | 'registered_again'
  | 'verification_asked'
  | 'email_verified'
  | 'email_verify_refused'
  | 'login'
  | 'login_refused'
  | 'session_refreshed'
  | 'session_refresh_refused'
  | 'session_reused'
  | 'session_revoked'
  | 'password_reset_asked'
  | 'password_reset'
  | 'password_reset_refused'
  | 'password_changed'
  | 'password_change_refused'
  | 'password_rehashed'
  | 'registration_refused'
  | 'status_changed'
  | 'role_changed'
  | 'account_deleted'
  | 'account_delete_refused'
  | 'account_restored'
  | 'account_erased'
  | 'account_exported'
  | 'account_export_refused'
  | 'account_viewed'
  | 'accounts_listed'
  | 'reports_listed'
  | 'log_read'
  | 'stats_read'
  | 'monitor_viewed'
  | 'admin_refused'
  | 'report_handled'
  | 'messages_refused'
  | 'log_chained'
  | 'log_shortened';

export interface AuditEntry {
  action: AuditAction;
  /** Whose account it is about; absent when there is none. */
  userId?: string | undefined;
  /** Who did it, where it was somebody else. */
  actorId?: string | undefined;
  sessionId?: string | undefined;
  /** The email address it is about. Kept as a keyed hash: equal addresses can be seen, none can be read. */
  email?: string | undefined;
  client?: Client | undefined;
  details?: Record<string, string | number | boolean> | undefined;
}

const insertEntry = sql(
  'audit-insert',
  `insert into audit_log (id, at, action, user_id, actor_id, session_id, subject, device, address, details)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
);

/** What a list was asked for, as the log keeps it: the filters that were set, and whether it was a further page. */
export function filtersOf(
  filters: Record<string, string | undefined>,
  cursor: string | undefined,
): Record<string, string | boolean> {
  const set = Object.entries(filters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(set), further: cursor !== undefined };
}

/** The security log: one row for each thing done or refused, in the transaction of the thing where there is one. */
export class Audit {
  readonly #clock: Clock;
  readonly #subjectKey: Buffer;

  constructor(options: { clock: Clock; secrets: Secrets }) {
    this.#clock = options.clock;
    this.#subjectKey = deriveKey(options.secrets.current, 'audit subject');
  }

  async record(tx: Sql, entry: AuditEntry): Promise<void> {
    await tx.query(insertEntry, [
      newId(),
      new Date(this.#clock.now()),
      entry.action,
      entry.userId ?? null,
      entry.actorId ?? null,
      entry.sessionId ?? null,
      entry.email === undefined ? null : this.subject(entry.email),
      entry.client === undefined ? null : deviceName(entry.client.userAgent),
      entry.client === undefined ? null : shortAddress(entry.client.address),
      JSON.stringify(entry.details ?? {}),
    ]);
  }

  /** The keyed hash of an address, also good as a key to count by. */
  subject(email: string): string {
    return createHmac('sha256', this.#subjectKey).update(emailKey(email)).digest('base64url').slice(0, 22);
  }
}
