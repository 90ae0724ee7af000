import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Config } from '../config.ts';
import { DAY_MS } from '../days.ts';
import { DuetError } from '../errors.ts';

/** How often something may be done, counted in fixed windows that start with the first time. */
export interface LimitRule {
  points: number;
  windowSec: number;
  /**
   * What happens while Redis is away: `refuse` (503) where guessing must stay counted, `local` (counted in this
   * process alone) where people must go on reading.
   */
  whenGone: 'refuse' | 'local';
}

export type LimitName = keyof ReturnType<typeof limitRules>;

export interface LimitsOptions {
  rules: Record<LimitName, LimitRule>;
  /** Counts exactly across processes. Absent: this process alone. */
  redis?: Redis | undefined;
}

const WINDOW_SEC = 15 * 60;
const DAY_SEC = DAY_MS / 1_000;

/** Every allowance of Duet, from the configuration. */
export function limitRules(limits: Config['limits']) {
  const reading = { windowSec: WINDOW_SEC, whenGone: 'local' } as const;
  const guessing = { windowSec: WINDOW_SEC, whenGone: 'refuse' } as const;
  return {
    /** Sign-ins of one account, by the hash of its address. */
    login: { points: limits.login, ...guessing },
    /** Sign-ins from one address, whatever the account: many people may share one. */
    loginAddress: { points: Math.max(limits.login * 20, limits.anonymous), ...guessing },
    /** Checks of a signed-in user's own password. */
    password: { points: limits.login, ...guessing },
    /** Mails to one address that people of one network who are not signed in can cause, each kind by itself. */
    mail: { points: Math.max(10, limits.login * 2), ...guessing },
    /** The same of all networks. */
    mailOverall: { points: 5 * Math.max(10, limits.login * 2), ...guessing },
    /** Guesses of one-time tokens from one address. */
    oneTimeToken: { points: Math.max(50, limits.anonymous), ...guessing },
    /** By purpose, per user; `anonymous` per address. */
    anonymous: { points: limits.anonymous, ...reading },
    browse: { points: limits.browse, ...reading },
    decide: { points: limits.decide, ...reading },
    write: { points: limits.write, ...reading },
    upload: { points: limits.upload, ...reading },
    /** What rings somebody and keeps a call going, per session: one that goes wrong keeps no other from answering. */
    live: { points: limits.live, ...reading },
    /** What gets somebody out of trouble, per session: whoever stole one uses up nobody's but its own. */
    safety: { points: limits.safety, ...reading },
    /** Different people that discovery shows to one viewer. */
    profiles: { points: limits.profilesPerDay, windowSec: DAY_SEC, whenGone: 'local' },
    /**
     * Cards that it shows to one viewer, of the same people again too: ten times all of them is more than anybody looks at.
     * Who raises how often people may look raises how many that shows.
     */
    cards: {
      points: Math.max(10 * limits.profilesPerDay, 30 * limits.browse),
      windowSec: DAY_SEC,
      whenGone: 'local',
    },
  } satisfies Record<string, LimitRule>;
}

/** Counts what people do, exactly across processes when Redis is there. */
export class Limits {
  readonly #byName = new Map<LimitName, RateLimiterMemory | RateLimiterRedis>();

  constructor(options: LimitsOptions) {
    for (const [name, rule] of Object.entries(options.rules) as [LimitName, LimitRule][]) {
      this.#byName.set(name, limiterOf(name, rule, options.redis));
    }
  }

  /**
   * Counts one more for `key`. Throws TOO_MANY_REQUESTS with the seconds to wait when it is one too many, and
   * UNAVAILABLE when it cannot be counted and must be.
   */
  async consume(name: LimitName, key: string): Promise<void> {
    const retryAfterSec = await this.#count(name, key);
    if (retryAfterSec !== undefined) throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec });
  }

  /** Counts one more for `key`; false when it is one too many. Throws UNAVAILABLE like `consume`. */
  async take(name: LimitName, key: string): Promise<boolean> {
    return (await this.#count(name, key)) === undefined;
  }

  /** Counts as many of `wanted` more for `key` as there is room for. Throws UNAVAILABLE like `consume`. */
  async takeUpTo(
    name: LimitName,
    key: string,
    wanted: number,
  ): Promise<{ granted: number; retryAfterSec: number }> {
    const limiter = this.#byName.get(name)!;
    try {
      await limiter.consume(key, wanted);
      return { granted: wanted, retryAfterSec: 0 };
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw new DuetError('UNAVAILABLE', { cause: refusal });
      const granted = Math.max(0, wanted - (refusal.consumedPoints - limiter.points));
      // Given back at once; whoever asks in between is granted less, never more.
      await limiter.reward(key, wanted - granted).catch(() => undefined);
      return { granted, retryAfterSec: secondsUntilRoom(refusal) };
    }
  }

  /** Takes one count back: what was counted beforehand turned out to be right. */
  async giveBack(name: LimitName, key: string): Promise<void> {
    // Redis gone in this very moment costs the caller one point, nothing else.
    await this.#byName
      .get(name)!
      .reward(key, 1)
      .catch(() => undefined);
  }

  async #count(name: LimitName, key: string): Promise<number | undefined> {
    try {
      await this.#byName.get(name)!.consume(key);
      return undefined;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return secondsUntilRoom(refusal);
      throw new DuetError('UNAVAILABLE', { cause: refusal });
    }
  }
}

function secondsUntilRoom(refusal: RateLimiterRes): number {
  return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
}

function limiterOf(
  name: string,
  rule: LimitRule,
  redis: Redis | undefined,
): RateLimiterMemory | RateLimiterRedis {
  const counted = { keyPrefix: `duet:limit:${name}`, points: rule.points, duration: rule.windowSec };
  if (redis === undefined) return new RateLimiterMemory(counted);
  return new RateLimiterRedis({
    ...counted,
    storeClient: redis,
    rejectIfRedisNotReady: true,
    ...(rule.whenGone === 'local' ? { insuranceLimiter: new RateLimiterMemory(counted) } : {}),
  });
}
