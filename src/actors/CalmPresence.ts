import type { EventEmitter } from 'node:events';
import { logger } from '@colyseus/core';
import { RedisPresence } from '@colyseus/redis-presence';
import type { Redis } from 'ioredis';
import { DuetError } from '../errors.ts';
import { replaceSoon, replaceWhenDeaf, Silence } from '../platform/redis.ts';

/**
 * Colyseus' presence over Redis, for which Redis being away is no error. Publishing is a hint whose loss the asker's
 * time-out tells; a subscription is kept and made good when Redis is back (`RedisPresence` subscribes again to all
 * that it was asked for); the counters of processes are for the monitor. The client must fail at once while it is
 * not connected (`enableOfflineQueue: false`), so that nothing here waits.
 */
export class CalmPresence extends RedisPresence {
  // Not for `failWhileSilent`: a subscription that was not answered is heard when Redis goes on.
  readonly #silence = new Silence(() => Promise.all([this.pub.ping(), this.sub.ping()]));
  readonly #waiting = new Set<() => void>();

  // The one of `RedisPresence` lets what a listener throws at an odd message end the process.
  protected override handleSubscription = (channel: string, message: string): void => {
    try {
      (this.subscriptions as EventEmitter).emit(channel, JSON.parse(message));
    } catch (error) {
      logger.warn('a message between processes was not understood', error);
    }
  };

  /** `others`: what is noticed on the connection of which these are duplicates, which may be the first to ask. */
  constructor(redis: Redis, others?: Silence) {
    super(redis.duplicate());
    others?.onBegin(() => this.#silence.suspect());
    this.#silence.onBegin(() => {
      for (const giveUp of this.#waiting) giveUp();
    });
    for (const connection of [this.pub, this.sub]) replaceWhenDeaf(connection as Redis);
  }

  /** Whether other processes can be asked anything just now. A Redis that stands still keeps its connections open. */
  get isConnected(): boolean {
    return !this.#silence.isSilent && this.pub.status === 'ready' && this.sub.status === 'ready';
  }

  /** What another process answers. Rejects with UNAVAILABLE as soon as it is noticed that Redis stands still. */
  async unlessSilent<T>(answer: Promise<T>): Promise<T> {
    const silent = Promise.withResolvers<never>();
    const giveUp = () => silent.reject(new DuetError('UNAVAILABLE'));
    this.#waiting.add(giveUp);
    try {
      return await Promise.race([answer, silent.promise]);
    } finally {
      this.#waiting.delete(giveUp);
    }
  }

  override async channels(pattern?: string): Promise<string[]> {
    return super.channels(pattern).catch(() => []);
  }

  /** Called when the connection is ready. The one of `RedisPresence` leaves it at a refusal. */
  protected override resubscribeAll(): void {
    const topics = (this.subscriptions as EventEmitter).eventNames() as string[];
    if (topics.length > 0) void this.#unlessRefused(() => this.sub.subscribe(...topics));
  }

  override async subscribe(topic: string, callback: (...args: unknown[]) => void): Promise<this> {
    await this.#unlessRefused(() => super.subscribe(topic, callback));
    return this;
  }

  override async unsubscribe(topic: string, callback?: (...args: unknown[]) => void): Promise<this> {
    await super.unsubscribe(topic, callback).catch(() => {});
    return this;
  }

  override async publish(topic: string, data: unknown): Promise<void> {
    await super.publish(topic, data).catch((error) => this.#silence.heed(error));
  }

  override async hset(key: string, field: string, value: string): Promise<boolean> {
    return super.hset(key, field, value).catch(() => false);
  }

  override async hdel(key: string, field: string): Promise<boolean> {
    return super.hdel(key, field).catch(() => false);
  }

  override async hgetall(key: string): Promise<Record<string, string>> {
    return super.hgetall(key).catch(() => ({}));
  }

  override async exists(key: string): Promise<boolean> {
    return super.exists(key).catch(() => false);
  }

  override shutdown(): void {
    this.#silence.end();
    this.sub.disconnect();
    this.pub.disconnect();
  }

  /** What Redis does not let this connection hear, the next one asks for again. */
  async #unlessRefused(subscribe: () => Promise<unknown>): Promise<void> {
    const { stream } = this.sub as Redis;
    await subscribe().catch((error: Error) => {
      this.#silence.heed(error);
      if (error.name !== 'ReplyError') return;
      logger.warn('rooms could not listen to other processes', error);
      replaceSoon(stream);
    });
  }
}
