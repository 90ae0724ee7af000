import type { Database } from '../db/Database.ts';
import { type Sql, sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { Addresses } from './Addresses.ts';
import type { Audit } from './Audit.ts';
import { emailKey } from './emailKey.ts';
import type { Sessions } from './Sessions.ts';
import type { AccountRow } from './userStatements.ts';

export interface AdminsOptions {
  db: Database;
  sessions: Sessions;
  audit: Audit;
  addresses: Addresses;
  /** The addresses of the admins. Empty, as a forgotten variable is: nobody becomes one, and nobody stops being one. */
  emails: readonly string[];
  log: Log;
}

const promote = sql(
  'admin-promote',
  `update users set role = 'admin', version = version + 1 where id = $1 and role = 'user'`,
);
const demote = sql<{ id: string }>(
  'admin-demote',
  `update users set role = 'user', version = version + 1
   where role = 'admin' and email_key <> all ($1::text[]) returning id`,
);

const countAdmins = sql<{ admins: number }>(
  'admin-count',
  `select count(*) as admins from users where role = 'admin'`,
);

/**
 * Who is an admin is what the configuration says (`ADMIN_EMAILS`): whoever signs in with a verified address of it
 * becomes one, and who is not on it any more stops being one at the next start. Nothing that is sent over HTTP makes one.
 */
export class Admins {
  readonly #o: AdminsOptions;
  readonly #keys: ReadonlySet<string>;

  constructor(options: AdminsOptions) {
    this.#o = options;
    this.#keys = new Set(options.emails.map(emailKey));
  }

  /** Takes the role from those who are not on the list, where there is one, and ends their sessions. Call at the start. */
  async demoteOthers(): Promise<void> {
    const { db, sessions, audit, addresses, log } = this.#o;
    if (this.#keys.size === 0) {
      const [row] = await db.query(countAdmins);
      if (row!.admins > 0)
        log.warn(row!, 'ADMIN_EMAILS is empty and there are admins: they stay until somebody is on it');
      return;
    }
    const keys = [...this.#keys].flatMap((key) => addresses.keysOf(key));
    const demoted = await db.transaction(async (tx) => {
      const rows = await tx.query(demote, [keys]);
      const ended: { id: string; sessionIds: string[] }[] = [];
      for (const { id } of rows) {
        await audit.record(tx, {
          action: 'role_changed',
          userId: id,
          details: { before: 'admin', after: 'user' },
        });
        ended.push({ id, sessionIds: await sessions.revokeAll(tx, id, 'status') });
      }
      return ended;
    });
    for (const { id, sessionIds } of demoted) sessions.announce(id, sessionIds);
  }

  /** The role of somebody who signs in, in the transaction of the sign-in. */
  async roleOf(tx: Sql, user: AccountRow): Promise<'user' | 'admin'> {
    const { addresses } = this.#o;
    if (user.role === 'admin') return 'admin';
    if (user.email_verified_at === null || !this.#keys.has(emailKey(addresses.read(user.email))))
      return 'user';
    await tx.query(promote, [user.id]);
    await this.#o.audit.record(tx, {
      action: 'role_changed',
      userId: user.id,
      details: { before: 'user', after: 'admin' },
    });
    return 'admin';
  }
}
