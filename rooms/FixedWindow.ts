import type { Clock } from '../src/clock.ts';

const WINDOW_MS = 60_000;

/**
 * How many messages there may be in a minute: one that begins with its first message, and then anew with the next. One per
 * client and purpose, in the room's process; counting must not wait, so the shared limiter of the HTTP door does not
 * serve here.
 */
export class FixedWindow {
  readonly #clock: Clock;
  readonly #perMin: number;
  #count = 0;
  #endsAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perMin: number) {
    this.#clock = clock;
    this.#perMin = perMin;
  }

  /** Counts one. Whether it is among the allowed. */
  take(): boolean {
    const now = this.#clock.now();
    if (now >= this.#endsAt) {
      this.#count = 0;
      this.#endsAt = now + WINDOW_MS;
    }
    this.#count += 1;
    return this.#count <= this.#perMin;
  }

  /** In how many seconds the window is over. */
  get endsInSec(): number {
    return Math.max(1, Math.ceil((this.#endsAt - this.#clock.now()) / 1000));
  }
}
