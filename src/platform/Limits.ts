import type { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { DAY_MS } from '../days.ts';
import { DuetError } from '../errors.ts';
import { WindowCounts } from './WindowCounts.ts';

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
  clock: Clock;
  /** Counts exactly across processes. Absent: this process alone. */
  redis?: Redis | undefined;
}

/** One rule, and where it is counted: in Redis where there is one, in memory where there is none or it may be away. */
interface Counter {
  points: number;
  redis: RateLimiterRedis | undefined;
  memory: WindowCounts | undefined;
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
  readonly #clock: Clock;
  readonly #byName = new Map<LimitName, Counter>();

  constructor({ rules, clock, redis }: LimitsOptions) {
    this.#clock = clock;
    for (const [name, rule] of Object.entries(rules) as [LimitName, LimitRule][]) {
      this.#byName.set(name, counterOf(name, rule, redis));
    }
  }

  /**
   * Counts one more for `key`. Throws TOO_MANY_REQUESTS with the seconds to wait when it is one too many, and
   * UNAVAILABLE when it cannot be counted and must be.
   */
  async consume(name: LimitName, key: string): Promise<void> {
    const { over, retryAfterSec } = await this.#count(name, key, 1);
    if (over > 0) throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec });
  }

  /** Counts one more for `key`; false when it is one too many. Throws UNAVAILABLE like `consume`. */
  async take(name: LimitName, key: string): Promise<boolean> {
    return (await this.#count(name, key, 1)).over <= 0;
  }

  /** Counts as many of `wanted` more for `key` as there is room for. Throws UNAVAILABLE like `consume`. */
  async takeUpTo(
    name: LimitName,
    key: string,
    wanted: number,
  ): Promise<{ granted: number; retryAfterSec: number }> {
    const { over, retryAfterSec } = await this.#count(name, key, wanted);
    if (over <= 0) return { granted: wanted, retryAfterSec: 0 };
    const granted = Math.max(0, wanted - over);
    // Given back at once; whoever asks in between is granted less, never more.
    await this.#takeBack(name, key, wanted - granted);
    return { granted, retryAfterSec };
  }

  /** Takes one count back: what was counted beforehand turned out to be right. */
  giveBack(name: LimitName, key: string): Promise<void> {
    return this.#takeBack(name, key, 1);
  }

  /** By how many that makes too many, and how long the window lasts. */
  async #count(
    name: LimitName,
    key: string,
    wanted: number,
  ): Promise<{ over: number; retryAfterSec: number }> {
    const { points, redis, memory } = this.#byName.get(name)!;
    let failure: unknown;
    if (redis !== undefined) {
      const counted = await redis.consume(key, wanted).catch((error: unknown) => error);
      if (counted instanceof RateLimiterRes)
        return { over: counted.consumedPoints - points, retryAfterSec: inSeconds(counted.msBeforeNext) };
      failure = counted;
    }
    if (memory === undefined) throw new DuetError('UNAVAILABLE', { cause: failure });
    const now = this.#clock.now();
    const { used, endsAtMs } = memory.add(key, wanted, now);
    return { over: used - points, retryAfterSec: inSeconds(endsAtMs - now) };
  }

  async #takeBack(name: LimitName, key: string, points: number): Promise<void> {
    const { redis, memory } = this.#byName.get(name)!;
    const isBack = await redis?.reward(key, points).then(
      () => true,
      () => false,
    );
    // Redis gone in this very moment costs the caller what was counted there, nothing else.
    if (isBack !== true) memory?.takeBack(key, points, this.#clock.now());
  }
}

function inSeconds(durationMs: number): number {
  return Math.max(1, Math.ceil(durationMs / 1000));
}

function counterOf(
  name: string,
  { points, windowSec, whenGone }: LimitRule,
  redis: Redis | undefined,
): Counter {
  const isLocal = redis === undefined || whenGone === 'local';
  return {
    points,
    redis:
      redis &&
      new RateLimiterRedis({
        keyPrefix: `duet:limit:${name}`,
        points,
        duration: windowSec,
        storeClient: redis,
        rejectIfRedisNotReady: true,
      }),
    memory: isLocal ? new WindowCounts(windowSec * 1000) : undefined,
  };
}
