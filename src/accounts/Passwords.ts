import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { argon2id, hash, needsRehash, verify } from 'argon2';
import { Semaphore } from '../platform/Semaphore.ts';

export interface PasswordsOptions {
  /** Hashes computed at a time. Default: as many as cores, 3 at most (see `DEFAULT_CONCURRENCY`). */
  concurrency?: number;
  /** Hashes that may wait; beyond it UNAVAILABLE. Default 100: two cores work them off in about 1.5 s. */
  maxWaiting?: number;
}

export interface PasswordCheck {
  ok: boolean;
  /** The hash was made with weaker parameters than today's. */
  outdated: boolean;
}

/** OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane: about 25 ms of one core. */
const PARAMETERS = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** libuv has four threads for everything: one stays free, so that signing and file access never wait for logins. */
const DEFAULT_CONCURRENCY = Math.min(availableParallelism(), 3);
const DEFAULT_MAX_WAITING = 100;

/**
 * Password hashes: argon2id, a few at a time, a bounded number waiting. An account that does not exist costs the
 * same as one that does.
 */
export class Passwords {
  readonly #turns: Semaphore;
  readonly #dummy: string;
  #verifications = 0;

  private constructor(options: PasswordsOptions, dummy: string) {
    this.#turns = new Semaphore(
      options.concurrency ?? DEFAULT_CONCURRENCY,
      options.maxWaiting ?? DEFAULT_MAX_WAITING,
    );
    this.#dummy = dummy;
  }

  /** Makes the hash that stands in for unknown accounts: of a password that nobody knows. */
  static async open(options: PasswordsOptions = {}): Promise<Passwords> {
    return new Passwords(options, await hash(randomBytes(32), PARAMETERS));
  }

  /** Verifications begun since the start, for the metrics. */
  get verifications(): number {
    return this.#verifications;
  }

  /** The PHC string of a new password. Throws UNAVAILABLE when too many wait. */
  hash(password: string): Promise<string> {
    return this.#turns.run(() => hash(password, PARAMETERS));
  }

  /**
   * Checks a password against the stored hash; without one (no such account) the same work comes to `ok: false`.
   * Throws UNAVAILABLE when too many wait.
   */
  check(stored: string | undefined, password: string): Promise<PasswordCheck> {
    return this.#turns.run(async () => {
      this.#verifications += 1;
      const ok = await verify(stored ?? this.#dummy, password);
      return {
        ok: ok && stored !== undefined,
        outdated: stored !== undefined && needsRehash(stored, PARAMETERS),
      };
    });
  }
}
