import type { Database } from '../db/Database.ts';
import type { Principal } from './AccessTokens.ts';
import type { Audit, AuditAction, AuditEntry } from './Audit.ts';
import type { Caller } from './caller.ts';

export interface LookupsOptions {
  db: Database;
  audit: Audit;
}

type Read = Extract<AuditAction, 'accounts_listed' | 'reports_listed' | 'log_read' | 'stats_read'>;

/** That somebody looked at what is for admins, or tried to. */
export class Lookups {
  readonly #o: LookupsOptions;

  constructor(options: LookupsOptions) {
    this.#o = options;
  }

  /** An admin reads. Before the answer: what cannot be noted is not shown. */
  async note(
    actor: Principal,
    action: Read,
    caller: Caller,
    about: Pick<AuditEntry, 'details' | 'email'> = {},
  ): Promise<void> {
    const { userId: actorId, sessionId } = actor;
    await this.#o.audit.record(this.#o.db, { action, actorId, sessionId, caller, ...about });
  }

  /** Somebody who is no admin asked for what is an admin's. */
  async refused(principal: Principal, route: string, caller: Caller): Promise<void> {
    const { userId, sessionId } = principal;
    const details = { route };
    await this.#o.audit.record(this.#o.db, { action: 'admin_refused', userId, sessionId, caller, details });
  }
}
