import type { Clock } from '../src/clock.ts';

/**
 * An allowance that refills steadily: `capacity` at once, `perMin` in a minute. One per client and purpose, in the
 * room's process; taking a token must not wait, so the shared limiter of the HTTP door does not serve here.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #perMs: number;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, perMin: number) {
    this.#clock = clock;
    this.#capacity = perMin;
    this.#perMs = perMin / 60_000;
    this.#tokens = perMin;
    this.#filledAt = clock.now();
  }

  /** Takes one if there is one. */
  take(): boolean {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
