import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import type { Principal } from './AccessTokens.ts';
import type { Audit } from './Audit.ts';
import type { Bans } from './Bans.ts';
import type { Caller } from './caller.ts';
import { type LifeRow, liftDue, lockLife, setStatus } from './lifeStatements.ts';
import type { Sessions } from './Sessions.ts';
import { SETTLE_AGAIN_MS, type Settle } from './settle.ts';
import { type GivenStatus, judgeStatusChange } from './statusRule.ts';

export interface StandingOptions {
  db: Database;
  clock: Clock;
  sessions: Sessions;
  audit: Audit;
  bans: Bans;
  settle: Settle;
  /** Keeps the pictures of a banned person from coming back, or allows them again once the ban is lifted. */
  banPictures: (userId: string, banned: boolean) => Promise<void>;
}

export interface StatusChange {
  status: GivenStatus;
  /** For the other admins and the log. */
  reason: string;
  /** When a suspension ends by itself, epoch ms; absent: when an admin ends it. */
  until?: number | undefined;
}

/** Whether an account may be used: suspensions, bans, and their end. */
export class Standing {
  readonly #o: StandingOptions;

  constructor(options: StandingOptions) {
    this.#o = options;
  }

  /**
   * An admin's change. In force everywhere within a second: sessions and sockets end, the call and the matches too,
   * with the same words as for any other end. NOT_FOUND; CONFLICT for admins and for who is being erased.
   */
  async change(actor: Principal, userId: string, change: StatusChange, caller: Caller): Promise<void> {
    const { db, sessions, settle, banPictures } = this.#o;
    const { ended, left, wasBanned } = await db.transaction(async (tx) => {
      const [row] = await tx.query(lockLife, [userId]);
      if (row === undefined) throw new DuetError('NOT_FOUND');
      const refused = judgeStatusChange(actor.userId, standingOf(row), change.status);
      if (refused !== undefined) throw new DuetError(refused);
      const settleAt = this.#o.clock.now() + SETTLE_AGAIN_MS;
      const isActive = change.status === 'active';
      const until = change.status === 'suspended' ? (change.until ?? null) : null;
      await tx.query(setStatus, [
        userId,
        change.status,
        isActive ? null : change.reason,
        until === null ? null : new Date(until),
        isActive ? null : new Date(settleAt),
      ]);
      if (change.status === 'banned') await this.#o.bans.add(tx, userId, row.email);
      else if (row.status === 'banned') await this.#o.bans.lift(tx, userId);
      await this.#o.audit.record(tx, {
        action: 'status_changed',
        userId,
        actorId: actor.userId,
        sessionId: actor.sessionId,
        caller,
        details: {
          before: row.status,
          after: change.status,
          reason: change.reason,
          ...(until !== null && { until: isoTime(until)! }),
          ...(row.status_until !== null && { untilBefore: isoTime(row.status_until)! }),
        },
      });
      const ended = isActive ? [] : await sessions.revokeAll(tx, userId, 'status');
      return { ended, left: !isActive, wasBanned: row.status === 'banned' };
    });
    sessions.announce(userId, ended);
    // Others may have been banned for the same picture: no other change allows it again.
    if (change.status === 'banned' || wasBanned) await banPictures(userId, change.status === 'banned');
    await settle(userId, left).catch(() => {
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
