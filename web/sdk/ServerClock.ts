/**
 * The server's clock as seen from here. Every seat carries the server's time; the sample with the shortest round
 * trip is the best one. Runs on the page's monotonic clock, so a step of the wall clock moves no countdown.
 */
export class ServerClock {
  #offsetMs = 0;
  #bestRoundTripMs = Number.POSITIVE_INFINITY;

  /** Epoch milliseconds by the server's clock. */
  now(): number {
    return localNow() + this.#offsetMs;
  }

  /** Takes a sample: the server said `serverNowMs` in an answer asked for at `askedAtMs` (of `localNow`). */
  sample(serverNowMs: number, askedAtMs: number): void {
    const answeredAtMs = localNow();
    const roundTripMs = answeredAtMs - askedAtMs;
    // An old best sample must not win for ever: clocks drift. So it slowly becomes worse.
    this.#bestRoundTripMs *= 1.5;
    const offsetMs = serverNowMs + roundTripMs / 2 - answeredAtMs;
    // Each is right to half its round trip. What a slow one contradicts all the same is wrong: this machine's clock stood
    // still while it slept.
    const agrees = Math.abs(offsetMs - this.#offsetMs) <= (roundTripMs + this.#bestRoundTripMs) / 2;
    if (roundTripMs > this.#bestRoundTripMs && agrees) return;
    this.#bestRoundTripMs = roundTripMs;
    this.#offsetMs = offsetMs;
  }
}

/** Epoch milliseconds by this machine, monotonic. */
export function localNow(): number {
  return performance.timeOrigin + performance.now();
}
