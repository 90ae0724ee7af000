import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { needsRehash } from 'argon2';
import { Semaphore } from '../platform/Semaphore.ts';
import { HashingProcess } from './HashingProcess.ts';
import { PARAMETERS } from './hashing.ts';

export interface PasswordsOptions {
  /**
   * Hashes computed at a time. Default: one less than cores, and at least one: hashes on every core at once
   * make others wait for a tick of the scheduler (8 ms), whatever the priorities (`loadtest/loginStorm.ts`).
   */
  concurrency?: number;
  /** Hashes that may wait; beyond it UNAVAILABLE. Default 100: one core works them off in 3 to 5 s. */
  maxWaiting?: number;
}

export interface PasswordCheck {
  ok: boolean;
  /** The hash was made with weaker parameters than today's. */
  outdated: boolean;
}

const DEFAULT_MAX_WAITING = 100;

/**
 * Password hashes: argon2id, a few at a time, a bounded number waiting. An account that does not exist costs the
 * same as one that does.
 */
export class Passwords {
  readonly #turns: Semaphore;
  readonly #hashing: HashingProcess;
  readonly #dummy: string;
  #verifications = 0;

  private constructor(turns: Semaphore, hashing: HashingProcess, dummy: string) {
    this.#turns = turns;
    this.#hashing = hashing;
    this.#dummy = dummy;
  }

  /** Makes the hash that stands in for unknown accounts: of a password that nobody knows. */
  static async open(options: PasswordsOptions = {}): Promise<Passwords> {
    const concurrency = options.concurrency ?? Math.max(1, availableParallelism() - 1);
    const hashing = new HashingProcess(concurrency);
    const dummy = await hashing.hash(randomBytes(32).toString('base64url'));
    return new Passwords(
      new Semaphore(concurrency, options.maxWaiting ?? DEFAULT_MAX_WAITING),
      hashing,
      dummy,
    );
  }

  /** The hash of a password that nobody knows, for an account that has none. */
  get ofNobody(): string {
    return this.#dummy;
  }

  /** Verifications begun since the start, for the metrics. */
  get verifications(): number {
    return this.#verifications;
  }

  /** The PHC string of a new password. Throws UNAVAILABLE when too many wait. */
  hash(password: string): Promise<string> {
    return this.#turns.run(() => this.#hashing.hash(password));
  }

  /**
   * Checks a password against the stored hash; without one (no such account) the same work comes to `ok: false`.
   * Throws UNAVAILABLE when too many wait.
   */
  check(stored: string | undefined, password: string): Promise<PasswordCheck> {
    return this.#turns.run(async () => {
      this.#verifications += 1;
      const ok = await this.#hashing.verify(stored ?? this.#dummy, password);
      return {
        ok: ok && stored !== undefined,
        outdated: stored !== undefined && needsRehash(stored, PARAMETERS),
      };
    });
  }

  close(): void {
    this.#hashing.close();
  }
}
