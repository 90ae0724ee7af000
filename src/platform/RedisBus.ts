import type { Redis } from 'ioredis';
import type { Log } from '../log.ts';
import { type Bus, Listeners, RESUMED } from './Bus.ts';
import { failWhileSilent, openRedis, replaceSoon } from './redis.ts';

export interface RedisBusOptions {
  /** redis:// URL. */
  url: string;
  log: Log;
}

/** In front of every channel's name. */
const PREFIX = 'duet:bus:';

/** The bus over Redis publish and subscribe: two connections, since a subscribed one can do nothing else. */
export class RedisBus implements Bus {
  // Others speak here as well, a later release among them: what one does not understand ends nobody.
  readonly #listeners = new Listeners((topic, err) =>
    this.#log.warn({ topic, err }, 'A message on the bus was not understood'),
  );
  readonly #log: Log;
  readonly #out: Redis;
  readonly #in: Redis;
  #isLosing = false;
  #closed = false;

  constructor(options: RedisBusOptions) {
    this.#log = options.log;
    this.#out = openRedis(options.url, options.log);
    this.#in = openRedis(options.url, options.log);
    // ioredis subscribes again by itself after a reconnect, but only to what it once subscribed to: here, all at once.
    this.#in.on('ready', () => {
      const { stream } = this.#in;
      this.#in.psubscribe(`${PREFIX}*`).then(
        () => this.#listeners.tell(RESUMED, {}),
        (error: unknown) => {
          if (this.#closed) return;
          this.#log.warn({ err: error }, 'The bus could not subscribe');
          replaceSoon(stream);
        },
      );
    });
    // What could not be sent was lost to everybody; before the first time there was nothing to send.
    failWhileSilent(this.#out, () => this.publish(RESUMED, {}));
    let wasAway = false;
    this.#out.on('close', () => {
      wasAway = true;
    });
    this.#out.on('ready', () => {
      if (wasAway) this.publish(RESUMED, {});
    });
    this.#in.on('pmessage', (_pattern: string, channel: string, text: string) =>
      this.#arrived(channel, text),
    );
  }

  publish(topic: string, message: object): void {
    this.#out.publish(PREFIX + topic, JSON.stringify(message)).then(
      () => {
        this.#isLosing = false;
      },
      (error: unknown) => {
        // Once an outage, not once a message.
        if (!this.#closed && !this.#isLosing)
          this.#log.warn({ topic, err: error }, 'Messages on the bus are lost');
        this.#isLosing = true;
      },
    );
  }

  subscribe(topic: string, listener: (message: unknown) => void): () => void {
    return this.#listeners.add(topic, listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#in.disconnect();
    this.#out.disconnect();
    return Promise.resolve();
  }

  #arrived(channel: string, text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#log.warn({ channel }, 'A message on the bus was no JSON');
      return;
    }
    this.#listeners.tell(channel.slice(PREFIX.length), message);
  }
}
