/**
 * The only file that reads the time.
 *
 * `now()` is epoch milliseconds that never jump: the database's clock read once (`calibrate`), carried on by the
 * process's monotonic clock. A step of the machine's wall clock therefore moves no deadline of a running process.
 */

export interface Clock {
  /** Epoch milliseconds; monotonic inside the process. */
  now(): number;
  /** Runs `fn` once after `delayMs` (at least; a delay over 2^31-1 ms is capped there). */
  after(delayMs: number, fn: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  #epochAtZeroMs = performance.timeOrigin;

  now(): number {
    return Math.floor(this.#epochAtZeroMs + performance.now());
  }

  after(delayMs: number, fn: () => void): Timer {
    const handle = setTimeout(fn, Math.min(Math.max(delayMs, 0), MAX_TIMEOUT_MS));
    return { cancel: () => clearTimeout(handle) };
  }

  /**
   * Takes over the clock that deadlines are written in. `readEpochMs` asks it (the database) once; half of the
   * question's round trip is taken as the way back.
   */
  async calibrate(readEpochMs: () => Promise<number>): Promise<void> {
    const askedAt = performance.now();
    const epochMs = await readEpochMs();
    const answeredAt = performance.now();
    this.#epochAtZeroMs = epochMs + (answeredAt - askedAt) / 2 - answeredAt;
  }
}

/** ISO 8601 UTC of epoch milliseconds, or null. */
export function isoTime(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}

/** Resolves after `delayMs` of the clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/**
 * What `work` comes to, or undefined when that takes longer than `limitMs`. It goes on all the same; nobody hears of how
 * it ends then.
 */
export function inTime<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.after(limitMs, () => resolve(undefined));
  return Promise.race([work, late]).finally(() => timer.cancel());
}
