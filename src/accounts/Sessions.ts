import { type Clock, isoTime } from '../clock.ts';
import { DAY_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { AccessTokens, Principal } from './AccessTokens.ts';
import type { AccountMails } from './AccountMails.ts';
import type { Audit } from './Audit.ts';
import { type Client, deviceName, shortAddress } from './client.ts';
import type { ReadRefreshToken, RefreshTokens } from './RefreshTokens.ts';
import type { Revocations } from './Revocations.ts';
import { judgeRefresh } from './refreshRule.ts';
import {
  deleteOld,
  insertSession,
  listLive,
  readSession,
  renewSession,
  revokeAll,
  revokeBeyond,
  revokeOne,
  rotateSession,
  type SessionRow,
} from './sessionStatements.ts';
import type { SessionItem } from './shapes.ts';

export interface SessionsOptions {
  db: Database;
  clock: Clock;
  accessTokens: AccessTokens;
  refreshTokens: RefreshTokens;
  revocations: Revocations;
  audit: Audit;
  mails: AccountMails;
}

/** What a client gets to be signed in with. Times are epoch milliseconds. */
export interface Grant {
  userId: string;
  sessionId: string;
  deviceId: string;
  accessToken: string;
  accessTokenExpiresAt: number;
  refreshToken: string;
  refreshTokenExpiresAt: number;
}

/** A session that was written but not committed: `grant` it after the commit. */
export interface OpenedSession extends Principal {
  deviceId: string;
  refreshToken: string;
  expiresAt: number;
  /** Older sessions that this one ended. */
  ended: string[];
}

/** Why a session ended. */
export type RevokedFor =
  | 'logout'
  | 'revoked'
  | 'too_many'
  | 'reuse'
  | 'password'
  | 'email_verified'
  | 'status'
  | 'deleted';

const REFRESH_TOKEN_MS = 30 * DAY_MS;
/** Sessions of one user at a time; one more ends the oldest. */
const MAX_PER_USER = 10;
const KEEP_ENDED_MS = 30 * DAY_MS;

/** Sign-ins: families of refresh tokens, one row each, and the access tokens that come with them. */
export class Sessions {
  readonly #o: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#o = options;
  }

  /** Opens a session in the caller's transaction, in which the user's row is locked. */
  async open(tx: Sql, user: { id: string; role: 'user' | 'admin' }, client: Client): Promise<OpenedSession> {
    const now = this.#o.clock.now();
    const sessionId = newId();
    const deviceId = client.deviceId ?? newId();
    const refreshToken = this.#o.refreshTokens.first(sessionId);
    const expiresAt = now + REFRESH_TOKEN_MS;
    await tx.query(insertSession, [
      sessionId,
      user.id,
      this.#o.refreshTokens.hash(refreshToken),
      deviceId,
      deviceName(client.userAgent),
      shortAddress(client.address),
      new Date(now),
      new Date(expiresAt),
    ]);
    const ended = ids(await tx.query(revokeBeyond, [user.id, new Date(now), 'too_many', MAX_PER_USER]));
    await this.#recordRevoked(tx, user.id, ended, 'too_many');
    return { userId: user.id, role: user.role, sessionId, deviceId, refreshToken, expiresAt, ended };
  }

  /** Signs the access token of a session that was committed, and tells of those that it ended. */
  async grant(opened: OpenedSession): Promise<Grant> {
    this.announce(opened.userId, opened.ended);
    return this.#grant(opened, opened.deviceId, opened.refreshToken, opened.expiresAt);
  }

  /**
   * The next tokens of a session. Throws UNAUTHORIZED for a token that is not good, REFRESH_REUSED (and ends the
   * session) for one that was good once, ACCOUNT_SUSPENDED.
   */
  async refresh(token: string, client: Client): Promise<Grant> {
    const { db, clock, refreshTokens } = this.#o;
    const read = refreshTokens.read(token);
    if (read === undefined) throw new DuetError('UNAUTHORIZED');
    const { sessionId } = read;
    const child = refreshTokens.child(token);
    const now = clock.now();
    const [rotated] = await db.query(rotateSession, [
      sessionId,
      read.hash,
      refreshTokens.hash(child),
      new Date(now),
      new Date(now + REFRESH_TOKEN_MS),
      shortAddress(client.address),
      newId(),
      deviceName(client.userAgent),
    ]);
    if (rotated !== undefined) {
      const principal = { userId: rotated.user_id, sessionId, role: rotated.role };
      return this.#grant(principal, rotated.device_id, child, rotated.expires_at);
    }
    return this.#refreshAgain(token, read, client, now);
  }

  /** Ends one session of a user; false when there is no such live session. */
  async revoke(userId: string, sessionId: string, why: RevokedFor, client?: Client): Promise<boolean> {
    const ended = await this.#o.db.transaction(async (tx) => {
      const rows = await tx.query(revokeOne, [sessionId, userId, new Date(this.#o.clock.now()), why]);
      await this.#recordRevoked(tx, userId, ids(rows), why, client);
      return ids(rows);
    });
    this.announce(userId, ended);
    return ended.length > 0;
  }

  /**
   * Ends all sessions of a user in the caller's transaction, but `keep`. Returns their ids: hand them to `announce`
   * after the commit.
   */
  async revokeAll(
    tx: Sql,
    userId: string,
    why: RevokedFor,
    options: { keep?: string; client?: Client } = {},
  ): Promise<string[]> {
    const rows = await tx.query(revokeAll, [
      userId,
      new Date(this.#o.clock.now()),
      why,
      options.keep ?? null,
    ]);
    await this.#recordRevoked(tx, userId, ids(rows), why, options.client);
    return ids(rows);
  }

  /** Tells every process of sessions that ended, after the commit. */
  announce(userId: string, sessionIds: string[]): void {
    this.#o.revocations.announce({ userId, sessionIds });
  }

  /** Gives the live session `principal` new tokens in the caller's transaction; the ones before are void. Throws UNAUTHORIZED. */
  async renew(tx: Sql, principal: Principal): Promise<OpenedSession> {
    const now = this.#o.clock.now();
    const refreshToken = this.#o.refreshTokens.first(principal.sessionId);
    const [row] = await tx.query(renewSession, [
      principal.sessionId,
      principal.userId,
      this.#o.refreshTokens.hash(refreshToken),
      new Date(now),
      new Date(now + REFRESH_TOKEN_MS),
    ]);
    if (row === undefined) throw new DuetError('UNAUTHORIZED');
    const { device_id: deviceId, expires_at: expiresAt } = row;
    return { ...principal, deviceId, refreshToken, expiresAt, ended: [] };
  }

  /** The live sessions of a user, the last used first. */
  async list(principal: Principal): Promise<SessionItem[]> {
    const rows = await this.#o.db.query(listLive, [principal.userId, new Date(this.#o.clock.now())]);
    return rows.map((row) => ({
      id: row.id,
      current: row.id === principal.sessionId,
      deviceId: row.device_id,
      deviceName: row.device_name,
      address: row.address,
      createdAt: isoTime(row.created_at)!,
      lastUsedAt: isoTime(row.last_used_at)!,
      expiresAt: isoTime(row.expires_at)!,
    }));
  }

  /** Deletes sessions that ended 30 days ago. */
  async forgetOld(): Promise<void> {
    await this.#o.db.query(deleteOld, [new Date(this.#o.clock.now() - KEEP_ENDED_MS)]);
  }

  /** A token that is not the good one of its session: its parent, an old one, or none at all. */
  async #refreshAgain(token: string, read: ReadRefreshToken, client: Client, now: number): Promise<Grant> {
    const { sessionId } = read;
    const [session] = await this.#o.db.query(readSession, [sessionId]);
    if (session === undefined) throw new DuetError('UNAUTHORIZED');
    const userId = session.user_id;
    const verdict = judgeRefresh(session, read, now);
    if (verdict === 'child_again') {
      const child = this.#o.refreshTokens.childWithHash(token, session.token_hash);
      const principal = { userId, sessionId, role: session.role };
      if (child !== undefined) return this.#grant(principal, session.device_id, child, session.expires_at);
    }
    if (verdict === 'reused') {
      await this.#endReused(session, sessionId, client, now);
      throw new DuetError('REFRESH_REUSED');
    }
    // The parent of a token that is nobody's child: the password was changed just now.
    const details = { verdict: verdict === 'child_again' ? 'renewed' : verdict };
    const action = 'session_refresh_refused';
    await this.#o.audit.record(this.#o.db, { action, userId, sessionId, client, details });
    throw new DuetError(verdict === 'suspended' ? 'ACCOUNT_SUSPENDED' : 'UNAUTHORIZED');
  }

  /** In a transaction of its own: the refusal that follows must not undo it. */
  async #endReused(session: SessionRow, sessionId: string, client: Client, now: number): Promise<void> {
    const { db, audit, mails } = this.#o;
    const { user_id: userId, device_name: deviceName } = session;
    const ended = await db.transaction(async (tx) => {
      const rows = await tx.query(revokeOne, [sessionId, userId, new Date(now), 'reuse']);
      // Of many that come at the same time, one tells.
      if (rows.length === 0) return [];
      await audit.record(tx, { action: 'session_reused', userId, sessionId, client });
      await this.#recordRevoked(tx, userId, ids(rows), 'reuse', client);
      await mails.add(tx, { kind: 'session-reused', userId, deviceName, at: now });
      return ids(rows);
    });
    this.announce(userId, ended);
    mails.wake();
  }

  async #grant(
    principal: Principal,
    deviceId: string,
    refreshToken: string,
    expiresAt: number,
  ): Promise<Grant> {
    const { userId, sessionId, role } = principal;
    const access = await this.#o.accessTokens.sign({ userId, sessionId, role });
    return {
      userId,
      sessionId,
      deviceId,
      accessToken: access.token,
      accessTokenExpiresAt: access.expiresAt,
      refreshToken,
      refreshTokenExpiresAt: expiresAt,
    };
  }

  async #recordRevoked(
    tx: Sql,
    userId: string,
    sessionIds: string[],
    why: RevokedFor,
    client?: Client,
  ): Promise<void> {
    for (const sessionId of sessionIds) {
      await this.#o.audit.record(tx, {
        action: 'session_revoked',
        userId,
        sessionId,
        client,
        details: { why },
      });
    }
  }
}

function ids(rows: { id: string }[]): string[] {
  return rows.map((row) => row.id);
}
