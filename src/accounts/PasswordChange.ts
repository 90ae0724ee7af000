import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { Principal } from './AccessTokens.ts';
import type { Accounts } from './Accounts.ts';
import { addressKey, type Client } from './client.ts';
import { afterTheAnswer, evenly } from './evenly.ts';
import { mayBeMailed } from './mayBeMailed.ts';
import { choosePassword } from './passwordRules.ts';
import { forgetPredecessor, standingBefore } from './predecessor.ts';
import type { Grant, OpenedSession } from './Sessions.ts';
import { badToken, type SignUpOptions } from './SignUp.ts';
import {
  type AccountRow,
  deleteRegistrations,
  findByEmail,
  isGone,
  latestRegistration,
  lockById,
  markVerified,
  setPassword,
} from './userStatements.ts';

export interface PasswordChangeOptions extends Omit<SignUpOptions, 'documents'> {
  accounts: Accounts;
}

/** New passwords: for who forgot the old one, and for who knows it. */
export class PasswordChange {
  readonly #o: PasswordChangeOptions;

  constructor(options: PasswordChangeOptions) {
    this.#o = options;
  }

  /** Sends a mail with a link to choose a new password, where the address has an account. The answer is always the same. */
  async forgot(email: string, client: Client): Promise<void> {
    const { clock, limits, db, mails, audit, emailTokens, answerStepMs } = this.#o;
    const mayMail = await mayBeMailed(limits, 'reset', audit.subject(email), client);
    await evenly(clock, answerStepMs, async () => {
      const [user] = await db.query(findByEmail, [this.#o.addresses.keysOf(email)]);
      await db.transaction(async (tx) => {
        await audit.record(tx, { action: 'password_reset_asked', userId: user?.id, email, client });
        if (!mayMail || user === undefined || isGone(user, clock.now())) return;
        await emailTokens.voidAll(tx, user.id, 'reset');
        await mails.add(tx, { kind: 'reset', userId: user.id });
      });
      afterTheAnswer(clock, answerStepMs, () => mails.wake());
    });
  }

  /**
   * Sets a new password by the token of a mail and ends every session. Throws VALIDATION_FAILED for a token that is
   * not good or a password anybody would guess. Whoever gets the mail owns the address: it counts as verified, and an
   * account that was not before is emptied.
   */
  async reset(token: string, password: string, client: Client): Promise<void> {
    const { limits, passwords, db, sessions, audit, mails } = this.#o;
    await limits.consume('oneTimeToken', addressKey(client.address));
    // Whose name it must not be is known where the token is used.
    choosePassword(password, 'password', []);
    const passwordHash = await passwords.hash(password);
    // As in `SignUp.verifyEmail`: a predecessor may be moving.
    const done = await retryDeadlocks(() =>
      db.transaction((tx) => this.#reset(tx, token, password, passwordHash, client)),
    );
    if (done === 'banned') throw badToken();
    if (done === undefined) {
      await audit.record(db, { action: 'password_reset_refused', client });
      throw badToken();
    }
    sessions.announce(done.userId, done.ended);
    mails.wake();
    if (done.tookOver) await this.#o.forgetCached(done.userId);
  }

  /**
   * Changes the principal's password: every other session ends, this one gets new tokens. Throws INVALID_CREDENTIALS
   * when the current one is wrong, VALIDATION_FAILED for one anybody would guess.
   */
  async change(principal: Principal, current: string, next: string, client: Client): Promise<Grant> {
    const { accounts, passwords, db, sessions, mails } = this.#o;
    const user = await accounts.confirmPassword(principal, current, client, 'password_change_refused');
    choosePassword(next, 'newPassword', [this.#o.addresses.read(user.email), user.display_name]);
    const passwordHash = await passwords.hash(next);
    const changed = await db.transaction((tx) => this.#change(tx, principal, user, passwordHash, client));
    sessions.announce(principal.userId, changed.ended);
    mails.wake();
    return sessions.grant(changed.opened);
  }

  async #reset(
    tx: Sql,
    token: string,
    password: string,
    passwordHash: string,
    client: Client,
  ): Promise<{ userId: string; ended: string[]; tookOver: boolean } | 'banned' | undefined> {
    const { emailTokens, audit, clock, bans, addresses } = this.#o;
    const used = await emailTokens.use(tx, 'reset', token);
    if (used === undefined || isGone(used.user, clock.now())) return undefined;
    const { user } = used;
    const userId = user.id;
    // Nobody knows who filled in an account whose address was never verified. Of those who registered it, the last one.
    const tookOver = user.email_verified_at === null;
    const email = addresses.read(user.email);
    if (tookOver && (await bans.holds(tx, email, client.deviceId))) {
      // As in `SignUp`: this would verify what was registered before somebody was banned.
      const details = { reason: 'BANNED' };
      await audit.record(tx, { action: 'password_reset_refused', userId, client, details });
      return 'banned';
    }
    const [registration] = tookOver ? await tx.query(latestRegistration, [userId]) : [];
    // A refusal here undoes the transaction: the token is still good for another password.
    choosePassword(password, 'password', [email, registration?.display_name ?? user.display_name]);
    if (tookOver) await forgetPredecessor(tx, userId, registration?.id);
    await tx.query(markVerified, [userId, new Date(clock.now())]);
    const ended = await this.#set(tx, userId, passwordHash, client);
    const details = { tookOver, ...(tookOver && standingBefore(user)) };
    await audit.record(tx, { action: 'password_reset', userId, client, details });
    return { userId, ended, tookOver };
  }

  async #change(
    tx: Sql,
    principal: Principal,
    user: AccountRow,
    passwordHash: string,
    client: Client,
  ): Promise<{ opened: OpenedSession; ended: string[] }> {
    const { userId, sessionId } = principal;
    const [locked] = await tx.query(lockById, [userId]);
    if (locked === undefined || locked.password_hash !== user.password_hash) throw new DuetError('CONFLICT');
    const ended = await this.#set(tx, userId, passwordHash, client, sessionId);
    const opened = await this.#o.sessions.renew(tx, principal);
    await this.#o.audit.record(tx, { action: 'password_changed', userId, sessionId, client });
    return { opened, ended };
  }

  /** A new password voids whatever the old one or its forgetting led to. Returns the sessions that ended. */
  async #set(
    tx: Sql,
    userId: string,
    passwordHash: string,
    client: Client,
    keep?: string,
  ): Promise<string[]> {
    const { sessions, emailTokens, mails, clock } = this.#o;
    await tx.query(setPassword, [userId, passwordHash]);
    await emailTokens.voidAll(tx, userId, 'reset');
    if (keep === undefined) await tx.query(deleteRegistrations, [userId]);
    await mails.add(tx, { kind: 'password-changed', userId, at: clock.now() });
    return sessions.revokeAll(tx, userId, 'password', { keep, client });
  }
}
