/**
 * How people leave for good, in one process: the program's own use cases, without what only accounts have (passwords, mails,
 * photos, the security log). A person has one session, whose id is theirs.
 */
import type { Principal } from '../../src/accounts/AccessTokens.ts';
import { AccountDeadlines } from '../../src/accounts/AccountDeadlines.ts';
import { Departure, type DepartureOptions } from '../../src/accounts/Departure.ts';
import { Erasure, type ErasureOptions } from '../../src/accounts/Erasure.ts';
import { Revocations } from '../../src/accounts/Revocations.ts';
import type { Settle } from '../../src/accounts/settle.ts';
import type { Database } from '../../src/db/Database.ts';
import { type Sql, sql } from '../../src/db/sql.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

const revoke = sql('simulated-revoke', '');

export class SimAccounts {
  readonly #revocations: Revocations;
  readonly #departure: Departure;

  constructor(world: World, process: SimProcess) {
    const { log, durations } = world;
    const { clock, bus, matches } = process;
    const db = process.link as unknown as Database;
    const revocations = new Revocations({ db, bus, clock, log });
    this.#revocations = revocations;
    revocations.onRevoked(({ userId }) => process.signedOut(userId));
    void revocations.start().catch(() => {});
    const settle: Settle = async (userId, left) => {
      if (left) await matches.severAll(userId);
    };
    const audit = { record: async () => {} };
    const removeFiles = async () => {
      if (!world.resting && world.random.chance(0.1)) throw new Error('the store of photos is away');
    };
    const sessions = {
      revokeAll: async (tx: Sql, userId: string) => {
        await tx.query(revoke, [userId, new Date(clock.now())]);
        return [userId];
      },
      announce: (userId: string, sessionIds: string[]) => revocations.announce({ userId, sessionIds }),
    };
    this.#departure = new Departure({
      db,
      clock,
      accounts: { confirmPassword: async () => {} },
      sessions,
      emailTokens: { voidAll: async () => {} },
      mails: { add: async () => {}, wake: () => {} },
      audit,
      settle,
      graceMs: durations.graceMs,
    } as unknown as DepartureOptions);
    const erasure = new Erasure({
      db,
      clock,
      audit,
      removeFiles,
      forget: async () => {},
      addresses: { read: () => '' },
      forgetMails: async () => {},
    } as unknown as ErasureOptions);
    const sanctions = { liftDue: async () => {} } as never;
    new AccountDeadlines({ db, clock, log, sanctions, erasure, settle }).start();
  }

  isSignedOut(userId: string): boolean {
    return this.#revocations.has(userId);
  }

  /** `DELETE /users/me`. */
  leave(userId: string): Promise<number> {
    const principal = { userId, sessionId: userId } as Principal;
    return this.#departure.leave(principal, '', { address: '', userAgent: '' });
  }
}
