import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import type { Addresses } from './Addresses.ts';
import type { Audit } from './Audit.ts';
import { eraseUser, holdPairs, holdWhole, keepCallFacts, lockLife } from './lifeStatements.ts';

export interface ErasureOptions {
  db: Database;
  clock: Clock;
  audit: Audit;
  /** Removes the files of all of a person's photos from the store; throws while it is away. */
  removeFiles: (userId: string) => Promise<void>;
  /** Makes every cache forget a person. */
  forget: (userId: string) => Promise<void>;
  addresses: Addresses;
  /** Empties the development mailbox of an address, where there is one. */
  forgetMails: (email: string) => Promise<void>;
}

/**
 * Erases accounts whose grace period is over: files first, while the rows still say which there are, then every row in
 * one transaction (`holdings.ts` says what becomes of each table). A process that dies in between leaves the account
 * due, and the next one begins again: each step may be done twice.
 */
export class Erasure {
  readonly #o: ErasureOptions;

  constructor(options: ErasureOptions) {
    this.#o = options;
  }

  /** False when the account is not due (any more): somebody signed in to it, or another process was faster. */
  async erase(userId: string): Promise<boolean> {
    const { db, clock, audit, removeFiles, forget, forgetMails, addresses } = this.#o;
    const isDue = (row: { erase_at: number | null } | undefined) =>
      row !== undefined && row.erase_at !== null && row.erase_at <= clock.now();
    const [before] = await db.transaction((tx) => tx.query(lockLife, [userId]));
    if (before === undefined || !isDue(before)) return false;
    // From here on it cannot be had back: what was due stays due.
    await removeFiles(userId);
    // Others may hold a row that goes with the account, and wait for its own: a like makes a match of the two.
    const erased = await retryDeadlocks(() =>
      db.transaction(async (tx) => {
        const [row] = await tx.query(lockLife, [userId]);
        if (!isDue(row)) return false;
        await tx.query(holdWhole, [userId]);
        await tx.query(holdPairs, [userId]);
        await tx.query(keepCallFacts, [userId]);
        await tx.query(eraseUser, [userId]);
        await audit.record(tx, { action: 'account_erased', userId });
        return true;
      }),
    );
    // After the rows: until then a mail may still be on its way.
    if (erased) await forgetMails(addresses.read(before.email));
    await forget(userId);
    return erased;
  }
}
