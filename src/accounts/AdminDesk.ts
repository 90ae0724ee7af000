import { type Clock, isoTime } from '../clock.ts';
import { DAY_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import type { Statement } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { HIGHEST_ID, isId, LOWEST_ID } from '../ids.ts';
import { pageOf } from '../shapes.ts';
import type { Principal } from './AccessTokens.ts';
import type { Addresses } from './Addresses.ts';
import { type Audit, type AuditEntry, filtersOf } from './Audit.ts';
import type { AdminUser, AuditItem, AuditQuery, Stats, UserQuery } from './adminShapes.ts';
import {
  type AdminUserRow,
  type AuditRow,
  findUser,
  listAudit,
  listAuditOfAction,
  listAuditOfActor,
  listAuditOfUser,
  listUsers,
  listUsersOfStatus,
  readStats,
  searchUsers,
} from './adminStatements.ts';
import type { Client } from './client.ts';
import { emailKey } from './emailKey.ts';

export interface AdminDeskOptions {
  db: Database;
  clock: Clock;
  audit: Audit;
  addresses: Addresses;
}

type List<T> = { items: T[]; nextCursor: string | null };

/** The monitor's page asks every few seconds: for so long one line in the security log tells of a session's looking. */
const WATCH_MS = 15 * 60_000;

/** What admins look at: accounts, the security log, numbers. That they did is kept in the security log, before the answer. */
export class AdminDesk {
  readonly #o: AdminDeskOptions;
  /** Sessions of admins whose look at the monitor stands in the log → until when that is enough. The oldest first. */
  readonly #watching = new Map<string, number>();

  constructor(options: AdminDeskOptions) {
    this.#o = options;
  }

  /** Accounts, the newest first. */
  async list(actor: Principal, asked: UserQuery, client: Client): Promise<List<AdminUser>> {
    const { query, status, tier, limit, cursor } = asked;
    await this.#note(actor, client, {
      action: 'accounts_listed',
      // The address itself is in no line of the log.
      email: query?.includes('@') ? query : undefined,
      details: { searched: query !== undefined, ...filtersOf({ status, tier }, cursor) },
    });
    const filter = [limit + 1, cursor ?? HIGHEST_ID, status ?? null, tier ?? null] as const;
    const rows =
      query === undefined
        ? await this.#o.db.query(
            status === undefined || status === 'active' ? listUsers : listUsersOfStatus,
            filter,
          )
        : await this.#o.db.query(searchUsers, [
            ...filter,
            beginningOf(emailKey(query)),
            isId(query.toLowerCase()) ? query.toLowerCase() : LOWEST_ID,
            this.#o.addresses.keysOf(query),
          ]);
    return pageOf(rows, limit, (row) => this.#present(row));
  }

  /** One account; NOT_FOUND. */
  async look(actor: Principal, userId: string, client: Client): Promise<AdminUser> {
    const user = await this.find(userId);
    await this.#note(actor, client, { action: 'account_viewed', userId });
    return user;
  }

  async find(userId: string): Promise<AdminUser> {
    const [row] = await this.#o.db.query(findUser, [userId]);
    if (row === undefined) throw new DuetError('NOT_FOUND');
    return this.#present(row);
  }

  /** The security log, the newest first. */
  async log(actor: Principal, asked: AuditQuery, client: Client): Promise<List<AuditItem>> {
    const { userId, actorId, action, limit, cursor } = asked;
    const details = filtersOf({ userId, actorId, action }, cursor);
    await this.#note(actor, client, { action: 'log_read', details });
    const rows = await this.#o.db.query(statementFor(asked), [
      limit + 1,
      cursor ?? HIGHEST_ID,
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
  async stats(actor: Principal, client: Client): Promise<Stats> {
    await this.#note(actor, client, { action: 'stats_read' });
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

  /** An admin looks at the monitor, or goes on looking. */
  async watch(actor: Principal, client: Client): Promise<void> {
    const now = this.#o.clock.now();
    for (const [sessionId, until] of this.#watching) {
      if (until > now) break;
      this.#watching.delete(sessionId);
    }
    if (this.#watching.has(actor.sessionId)) return;
    await this.#note(actor, client, { action: 'monitor_viewed' });
    this.#watching.set(actor.sessionId, now + WATCH_MS);
  }

  /** Somebody who is no admin asked for what is an admin's. */
  async turnAway({ userId, sessionId }: Principal, route: string, client: Client): Promise<void> {
    const entry: AuditEntry = { action: 'admin_refused', userId, sessionId, client, details: { route } };
    await this.#o.audit.record(this.#o.db, entry);
  }

  async #note(actor: Principal, client: Client, entry: AuditEntry): Promise<void> {
    const { userId: actorId, sessionId } = actor;
    await this.#o.audit.record(this.#o.db, { ...entry, actorId, sessionId, client });
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

/** The one whose index finds the fewest lines: those of one person, of one admin, of one kind. */
function statementFor({ userId, actorId, action }: AuditQuery): Statement<AuditRow> {
  if (userId !== undefined) return listAuditOfUser;
  if (actorId !== undefined) return listAuditOfActor;
  return action === undefined ? listAudit : listAuditOfAction;
}
