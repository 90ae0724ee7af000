import { Redis } from 'ioredis';
import type { Log } from '../log.ts';

/** How long a command may take before its caller is told that Redis is gone. */
const COMMAND_TIMEOUT_MS = 500;
const MAX_RECONNECT_DELAY_MS = 1_000;
/** What ioredis says of a command that took longer than its `commandTimeout`. */
const TIMED_OUT = 'Command timed out';
/** How long it may take to answer somebody when it has just not answered somebody else. */
const SUSPICION_MS = 250;
/** How soon a Redis that did not answer is asked again. */
const ASK_AGAIN_MS = 250;
/** How long one that could not subscribe is kept before another one tries. */
const SUBSCRIBE_AGAIN_MS = 1_000;
/** How often each connection is asked for a sign of life. */
const LISTEN_EVERY_MS = 4_000;

/**
 * A connection to Redis that comes back by itself for ever. While it is away a command fails at once (nothing is
 * queued), and a stalled one after half a second: nobody waits for Redis.
 */
export function openRedis(url: string, log: Log): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: null,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 2_000,
    retryStrategy: (attempt) => Math.min(50 * attempt, MAX_RECONNECT_DELAY_MS),
    // Without a ready check ioredis waits for the answer to its name, and where the connection closes meanwhile calls the
    // next one, which is still to be made, ready for ever.
    disableClientInfo: true,
    // Whoever subscribes does so again when the connection is ready.
    autoResubscribe: false,
    // Who sent a command was told that it failed, and has gone on: nothing of it is done later.
    autoResendUnfulfilledCommands: false,
    // A replica that was the primary stays connected; its name leads to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  replaceWhenDeaf(redis);
  let told = false;
  redis.on('error', (error: Error) => {
    // Once an outage, not once a try.
    if (!told) log.warn({ err: error }, 'Redis is away');
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info({}, 'Redis is back');
    told = false;
  });
  return redis;
}

/**
 * Replaces a connection on which nothing was heard between two questions: a machine that loses its power and an address that
 * moves close none, and whoever only subscribes would wait for ever. ioredis' own `socketTimeout` outlasts the connection
 * that it is for, and ends the next one.
 */
export function replaceWhenDeaf(redis: Redis): void {
  let timer: NodeJS.Timeout | undefined;
  redis.on('ready', () => {
    const { stream } = redis;
    let heardBytes = -1;
    const ask = () => {
      if (stream.bytesRead === heardBytes) {
        stream.destroy(new Error('Nothing was heard from Redis'));
        return;
      }
      heardBytes = stream.bytesRead;
      redis.ping().catch(() => {});
    };
    // Judged after what has arrived is read: in a process that stood still itself the timer comes before the answer.
    timer = setInterval(() => setImmediate(ask), LISTEN_EVERY_MS).unref();
  });
  redis.on('close', () => clearInterval(timer));
}

/** Replaces a connection that may not subscribe: the next one tries anew; not at once, for it may be refused as well. */
export function replaceSoon(stream: Redis['stream']): void {
  setTimeout(() => stream.destroy(), SUBSCRIBE_AGAIN_MS).unref();
}

/** Notices a Redis that stands still, which keeps its connections open, and when it answers again. */
export class Silence {
  readonly #ping: () => Promise<unknown>;
  readonly #answersAgain: () => void;
  readonly #listeners = new Set<() => void>();
  #isSilent = false;
  #again: NodeJS.Timeout | undefined;

  /** `ping` resolves when Redis answers, and rejects otherwise; `answersAgain` is called when it does after a silence. */
  constructor(ping: () => Promise<unknown>, answersAgain = () => {}) {
    this.#ping = ping;
    this.#answersAgain = answersAgain;
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Calls `listener` each time that it is noticed. */
  onBegin(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Looks at how a command failed; after one that was not answered in its time Redis is asked until it answers. */
  heed(error: Error): void {
    if (this.#isSilent || error.message !== TIMED_OUT) return;
    this.#begin();
  }

  /** The same Redis did not answer somebody else: whether it answers here is found out now, not by the next command. */
  suspect(): void {
    if (this.#isSilent) return;
    const timer = setTimeout(() => this.#begin(), SUSPICION_MS).unref();
    const isKnown = () => clearTimeout(timer);
    this.#ping().then(isKnown, isKnown);
  }

  /** Whatever was not answered, nothing is asked any more. */
  end(): void {
    this.#isSilent = false;
    clearTimeout(this.#again);
  }

  #begin(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    for (const listener of this.#listeners) listener();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const answered = await this.#ping().catch(() => undefined);
    if (!this.#isSilent) return;
    if (answered === undefined) {
      this.#again = setTimeout(() => void this.#ask(), ASK_AGAIN_MS).unref();
      return;
    }
    this.#isSilent = false;
    this.#answersAgain();
  }
}

/**
 * From now on, after a command that was not answered in its time all others fail at once until Redis answers: otherwise a
 * request would wait for each of its commands in turn. Not for a connection that subscribes: what it says is to be heard
 * when Redis goes on. `answersAgain` is called when the same connection is answered again.
 * Returns what others may go by who ask the same Redis.
 */
export function failWhileSilent(redis: Redis, answersAgain?: () => void): Silence {
  const silence = new Silence(() => redis.ping(), answersAgain);
  // What stood still is gone. Nothing can be sent until the next connection is made, and what makes it (INFO, SELECT)
  // comes by here as well: refused, it would never be there.
  redis.on('close', () => silence.end());
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    if (silence.isSilent && command.name !== 'ping') {
      command.reject(new Error('Redis does not answer'));
      return command.promise;
    }
    command.promise.catch((error: Error) => {
      if (redis.status === 'ready') silence.heed(error);
    });
    return send(command, stream);
  };
  return silence;
}

/** Resolves when the connection is there, or after `atMostMs`: the start does not depend on Redis. */
export async function waitUntilReady(redis: Redis, atMostMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, atMostMs);
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
