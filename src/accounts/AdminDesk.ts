import { type Clock, isoTime } from '../clock.ts';
import { DAY_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import { isId } from '../ids.ts';
import type { Principal } from './AccessTokens.ts';
import type { Addresses } from './Addresses.ts';
import type { Audit } from './Audit.ts';
import type { AdminUser, AuditItem, AuditQuery, Stats, UserQuery } from './adminShapes.ts';
import {
  type AdminUserRow,
  findUser,
  listAudit,
  listUsers,
  readStats,
  searchUsers,
} from './adminStatements.ts';
import type { Caller } from './caller.ts';
import { emailKey } from './emailKey.ts';

export interface AdminDeskOptions {
  db: Database;
  clock: Clock;
  audit: Audit;
  addresses: Addresses;
}

type List<T> = { items: T[]; nextCursor: string | null };

/** Above every UUIDv7. */
const NEWEST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** What admins look at: accounts, the security log, numbers. */
export class AdminDesk {
  readonly #o: AdminDeskOptions;

  constructor(options: AdminDeskOptions) {
    this.#o = options;
  }

  /** Accounts, the newest first. */
  async list({ query, status, tier, limit, cursor }: UserQuery): Promise<List<AdminUser>> {
    const filter = [limit + 1, cursor ?? NEWEST, status ?? null, tier ?? null] as const;
    const rows =
      query === undefined
        ? await this.#o.db.query(listUsers, filter)
        : await this.#o.db.query(searchUsers, [
            ...filter,
            beginningOf(emailKey(query)),
            isId(query.toLowerCase()) ? query.toLowerCase() : NOBODY,
            this.#o.addresses.keysOf(query),
          ]);
    return pageOf(rows, limit, (row) => this.#present(row));
  }

  /** One account; NOT_FOUND. That an admin looked is kept in the security log. */
  async look(actor: Principal, userId: string, caller: Caller): Promise<AdminUser> {
    const user = await this.find(userId);
    await this.#o.audit.record(this.#o.db, {
      action: 'account_viewed',
      userId,
      actorId: actor.userId,
      sessionId: actor.sessionId,
      caller,
    });
    return user;
  }

  async find(userId: string): Promise<AdminUser> {
    const [row] = await this.#o.db.query(findUser, [userId]);
    if (row === undefined) throw new DuetError('NOT_FOUND');
    return this.#present(row);
  }

  /** The security log, the newest first. */
  async log({ userId, actorId, action, limit, cursor }: AuditQuery): Promise<List<AuditItem>> {
    const rows = await this.#o.db.query(listAudit, [
      limit + 1,
      cursor ?? NEWEST,
      userId ?? null,
      actorId ?? null,
      action ?? null,
    ]);
    return pageOf(rows, limit, (row) => ({
      id: row.id,
      at: isoTime(row.at)!,
      action: row.action,
      userId: row.user_id,
      actorId: row.actor_id,
      sessionId: row.session_id,
      device: row.device,
      address: row.address,
      details: row.details,
    }));
  }

  /** How the place does, just now. Counts whole tables: not for a machine to ask every second. */
  async stats(): Promise<Stats> {
    const [row] = await this.#o.db.query(readStats, [new Date(this.#o.clock.now() - DAY_MS)]);
    const { active, suspended, banned, deleted } = row!;
    return {
      users: { active, suspended, banned, deleted },
      registeredToday: row!.registered_today,
      activeToday: row!.active_today,
      activeMatches: row!.active_matches,
      liveCalls: row!.live_calls,
      callsToday: row!.calls_today,
      openReports: row!.open_reports,
    };
  }

  #present(row: AdminUserRow): AdminUser {
    return {
      id: row.id,
      email: this.#o.addresses.read(row.email),
      emailVerified: row.email_verified,
      role: row.role,
      tier: row.tier,
      status: row.status,
      statusReason: row.status_reason,
      statusUntil: isoTime(row.status_until),
      eraseAt: isoTime(row.erase_at),
      displayName: row.display_name,
      gender: row.gender,
      createdAt: isoTime(row.created_at)!,
      lastActiveAt: isoTime(row.last_active_at)!,
      reports: row.reports,
    };
  }
}

/** A LIKE pattern for what begins with `text`. */
function beginningOf(text: string): string {
  return `${text.replace(/[\\%_]/g, '\\$&')}%`;
}

function pageOf<Row extends { id: string }, T>(
  rows: Row[],
  limit: number,
  present: (row: Row) => T,
): List<T> {
  const shown = rows.slice(0, limit);
  return {
    items: shown.map(present),
    nextCursor: rows.length > limit ? shown.at(-1)!.id : null,
  };
}
