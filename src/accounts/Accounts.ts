import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError, isRefusal } from '../errors.ts';
import type { Limits } from '../platform/Limits.ts';
import type { AccessTokens, Principal } from './AccessTokens.ts';
import type { AccountMails } from './AccountMails.ts';
import type { Addresses } from './Addresses.ts';
import type { Admins } from './Admins.ts';
import type { Audit } from './Audit.ts';
import type { Bans } from './Bans.ts';
import { addressKey, type Client, deviceName, shortAddress } from './client.ts';
import type { Devices } from './Devices.ts';
import { restore } from './lifeStatements.ts';
import type { Passwords } from './Passwords.ts';
import type { Revocations } from './Revocations.ts';
import type { Grant, OpenedSession, Sessions } from './Sessions.ts';
import type { SessionItem } from './shapes.ts';
import {
  type AccountRow,
  findByEmail,
  findById,
  isGone,
  lockById,
  rehashPassword,
  touchUser,
} from './userStatements.ts';

export interface AccountsOptions {
  db: Database;
  clock: Clock;
  limits: Limits;
  passwords: Passwords;
  accessTokens: AccessTokens;
  sessions: Sessions;
  revocations: Revocations;
  devices: Devices;
  admins: Admins;
  mails: AccountMails;
  audit: Audit;
  addresses: Addresses;
  bans: Bans;
}

/** Why somebody may not come in: what they are told, and what the security log is. */
type LoginRefusal = {
  refused: 'INVALID_CREDENTIALS' | 'ACCOUNT_SUSPENDED';
  reason?: 'BANNED_DEVICE' | 'PASSWORD_CHANGED';
};

/** A sign-in that was written; `restored`: to an account that its owner had deleted. */
type Entered = OpenedSession & { restored: boolean };

const WRONG: LoginRefusal = { refused: 'INVALID_CREDENTIALS' };
const SUSPENDED: LoginRefusal = { refused: 'ACCOUNT_SUSPENDED' };
/** The hash that was looked at is not the account's any more. */
const STALE: LoginRefusal = { refused: 'INVALID_CREDENTIALS', reason: 'PASSWORD_CHANGED' };

/** Refusals of a password that the security log tells. */
const TOLD: ReadonlySet<string> = new Set(['INVALID_CREDENTIALS', 'TOO_MANY_REQUESTS']);

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i;

/** Signing in and out, and who a request is from. */
export class Accounts {
  readonly #o: AccountsOptions;
  #considerAgain: ((userId: string) => Promise<void>) | undefined;

  constructor(options: AccountsOptions) {
    this.#o = options;
  }

  /** Calls `consider` when somebody has a deleted account back, before they are let in: it may suspend them. */
  onRestored(consider: (userId: string) => Promise<void>): void {
    this.#considerAgain = consider;
  }

  /**
   * Who a request is from, by its Authorization header (RFC 6750 section 2.1). Throws UNAUTHORIZED. Asks no
   * database: a session that ended anywhere is known here within a second.
   */
  authenticate(authorization: string | undefined): Principal {
    const token = bearerOf(authorization);
    if (token === undefined) throw new DuetError('UNAUTHORIZED');
    return this.authenticateToken(token);
  }

  /** Whether an Authorization header has no token that was made here, be it good or not any more. */
  isStranger(authorization: string): boolean {
    const token = bearerOf(authorization);
    return token === undefined || !this.#o.accessTokens.isOwn(token);
  }

