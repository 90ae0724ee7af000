const SIZE = 1024;

/** Which counters of a key have come: each may come once, and none that is far behind the newest. */
export class ReplayWindow {
  readonly #seen = new Set<bigint>();
  #newest = -1n;

  /** Whether it is the first time, as far as can be told. */
  isFresh(ctr: bigint): boolean {
    return ctr > this.#newest - BigInt(SIZE) && !this.#seen.has(ctr);
  }

  /** Only for what was authenticated: whoever made a counter up must not shut the window for real ones. */
  add(ctr: bigint): void {
    this.#seen.add(ctr);
    if (ctr <= this.#newest) return;
    this.#newest = ctr;
    if (this.#seen.size <= 2 * SIZE) return;
    for (const old of this.#seen) if (old <= ctr - BigInt(SIZE)) this.#seen.delete(old);
  }
}
