import { RedisPresence } from '@colyseus/redis-presence';
import type { Redis } from 'ioredis';
import { ASK_AGAIN_MS, TIMED_OUT } from '../platform/redis.ts';

/**
 * Colyseus' presence over Redis, for which Redis being away is no error. Publishing is a hint whose loss the asker's
 * time-out tells; a subscription is kept and made good when Redis is back (`RedisPresence` subscribes again to all
 * that it was asked for); the counters of processes are for the monitor. The client must fail at once while it is
 * not connected (`enableOfflineQueue: false`), so that nothing here waits.
 */
export class CalmPresence extends RedisPresence {
  #isSilent = false;
  #isShut = false;

  constructor(redis: Redis) {
    super(redis.duplicate());
  }

  /** Whether other processes can be asked anything just now. A Redis that stands still keeps its connections open. */
  get isConnected(): boolean {
    return !this.#isSilent && this.pub.status === 'ready' && this.sub.status === 'ready';
  }

  override async channels(pattern?: string): Promise<string[]> {
    return super.channels(pattern).catch(() => []);
  }

  override async subscribe(topic: string, callback: (...args: unknown[]) => void): Promise<this> {
    await super.subscribe(topic, callback).catch((error) => this.#heed(error));
    return this;
  }

  override async unsubscribe(topic: string, callback?: (...args: unknown[]) => void): Promise<this> {
    await super.unsubscribe(topic, callback).catch(() => {});
    return this;
  }

  override async publish(topic: string, data: unknown): Promise<void> {
    await super.publish(topic, data).catch((error) => this.#heed(error));
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
    this.#isShut = true;
    this.sub.disconnect();
    this.pub.disconnect();
  }

  /** After a command that was not answered in its time nobody is to wait for Redis again before it answers. */
  #heed(error: Error): void {
    if (this.#isSilent || error.message !== TIMED_OUT) return;
    this.#isSilent = true;
    const ask = async () => {
      const answered = await Promise.all([this.pub.ping(), this.sub.ping()]).catch(() => undefined);
      if (answered !== undefined) this.#isSilent = false;
      else if (!this.#isShut) setTimeout(ask, ASK_AGAIN_MS).unref();
    };
    void ask();
  }
}
