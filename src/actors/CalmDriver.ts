import type { IRoomCache } from '@colyseus/core';
import { RedisDriver } from '@colyseus/redis-driver';

/** Private by its type. */
interface DriverInside {
  /** The listings that are being read, for all who ask meanwhile; and by the name of the rooms. */
  _concurrentRoomCacheRequest: Promise<unknown> | undefined;
  _roomCacheRequestByName: Record<string, Promise<IRoomCache[]>>;
}

/** Colyseus' driver over Redis, which would give a question that failed as its answer for ever. */
export class CalmDriver extends RedisDriver {
  override async query(...asked: Parameters<RedisDriver['query']>): Promise<IRoomCache[]> {
    try {
      return await super.query(...asked);
    } catch (error) {
      const inside = this as unknown as DriverInside;
      inside._concurrentRoomCacheRequest = undefined;
      inside._roomCacheRequestByName = {};
      throw error;
    }
  }
}
