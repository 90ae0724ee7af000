import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { newId } from '../ids.ts';
import { ageAt, MIN_AGE } from '../people/age.ts';
import type { Limits } from '../platform/Limits.ts';
import type { AccountMails } from './AccountMails.ts';
import type { Addresses } from './Addresses.ts';
import type { Audit } from './Audit.ts';
import type { Bans } from './Bans.ts';
import { addressKey, type Client, shortAddress } from './client.ts';
import type { EmailTokens } from './EmailTokens.ts';
import { emailKey } from './emailKey.ts';
import { afterTheAnswer, evenly } from './evenly.ts';
import { mayBeMailed } from './mayBeMailed.ts';
import type { Passwords } from './Passwords.ts';
import { choosePassword } from './passwordRules.ts';
import { forgetPredecessor, standingBefore } from './predecessor.ts';
import type { Sessions } from './Sessions.ts';
import type { RegisterBody } from './shapes.ts';
import {
  deleteRegistrations,
  findByEmail,
  insertRegistration,
  insertUser,
  latestRegistration,
  markVerified,
  readRegistration,
  recordConsents,
  setPassword,
  takeOver,
} from './userStatements.ts';

/** The version in force of each text that whoever registers agrees to. */
export type Documents = Readonly<Record<'terms' | 'privacy', string>>;

export interface SignUpOptions {
  db: Database;
  clock: Clock;
  limits: Limits;
  passwords: Passwords;
  sessions: Sessions;
  emailTokens: EmailTokens;
  mails: AccountMails;
  audit: Audit;
  addresses: Addresses;
  bans: Bans;
  documents: Documents;
  /** Makes every process forget what it cached of a person. */
  forgetCached: (userId: string) => Promise<void>;
  /** What must not tell whether an address is known is answered after a whole number of these; 0: as soon as can be. */
  answerStepMs: number;
}

/**
 * Getting an account. Whether an address has one is a secret: every answer is the same in words and in time.
 *
 * An address that nobody verified may be registered again, by its owner or by somebody else: each registration waits
 * with a link of its own, and the one whose link is followed gets the account. Where networks compete for an address, the
 * password of the registration counts for who follows the link from the network that it came from; anybody else has
 * proved to be the owner of the address, not to know the password, and is mailed a link to choose one.
 */
export class SignUp {
  readonly #o: SignUpOptions;

  constructor(options: SignUpOptions) {
    this.#o = options;
  }