  /** The same for a bare access token, as rooms get it. */
  authenticateToken(token: string): Principal {
    const principal = this.#o.accessTokens.verify(token);
    if (principal === undefined || this.#o.revocations.has(principal.sessionId))
      throw new DuetError('UNAUTHORIZED');
    return principal;
  }

  /**
   * Signs in. Throws INVALID_CREDENTIALS (after the same work, whether or not there is such an account),
   * ACCOUNT_SUSPENDED (to who knows the password; also from a device of somebody else who is banned),
   * TOO_MANY_REQUESTS, UNAVAILABLE. Who deleted the account and comes back before it is erased has it back.
   */
  async login(email: string, password: string, client: Client): Promise<Grant & { restored: boolean }> {
    const { limits, db, audit, sessions, mails } = this.#o;
    const subject = audit.subject(email);
    // Counted before the password is looked at, so that guesses made at the same time are all counted.
    await this.#count(subject, email, client);
    const find = async () => (await db.query(findByEmail, [this.#o.addresses.keysOf(email)]))[0];
    let user = await find();
    let opened = await this.#enter(user, password, client);
    if (opened === STALE) {
      // Another sign-in made the hash a better one, or the password was changed: once more, against what it is now.
      user = await find();
      opened = await this.#enter(user, password, client);
    }
    if (isRefusal(opened)) return this.#refuse(opened, email, client, user);
    if (opened.restored && !(await this.#mayStay(opened.userId)))
      return this.#refuse(SUSPENDED, email, client, user);
    await limits.giveBack('login', subject);
    mails.wake();
    return { ...(await sessions.grant(opened)), restored: opened.restored };
  }

  /** The next tokens of a session; see `Sessions.refresh`. */
  refresh(refreshToken: string, client: Client): Promise<Grant> {
    return this.#o.sessions.refresh(refreshToken, client);
  }

  /** Ends the principal's session. */
  async logout(principal: Principal, client: Client): Promise<void> {
    await this.#o.sessions.revoke(principal.userId, principal.sessionId, 'logout', client);
  }

  /** The principal's sessions, the last used first. */
  listSessions(principal: Principal): Promise<SessionItem[]> {
    return this.#o.sessions.list(principal);
  }

  /** Ends one of the principal's sessions. Throws NOT_FOUND when they have no such live session. */
  async endSession(principal: Principal, sessionId: string, client: Client): Promise<void> {
    const ended = await this.#o.sessions.revoke(principal.userId, sessionId, 'revoked', client);
    if (!ended) throw new DuetError('NOT_FOUND');
  }

  /**
   * Checks a signed-in user's own password, counted against guessing. Throws INVALID_CREDENTIALS when it is wrong and
   * TOO_MANY_REQUESTS, with a line in the security log that says for what it was asked; UNAUTHORIZED when the account
   * is gone.
   */
  async confirmPassword(
    { userId, sessionId }: Principal,
    password: string,
    client: Client,
    refusal: 'password_change_refused' | 'account_delete_refused',
  ): Promise<AccountRow> {
    const { limits, audit, db } = this.#o;
    try {
      await limits.consume('password', userId);
      const user = await this.#ownAccount(userId, password);
      await limits.giveBack('password', userId);
      return user;
    } catch (error) {
      if (error instanceof DuetError && TOLD.has(error.code)) {
        const details = { reason: error.code };
        await audit.record(db, { action: refusal, userId, sessionId, client, details });
      }
      throw error;
    }
  }

  async #ownAccount(userId: string, password: string): Promise<AccountRow> {
    const { db, passwords } = this.#o;
    const [user] = await db.query(findById, [userId]);
    if (user === undefined || user.status !== 'active') throw new DuetError('UNAUTHORIZED');
    const { ok } = await passwords.check(user.password_hash, password);
    if (!ok) throw new DuetError('INVALID_CREDENTIALS');
    return user;
  }

  async #count(subject: string, email: string, client: Client): Promise<void> {
    const { limits, audit, db } = this.#o;
    try {
      await limits.consume('loginAddress', addressKey(client.address));
      await limits.consume('login', subject);
    } catch (error) {
      if (error instanceof DuetError && error.code === 'TOO_MANY_REQUESTS') {
        await audit.record(db, { action: 'login_refused', email, client, details: { reason: error.code } });
      }
      throw error;
    }
  }

  async #refuse(
    { refused, reason = refused }: { refused: LoginRefusal['refused']; reason?: string },
    email: string,
    client: Client,
    user: AccountRow | undefined,
  ): Promise<never> {
    const { audit, db } = this.#o;
    await audit.record(db, {
      action: 'login_refused',
      userId: user?.id,
      email,
      client,
      details: { reason },
    });
    throw new DuetError(refused);
  }

  /** Complaints of while the account was deleted suspended nobody then: deleting it is no way around that. */
  async #mayStay(userId: string): Promise<boolean> {
    await this.#considerAgain?.(userId);
    const [user] = await this.#o.db.query(findById, [userId]);
    return user?.status === 'active';
  }

  /** Looks at the password, and opens a session for whoever knows it. Without a user the same work comes to a refusal. */
  async #enter(
    user: AccountRow | undefined,
    password: string,
    client: Client,
  ): Promise<Entered | LoginRefusal> {
    const { db, passwords, clock } = this.#o;
    const check = await passwords.check(user?.password_hash, password);
    if (user === undefined || !check.ok || isGone(user, clock.now())) return WRONG;
    if (isSuspended(user)) return SUSPENDED;
    const better = check.outdated ? await passwords.hash(password) : undefined;
    return db.transaction((tx) => this.#open(tx, user, better, client));
  }

  async #open(
    tx: Sql,
    user: AccountRow,
    betterHash: string | undefined,
    client: Client,
  ): Promise<Entered | LoginRefusal> {
    const { clock, sessions, devices, audit, mails, bans } = this.#o;
    const now = clock.now();
    // Locked: two sign-ins at once count each other's sessions, and neither overtakes a change of the password.
    const [locked] = await tx.query(lockById, [user.id]);
    if (locked === undefined) return WRONG;
    if (locked.password_hash !== user.password_hash) return STALE;
    if (isSuspended(locked)) return SUSPENDED;
    const role = await this.#o.admins.roleOf(tx, locked);
    // An admin who tries things out bans people from a device of their own.
    if (role !== 'admin' && (await bans.holdsDevice(tx, client.deviceId, user.id)))
      return { refused: 'ACCOUNT_SUSPENDED', reason: 'BANNED_DEVICE' };
    const restored = locked.status === 'deleted';
    if (restored && !(await this.#restore(tx, user.id, client))) return WRONG;
    const opened = await sessions.open(tx, { id: locked.id, role }, client);
    const { sessionId, deviceId } = opened;
    if (betterHash !== undefined) {
      await tx.query(rehashPassword, [user.id, user.password_hash, betterHash]);
      await audit.record(tx, { action: 'password_rehashed', userId: user.id });
    }
    await tx.query(touchUser, [user.id, new Date(now)]);
    const isNew = await devices.isNew(tx, user.id, deviceId, client.userAgent, now);
    await audit.record(tx, {
      action: 'login',
      userId: user.id,
      sessionId,
      client,
      details: { newDevice: isNew },
    });
    if (isNew) {
      const where = { deviceName: deviceName(client.userAgent), address: shortAddress(client.address) };
      await mails.add(tx, { kind: 'new-device', userId: user.id, ...where, at: now });
    }
    return { ...opened, restored };
  }

  /** Takes the deletion of an account back; false when it is too late. */
  async #restore(tx: Sql, userId: string, client: Client): Promise<boolean> {
    const rows = await tx.query(restore, [userId, new Date(this.#o.clock.now())]);
    if (rows.length === 0) return false;
    await this.#o.audit.record(tx, { action: 'account_restored', userId, client });
    await this.#o.mails.add(tx, { kind: 'account-restored', userId, at: this.#o.clock.now() });
    return true;
  }
}

function isSuspended({ status }: AccountRow): boolean {
  return status === 'suspended' || status === 'banned';
}

function bearerOf(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}
