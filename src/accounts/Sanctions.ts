import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { Principal } from './AccessTokens.ts';
import type { Addresses } from './Addresses.ts';
import type { Audit, AuditEntry } from './Audit.ts';
import type { Bans } from './Bans.ts';
import type { Client } from './client.ts';
import { type LifeRow, liftDue, lockLife, setStatus } from './lifeStatements.ts';
import type { Sessions } from './Sessions.ts';
import { SETTLE_AGAIN_MS, type Settle } from './settle.ts';
import { type GivenStatus, judgeStatusChange, statusAfter } from './statusRule.ts';

export interface SanctionsOptions {
  db: Database;
  clock: Clock;
  sessions: Sessions;
  audit: Audit;
  bans: Bans;
  addresses: Addresses;
  settle: Settle;
  /** In the transaction of the change: keeps the pictures of a banned person from coming back, or allows them again once the ban is lifted. */
  banPictures: (tx: Sql, userId: string, banned: boolean) => Promise<void>;
}

export interface StatusChange {
  status: GivenStatus;
  /** For the other admins and the log. */
  reason: string;
  /** When a suspension ends by itself, epoch ms; absent: when an admin ends it. */
  until?: number | undefined;
}

/** What keeps an account from being used: suspensions, bans, and their end. */
export class Sanctions {
  readonly #o: SanctionsOptions;

  constructor(options: SanctionsOptions) {
    this.#o = options;
  }

  /**
   * An admin's change. In force everywhere within a second: sessions and sockets end, the call and the matches too,
   * with the same words as for any other end. NOT_FOUND; CONFLICT for admins and for who is being erased.
   */
  async change(actor: Principal, userId: string, change: StatusChange, client: Client): Promise<void> {
    const written = await this.#o.db.transaction(async (tx) => {
      const [row] = await tx.query(lockLife, [userId]);
      if (row === undefined) throw new DuetError('NOT_FOUND');
      const refused = judgeStatusChange(actor.userId, standingOf(row), change.status);
      if (refused !== undefined) throw new DuetError(refused);
      return this.#write(tx, row, change, { actorId: actor.userId, sessionId: actor.sessionId, client });
    });
    await this.#enforce(userId, written);
  }

  /**
   * The system's own suspension, until an admin has looked: the same as an admin's. Nothing happens to admins and to who
   * is not active (any more).
   */
  async suspend(userId: string, reason: string): Promise<void> {
    const written = await this.#o.db.transaction(async (tx) => {
      const [row] = await tx.query(lockLife, [userId]);
      if (row?.status !== 'active' || row.role === 'admin') return undefined;
      return this.#write(tx, row, { status: 'suspended', reason }, {});
    });
    if (written !== undefined) await this.#enforce(userId, written);
  }

  /** Writes a change down; resolves with the sessions that it ended, and whether the account is gone for others. */
  async #write(
    tx: Sql,
    row: LifeRow,
    change: StatusChange,
    by: Pick<AuditEntry, 'actorId' | 'sessionId' | 'client'>,
  ): Promise<{ ended: string[]; left: boolean }> {
    const { clock, sessions, bans, banPictures, audit } = this.#o;
    const { id: userId } = row;
    const settleAt = clock.now() + SETTLE_AGAIN_MS;
    const status = statusAfter(standingOf(row), change.status);
    const isGiven = status === change.status && status !== 'active';
    const until = change.status === 'suspended' ? (change.until ?? null) : null;
    await tx.query(setStatus, [
      userId,
      status,
      isGiven ? change.reason : null,
      until === null ? null : new Date(until),
      isGiven ? new Date(settleAt) : null,
    ]);
    // An address that nobody verified is somebody else's, as likely as not.
    const email = row.email_verified_at === null ? undefined : this.#o.addresses.read(row.email);
    if (change.status === 'banned') await bans.add(tx, userId, email);
    else if (row.status === 'banned') await bans.lift(tx, userId);
    // Others may have been banned for the same picture: no other change allows it again.
    if (change.status === 'banned' || row.status === 'banned')
      await banPictures(tx, userId, change.status === 'banned');
    await audit.record(tx, {
      action: 'status_changed',
      userId,
      ...by,
      details: {
        before: row.status,
        after: status,
        reason: change.reason,
        ...(until !== null && { until: isoTime(until)! }),
        ...(row.status_reason !== null && { reasonBefore: row.status_reason }),
        ...(row.status_until !== null && { untilBefore: isoTime(row.status_until)! }),
      },
    });
    return {
      ended: isGiven ? await sessions.revokeAll(tx, userId, 'status') : [],
      left: status !== 'active',
    };
  }

  /** What follows from a change that was committed. */
  async #enforce(userId: string, { ended, left }: { ended: string[]; left: boolean }): Promise<void> {
    this.#o.sessions.announce(userId, ended);
    await this.#o.settle(userId, left).catch(() => {
      // Half done is no harm: the row says when the sweeper does it again.
    });
  }

  /** Ends suspensions whose time is over. */
  async liftDue(): Promise<void> {
    const { db, clock, audit } = this.#o;
    await db.transaction(async (tx) => {
      for (const { id } of await tx.query(liftDue, [new Date(clock.now())])) {
        const details = { before: 'suspended', after: 'active', reason: 'its time was over' };
        await audit.record(tx, { action: 'status_changed', userId: id, details });
      }
    });
  }
}

function standingOf(row: LifeRow) {
  return { id: row.id, role: row.role, status: row.status, eraseAt: row.erase_at };
}
