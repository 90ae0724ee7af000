/** Blocks: one person's, in force both ways, at once: in the pair's row, in every cache, in a live call. */
import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import { HIGHEST_ID, isId } from '../ids.ts';
import { notOfThisList, type Page } from '../shapes.ts';
import {
  addBlock,
  blockPair,
  isThere,
  keepBoth,
  listBlocked,
  removeBlock,
  severPair,
  unblockPair,
} from './safetySql.ts';
import type { Blocked } from './shapes.ts';

export interface BlocksOptions {
  db: Database;
  clock: Clock;
  /** Ends the match and the call between two people, now. */
  pairSevered: (oneId: string, otherId: string) => Promise<void>;
  /** Makes caches forget whom the two may be shown. */
  forgetCandidates: (userIds: readonly string[]) => Promise<void>;
}

/** After every real row: where a list that runs backwards begins. */
const END_OF_TIME = new Date('9999-12-31T00:00:00Z');

export class Blocks {
  readonly #options: BlocksOptions;

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  /** Blocks somebody; again changes nothing. NOT_FOUND for who is not there, VALIDATION_FAILED for oneself. */
  async block(blockerId: string, blockedId: string): Promise<void> {
    await this.requireThere(blockerId, blockedId);
    await this.blockNow(blockerId, blockedId);
  }

  /** The same for somebody who is known to be there. */
  async blockNow(blockerId: string, blockedId: string): Promise<void> {
    const { db, clock, pairSevered, forgetCandidates } = this.#options;
    await db.transaction(async (tx) => {
      // Who was erased meanwhile needs no block; a report that asks for one stands.
      if ((await tx.query(keepBoth, [blockerId, blockedId])).length < 2) return;
      await tx.query(blockPair, [blockerId, blockedId]);
      await tx.query(addBlock, [blockerId, blockedId, new Date(clock.now())]);
      await tx.query(severPair, [blockerId, blockedId]);
    });
    // First what does not fail: nobody is dealt the other one because a call could not be ended.
    await forgetCandidates([blockerId, blockedId]);
    // At once, instead of with the next sweep, which ends the match when this process dies here.
    await pairSevered(blockerId, blockedId);
  }

  /** Takes a block back; without one it changes nothing. What was ended by it stays ended. */
  async unblock(blockerId: string, blockedId: string): Promise<void> {
    const { db, forgetCandidates } = this.#options;
    await db.transaction(async (tx) => {
      await tx.query(keepBoth, [blockerId, blockedId]);
      // The lock of the pair's row makes a block that comes now wait. Without a row nothing was blocked, and a block may
      // have come since: taking back only its half in the list would leave one that nobody can undo.
      const [pair] = await tx.query(unblockPair, [blockerId, blockedId]);
      if (pair !== undefined) await tx.query(removeBlock, [blockerId, blockedId]);
    });
    await forgetCandidates([blockerId, blockedId]);
  }

  /** Whom somebody blocked, newest first. */
  async list(blockerId: string, page: Page): Promise<{ items: Blocked[]; nextCursor: string | null }> {
    const [beforeAt, beforeId] =
      page.cursor === undefined ? [END_OF_TIME, HIGHEST_ID] : readCursor(page.cursor);
    const rows = await this.#options.db.query(listBlocked, [blockerId, beforeId, beforeAt, page.limit + 1]);
    const shown = rows.slice(0, page.limit);
    const last = shown.at(-1);
    return {
      items: shown.map((row) => ({
        id: row.id,
        displayName: row.display_name,
        blockedAt: isoTime(row.created_at)!,
      })),
      nextCursor: rows.length > page.limit && last !== undefined ? `${last.created_at}.${last.id}` : null,
    };
  }

  /** NOT_FOUND unless the other one is there to be blocked or reported; VALIDATION_FAILED for oneself. */
  async requireThere(userId: string, otherId: string): Promise<void> {
    if (userId === otherId) {
      throw new DuetError('VALIDATION_FAILED', {
        details: [{ path: 'userId', message: 'must be somebody else' }],
      });
    }
    const [answer] = await this.#options.db.query(isThere, [userId, otherId]);
    if (!answer!.there) throw new DuetError('NOT_FOUND');
  }
}

function readCursor(cursor: string): [Date, string] {
  const match = /^(\d{1,15})\.([0-9a-f-]{36})$/.exec(cursor);
  if (match === null || !isId(match[2]!)) throw notOfThisList();
  return [new Date(Number(match[1])), match[2]!];
}