  /** Registers. Throws UNDERAGE, VALIDATION_FAILED (a password anybody would guess), UNAVAILABLE. */
  async register(body: RegisterBody, client: Client): Promise<void> {
    const { clock, limits, passwords, answerStepMs } = this.#o;
    if (ageAt(body.birthDate, clock.now()) < MIN_AGE) throw new DuetError('UNDERAGE');
    choosePassword(body.password, 'password', [body.email, body.displayName]);
    const mayMail = await mayBeMailed(limits, 'register', this.#o.audit.subject(body.email), client);
    await evenly(clock, answerStepMs, async () => {
      const passwordHash = await passwords.hash(body.password);
      // Written down whatever was mailed before: else whoever asks often enough keeps the owner's own from counting.
      await this.#o.db.transaction((tx) => this.#register(tx, body, passwordHash, mayMail, client));
      afterTheAnswer(clock, answerStepMs, () => this.#o.mails.wake());
    });
  }

  /** Verifies an address by the token of a mail. Throws VALIDATION_FAILED for one that is unknown, used or too old. */
  async verifyEmail(token: string, client: Client): Promise<void> {
    await this.#o.limits.consume('oneTimeToken', addressKey(client.address));
    const verify = () => this.#o.db.transaction((tx) => this.#verify(tx, token, client));
    // A predecessor who moves at this moment locks their place before their row; here it is the other way about.
    const verified = await retryDeadlocks(verify);
    if (verified === 'banned') throw badToken();
    if (verified === undefined) {
      await this.#o.audit.record(this.#o.db, { action: 'email_verify_refused', client });
      throw badToken();
    }
    this.#o.sessions.announce(verified.userId, verified.ended);
    this.#o.mails.wake();
    if (verified.tookOver) await this.#o.forgetCached(verified.userId);
  }

  /** Sends the mail of the newest registration again, where there is one: nothing tells which of several asks. */
  async resendVerification(email: string, client: Client): Promise<void> {
    const { clock, limits, db, mails, audit, answerStepMs } = this.#o;
    const mayMail = await mayBeMailed(limits, 'verify', audit.subject(email), client);
    await evenly(clock, answerStepMs, async () => {
      const [user] = await db.query(findByEmail, [this.#o.addresses.keysOf(email)]);
      await db.transaction(async (tx) => {
        // Written for every address: while PostgreSQL takes no writes, all of them fail alike.
        await audit.record(tx, { action: 'verification_asked', userId: user?.id, email, client });
        if (!mayMail || user === undefined || user.email_verified_at !== null) return;
        const [registration] = await tx.query(latestRegistration, [user.id]);
        if (registration !== undefined)
          await mails.add(tx, { kind: 'verify', registrationId: registration.id });
      });
      afterTheAnswer(clock, answerStepMs, () => mails.wake());
    });
  }

  async #register(
    tx: Sql,
    body: RegisterBody,
    passwordHash: string,
    mayMail: boolean,
    client: Client,
  ): Promise<void> {
    const { clock, audit, mails, bans, addresses } = this.#o;
    const now = new Date(clock.now());
    const stored = addresses.store(body.email);
    if (await bans.holds(tx, body.email, client.deviceId)) {
      // Somebody who was banned; they hear what everybody hears, and no mail comes.
      await audit.record(tx, { action: 'registration_refused', email: body.email, client });
      return;
    }
    const profile = [body.displayName, body.birthDate, body.gender, now] as const;
    const [made] = await tx.query(insertUser, [
      newId(),
      stored.email,
      stored.key,
      passwordHash,
      ...profile,
      emailKey(body.email),
    ]);
    const [known] = made === undefined ? await tx.query(findByEmail, [addresses.keysOf(body.email)]) : [];
    const userId = made?.id ?? known?.id;
    // Deleted in this very moment: as if the address were known.
    if (userId === undefined) return;
    const isVerified = known !== undefined && known.email_verified_at !== null;
    const registrationId = newId();
    await audit.record(tx, {
      action: made ? 'registered' : 'registered_again',
      userId,
      email: body.email,
      client,
      ...(!isVerified && { details: { registrationId } }),
    });
    if (isVerified) {
      if (mayMail) await mails.add(tx, { kind: 'account-exists', userId });
      return;
    }
    await tx.query(insertRegistration, [
      registrationId,
      userId,
      made !== undefined,
      stored.email,
      passwordHash,
      ...profile,
      JSON.stringify(this.#o.documents),
    ]);
    // Of the others, the one that gets the account has them recorded then.
    if (made !== undefined) await tx.query(recordConsents, [registrationId]);
    if (mayMail) await mails.add(tx, { kind: 'verify', registrationId });
  }

  async #verify(
    tx: Sql,
    token: string,
    client: Client,
  ): Promise<{ userId: string; ended: string[]; tookOver: boolean } | 'banned' | undefined> {
    const { emailTokens, sessions, passwords, mails, audit, clock, bans } = this.#o;
    const used = await emailTokens.use(tx, 'verify', token);
    if (used === undefined || used.registrationId === null) return undefined;
    const { user, registrationId } = used;
    const userId = user.id;
    const [registration] = await tx.query(readRegistration, [registrationId, userId]);
    if (registration === undefined || user.email_verified_at !== null) return undefined;
    const { first, contested, network } = registration;
    // The owner may have picked a stranger's mail: followed from where it was not asked for, it proves the address only.
    const isDoubtful = contested && network !== shortAddress(client.address);
    const tookOver = !first || isDoubtful;
    const isBanned =
      (!tookOver && user.status === 'banned') ||
      (await bans.holds(tx, this.#o.addresses.read(user.email), client.deviceId));
    if (isBanned) {
      // Registered before somebody was banned. The link is spent.
      const details = { reason: 'BANNED' };
      await audit.record(tx, { action: 'email_verify_refused', userId, client, details });
      return 'banned';
    }
    let ended: string[] = [];
    if (tookOver) {
      // Somebody else registered this address before its owner did: what they set and did is void.
      await tx.query(takeOver, [userId, registrationId]);
      await forgetPredecessor(tx, userId, registrationId);
      ended = await sessions.revokeAll(tx, userId, 'email_verified', { client });
    }
    await tx.query(markVerified, [userId, new Date(clock.now())]);
    await tx.query(deleteRegistrations, [userId]);
    await emailTokens.voidAll(tx, userId, 'reset');
    if (isDoubtful) {
      await tx.query(setPassword, [userId, passwords.ofNobody]);
      await mails.add(tx, { kind: 'reset', userId });
    }
    const details = {
      tookOver,
      ...(isDoubtful && { passwordVoid: true }),
      ...(tookOver && standingBefore(user)),
    };
    await audit.record(tx, { action: 'email_verified', userId, client, details });
    return { userId, ended, tookOver };
  }
}

/** What is said of a one-time token that is not good, whatever the reason. */
export function badToken(): DuetError {
  return new DuetError('VALIDATION_FAILED', {
    details: [{ path: 'token', message: 'is not valid, was used already, or is too old' }],
  });
}
