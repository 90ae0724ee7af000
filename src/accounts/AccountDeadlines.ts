import type { Clock } from '../clock.ts';
import type { Sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import { Rounds } from '../platform/Rounds.ts';
import type { Erasure } from './Erasure.ts';
import { eraseDue, settleDue, settled, whatIsDue } from './lifeStatements.ts';
import type { Sanctions } from './Sanctions.ts';
import type { Settle } from './settle.ts';

export interface AccountDeadlinesOptions {
  db: Sql;
  clock: Clock;
  log: Log;
  sanctions: Sanctions;
  erasure: Erasure;
  settle: Settle;
}

/** How often it is looked. */
const EVERY_MS = 1_000;
/** An account with which it did not work is left alone for this long. */
const AGAIN_AFTER_MS = 30_000;
/** With so many it is not about them (the photo store is away, say): the others are left alone as well until then. */
const MAX_LEFT_ALONE = 100;

/**
 * Does to accounts what time asks for: ends suspensions, erases who left, ends the matches of who is gone. Deadlines are
 * rows, so whatever was due while no process ran is done at the next start; every process looks, and doing a thing
 * twice is the same as once.
 */
export class AccountDeadlines {
  readonly #o: AccountDeadlinesOptions;
  /** Accounts with which it did not work → until when they are left alone. The first to be tried again first. */
  readonly #leaveAlone = new Map<string, number>();
  readonly #rounds: Rounds;

  constructor(options: AccountDeadlinesOptions) {
    this.#o = options;
    const { clock, log } = options;
    const failure = 'Deadlines of accounts could not be kept';
    this.#rounds = new Rounds({ clock, log, everyMs: EVERY_MS, work: () => this.run(), failure });
  }

  start(): void {
    this.#rounds.startNow();
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** Does once what is due. */
  async run(): Promise<void> {
    const { db, clock, sanctions } = this.#o;
    const [due] = await db.query(whatIsDue, [new Date(clock.now())]);
    if (due!.lift) await sanctions.liftDue();
    if (due!.settle) await this.#settle();
    if (due!.erase) await this.#erase();
  }

  async #settle(): Promise<void> {
    const { db, clock, settle } = this.#o;
    const until = new Date(clock.now());
    for (const { id } of await db.query(settleDue, [until, this.#leftAlone()])) {
      if (this.#isOver()) return;
      await this.#attempt(id, async () => {
        await settle(id, true);
        await db.query(settled, [id, until]);
      });
    }
  }

  async #erase(): Promise<void> {
    const { db, clock, erasure } = this.#o;
    for (const { id } of await db.query(eraseDue, [new Date(clock.now()), this.#leftAlone()])) {
      if (this.#isOver()) return;
      await this.#attempt(id, () => erasure.erase(id));
    }
  }

  /** With whom it did not work just now. */
  #leftAlone(): string[] {
    const now = this.#o.clock.now();
    for (const [userId, until] of this.#leaveAlone) {
      if (until > now) break;
      this.#leaveAlone.delete(userId);
    }
    return [...this.#leaveAlone.keys()];
  }

  #isOver(): boolean {
    return this.#rounds.closed || this.#leaveAlone.size >= MAX_LEFT_ALONE;
  }

  async #attempt(userId: string, work: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.#o;
    try {
      await work();
    } catch (error) {
      this.#leaveAlone.set(userId, clock.now() + AGAIN_AFTER_MS);
      log.warn({ err: error, userId }, 'A deadline of an account could not be kept and will be tried again');
    }
  }
}
