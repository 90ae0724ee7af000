import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import type { Principal } from './AccessTokens.ts';
import type { AccountMails } from './AccountMails.ts';
import type { Accounts } from './Accounts.ts';
import type { Audit } from './Audit.ts';
import type { Client } from './client.ts';
import type { EmailTokens } from './EmailTokens.ts';
import { forgetSubscriptions, lockLife, markDeleted } from './lifeStatements.ts';
import type { Sessions } from './Sessions.ts';
import { SETTLE_AGAIN_MS, type Settle } from './settle.ts';

export interface DepartureOptions {
  db: Database;
  clock: Clock;
  accounts: Accounts;
  sessions: Sessions;
  emailTokens: EmailTokens;
  mails: AccountMails;
  audit: Audit;
  settle: Settle;
  /** How long a deleted account can be had back by signing in. */
  graceMs: number;
}

/** Somebody deletes the own account: gone for everybody at once, erased after a grace period (`Erasure`). */
export class Departure {
  readonly #o: DepartureOptions;

  constructor(options: DepartureOptions) {
    this.#o = options;
  }

  /**
   * Resolves with when it is erased (epoch ms). Throws INVALID_CREDENTIALS for a wrong password, CONFLICT for an
   * admin: one who leaves is demoted first, so that there is always somebody left to ask.
   */
  async leave(principal: Principal, password: string, client: Client): Promise<number> {
    const { accounts, db, sessions, settle, mails } = this.#o;
    const { userId } = principal;
    await accounts.confirmPassword(principal, password, client, 'account_delete_refused');
    const { ended, eraseAt } = await db.transaction(async (tx) => {
      const [row] = await tx.query(lockLife, [userId]);
      if (row === undefined || row.status !== 'active') throw new DuetError('UNAUTHORIZED');
      if (row.role === 'admin') throw new DuetError('CONFLICT');
      const now = this.#o.clock.now();
      const until = now + this.#o.graceMs;
      await tx.query(markDeleted, [userId, new Date(until), new Date(now + SETTLE_AGAIN_MS)]);
      await tx.query(forgetSubscriptions, [userId]);
      await this.#o.emailTokens.voidAll(tx, userId, 'reset');
      await mails.add(tx, { kind: 'account-deleted', userId, until });
      await this.#o.audit.record(tx, {
        action: 'account_deleted',
        userId,
        sessionId: principal.sessionId,
        client,
      });
      return { ended: await sessions.revokeAll(tx, userId, 'deleted', { client }), eraseAt: until };
    });
    sessions.announce(userId, ended);
    mails.wake();
    await settle(userId, true).catch(() => {
      // Half done is no harm: the row says when the sweeper does it again.
    });
    return eraseAt;
  }
}
