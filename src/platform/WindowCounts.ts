import { hash } from 'node:crypto';
import { newSecret } from '../ids.ts';

/** A key's window, and what was counted in it. */
export interface Window {
  used: number;
  /** In the clock's time. */
  endsAtMs: number;
}

/** Some 150 bytes each. */
const MAX_KEYS = 200_000;
/** What keys share for which there is no room. */
const SHARED = 65_536;

/**
 * How often keys came, in windows of one length that each begin with a key's first time; in this process's memory. What
 * rate-limiter-flexible has for that bounds nothing and keeps a timer for each key.
 *
 * Bounded, for somebody may have more networks than there is memory. Beyond that new keys are not let in uncounted, nor
 * refused: each is counted together with others, whom a secret hash chooses, until their window ends. Those that were there
 * before are counted by themselves as ever.
 *
 * A window that began in one generation has ended before the next one has: what nobody asks for goes with its generation,
 * and nothing is ever deleted one by one (`LruMap` says why).
 */
export class WindowCounts {
  readonly #windowMs: number;
  readonly #maxYoung: number;
  #young = new Map<string, Window>();
  #old = new Map<string, Window>();
  #youngUntilMs = Number.NEGATIVE_INFINITY;
  readonly #shared = new Map<number, Window>();
  readonly #salt = newSecret();

  /** `maxKeys`: at most, without those that are counted together; 200,000 by default. */
  constructor(windowMs: number, maxKeys = MAX_KEYS) {
    this.#windowMs = windowMs;
    this.#maxYoung = maxKeys / 2;
  }

  /** Keys that there is memory for, those of windows that have ended included, and what others share. */
  get size(): number {
    return this.#young.size + this.#old.size + this.#shared.size;
  }

  /** Counts `points` more for `key`; what there is then. */
  add(key: string, points: number, nowMs: number): Readonly<Window> {
    const window = this.#find(key, nowMs) ?? this.#begin(key, nowMs);
    window.used += points;
    return window;
  }

  /** Takes back what was counted, if its window has not ended. */
  takeBack(key: string, points: number, nowMs: number): void {
    const window = this.#find(key, nowMs);
    if (window !== undefined) window.used = Math.max(0, window.used - points);
  }

  #find(key: string, nowMs: number): Window | undefined {
    const own = this.#young.get(key) ?? this.#old.get(key);
    if (own !== undefined && own.endsAtMs > nowMs) return own;
    // Also when there is room again: nobody is to begin anew by it.
    const shared = this.#shared.size === 0 ? undefined : this.#shared.get(this.#shareOf(key));
    return shared !== undefined && shared.endsAtMs > nowMs ? shared : undefined;
  }

  #begin(key: string, nowMs: number): Window {
    if (nowMs >= this.#youngUntilMs) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngUntilMs = nowMs + this.#windowMs;
    }
    const window = { used: 0, endsAtMs: nowMs + this.#windowMs };
    if (this.#young.size < this.#maxYoung) this.#young.set(key, window);
    else this.#shared.set(this.#shareOf(key), window);
    return window;
  }

  #shareOf(key: string): number {
    return Number.parseInt(hash('sha256', this.#salt + key, 'hex').slice(0, 8), 16) % SHARED;
  }
}
