import type { Clock, Timer } from '../clock.ts';
import type { Log } from '../log.ts';

export interface RoundsOptions {
  clock: Clock;
  log: Log;
  everyMs: number;
  /** One round. What it throws is logged, and the next round tries again. */
  work: () => Promise<unknown>;
  /** What the log says then. */
  failure: string;
}

/** An outage makes a line a minute, not one a round. */
const TELL_EVERY_MS = 60_000;

/** Does something again and again: each time `everyMs` after the last was done, whatever became of it. */
export class Rounds {
  readonly #options: RoundsOptions;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #toldAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Whether it is over: a long round may ask, and end early. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The first round comes after the first pause. */
  start(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(this.#options.everyMs, () => this.startNow());
  }

  /** The first round begins at once. */
  startNow(): void {
    if (this.#closed) return;
    this.#running = this.#options
      .work()
      .then(
        () => {},
        (error: unknown) => this.#tell(error),
      )
      .finally(() => this.start());
  }

  /** No further round; waits for the one that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #tell(err: unknown): void {
    const { clock, log, failure } = this.#options;
    const now = clock.now();
    if (this.#closed || now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    log.warn({ err }, failure);
  }
}
