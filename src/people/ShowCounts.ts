/**
 * How often each person was shown today. Counted in memory, written every few seconds: whoever was shown often
 * enough rests until tomorrow, so that the same few do not get all the attention.
 */
import type { Clock, Timer } from '../clock.ts';
import { dayOf } from '../days.ts';
import type { Database } from '../db/Database.ts';
import type { Log } from '../log.ts';
import { countShows } from './discoverySql.ts';

export interface ShowCountsOptions {
  db: Database;
  clock: Clock;
  log: Log;
  /** Shows a day, after which a person rests. Default 1,000. */
  showsPerDay?: number;
  /** Default 5,000 ms. */
  flushEveryMs?: number;
}

export class ShowCounts {
  readonly #options: ShowCountsOptions;
  readonly #showsPerDay: number;
  readonly #flushEveryMs: number;
  /** To whom each person was shown since the last writing: a viewer who asks many times at once counts once. */
  #viewers = new Map<string, Set<string>>();
  #timer: Timer | undefined;

  constructor(options: ShowCountsOptions) {
    this.#options = options;
    this.#showsPerDay = options.showsPerDay ?? 1_000;
    this.#flushEveryMs = options.flushEveryMs ?? 5_000;
  }

  /** Counts people whom a viewer had not been shown in the last 24 hours. */
  add(viewerId: string, userIds: readonly string[]): void {
    for (const id of userIds) {
      const viewers = this.#viewers.get(id) ?? new Set();
      this.#viewers.set(id, viewers.add(viewerId));
    }
    this.#timer ??= this.#options.clock.after(this.#flushEveryMs, () => void this.flush());
  }

  /** Writes what was counted. An outage of the database loses a few seconds of counts, which nobody depends on. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#viewers.size === 0) return;
    const { db, clock, log } = this.#options;
    const viewers = this.#viewers;
    this.#viewers = new Map();
    try {
      await db.query(countShows, [
        [...viewers.keys()],
        [...viewers.values()].map(({ size }) => size),
        this.#showsPerDay,
        dayOf(clock.now()),
      ]);
    } catch (error) {
      log.warn({ err: error }, 'Counts of who was shown could not be written');
    }
  }

  close(): Promise<void> {
    return this.flush();
  }
}
