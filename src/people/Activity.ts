/**
 * Who is about: told by every request and every room joined, written for many people at once and at most every two
 * minutes a person. A person's score follows when it reaches another step.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import type { Log } from '../log.ts';
import { rescore, touch } from './profileSql.ts';

export interface ActivityOptions {
  db: Database;
  clock: Clock;
  log: Log;
  /** How long what was told is gathered before it is written. Default 5,000 ms. */
  flushEveryMs?: number;
}

/** The database keeps the time of activity this exact. */
const EXACT_MINUTES = 2;
/** People written in one statement. */
const AT_ONCE = 1_000;

export class Activity {
  readonly #options: ActivityOptions;
  readonly #flushEveryMs: number;
  #seen = new Set<string>();
  #timer: Timer | undefined;

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#flushEveryMs = options.flushEveryMs ?? 5_000;
  }

  /** Somebody is about, now. Costs nothing. */
  seen(userId: string): void {
    this.#seen.add(userId);
    this.#timer ??= this.#options.clock.after(this.#flushEveryMs, () => void this.flush());
  }

  /** Writes what was told. What an outage loses is told again with the next request. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { db, log } = this.#options;
    // In order, so that two processes that write the same people do not wait for each other in a circle.
    const ids = [...this.#seen].sort();
    this.#seen = new Set();
    try {
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const touched = await db.query(touch, [ids.slice(from, from + AT_ONCE), EXACT_MINUTES]);
        if (touched.length > 0) await db.query(rescore, [touched.map((row) => row.id)]);
      }
    } catch (error) {
      log.warn({ err: error }, 'Who is about could not be written');
    }
  }

  close(): Promise<void> {
    return this.flush();
  }
}
