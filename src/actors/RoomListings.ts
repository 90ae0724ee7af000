/**
 * Which rooms there are, for Colyseus and the monitor. A process's own rooms are in its memory, by id: joining looks
 * nothing up elsewhere and does not get slower with the number of rooms. With Redis they are mirrored there for
 * everybody to see, behind people's backs: Redis being away costs nobody anything, and what it forgot is told again.
 */
import { type IRoomCache, LocalDriver, type MatchMakerDriver, type SortOptions } from '@colyseus/core';
import type { RedisDriver } from '@colyseus/redis-driver';
import type { Clock, Timer } from '../clock.ts';

export interface RoomListingsOptions {
  clock: Clock;
  /** Where the listings are mirrored. Absent: one process. */
  mirror?: RedisDriver;
}

type Conditions = Parameters<MatchMakerDriver['query']>[0];
type Operations = Parameters<MatchMakerDriver['update']>[1];

/** How often changes are mirrored. */
const FLUSH_EVERY_MS = 250;
/** How often everything is mirrored again, for a Redis that forgot. */
const REFRESH_EVERY_MS = 5_000;
/**
 * Rooms whose change Redis could not be told: beyond it those that are gone stay listed, for the monitor to show, until their
 * process is gone as well.
 */
const MAX_WAITING = 20_000;

export class RoomListings implements MatchMakerDriver {
  readonly #clock: Clock;
  readonly #mirror: RedisDriver | undefined;
  readonly #rooms = new Map<string, IRoomCache>();
  readonly #changed = new Set<string>();
  #timer: Timer | undefined;
  #refreshedAt = 0;

  constructor({ clock, mirror }: RoomListingsOptions) {
    this.#clock = clock;
    this.#mirror = mirror;
    if (mirror !== undefined) this.#schedule();
  }

  /** Rooms of which the mirror is still to be told. */
  get waiting(): number {
    return this.#changed.size;
  }

  has(roomId: string): boolean {
    return this.#rooms.has(roomId);
  }

  async insert(room: IRoomCache): Promise<boolean> {
    if (this.#rooms.has(room.roomId)) return false;
    this.#rooms.set(room.roomId, room);
    this.#note(room.roomId);
    return true;
  }

  persist(room: IRoomCache, create = false): boolean {
    if (create) this.#rooms.set(room.roomId, room);
    this.#note(room.roomId);
    return this.#rooms.has(room.roomId);
  }

  update(room: IRoomCache, { $set = {}, $inc = {} }: Operations): boolean {
    Object.assign(room, $set);
    if ($inc.clients !== undefined) room.clients += $inc.clients;
    this.#note(room.roomId);
    return true;
  }

  remove(roomId: string): boolean {
    this.#note(roomId);
    return this.#rooms.delete(roomId);
  }

  async findOne(conditions: Conditions, sort?: SortOptions): Promise<IRoomCache> {
    const own = conditions.roomId === undefined ? undefined : this.#rooms.get(conditions.roomId);
    // Colyseus' type has no "none"; its callers do ask.
    return own ?? ((await this.query(conditions, sort))[0] as IRoomCache);
  }

  async findByIds(roomIds: string[]): Promise<Map<string, IRoomCache>> {
    return new Map(roomIds.flatMap((id) => (this.#rooms.has(id) ? [[id, this.#rooms.get(id)!]] : [])));
  }

  /** All processes' rooms, or this one's while Redis is away. For the monitor; nothing on the way of a call asks. */
  async query(conditions: Conditions, sort?: SortOptions): Promise<IRoomCache[]> {
    const shared = await this.#mirror?.query(conditions, sort).catch(() => undefined);
    if (shared !== undefined) return shared;
    const local = new LocalDriver();
    local.rooms = [...this.#rooms.values()];
    return local.query(conditions, sort);
  }

  /** Called for a process that was found dead. */
  async cleanup(processId: string): Promise<void> {
    await this.#mirror?.cleanup(processId).catch(() => {});
  }

  clear(): void {
    this.#rooms.clear();
  }

  shutdown(): void {
    this.#timer?.cancel();
  }

  #note(roomId: string): void {
    if (this.#mirror !== undefined && this.#changed.size < MAX_WAITING) this.#changed.add(roomId);
  }

  #schedule(): void {
    this.#timer = this.#clock.after(FLUSH_EVERY_MS, () => {
      void this.#flush(this.#mirror!).finally(() => this.#schedule());
    });
  }

  async #flush(mirror: RedisDriver): Promise<void> {
    const now = this.#clock.now();
    const everything = now - this.#refreshedAt >= REFRESH_EVERY_MS;
    const ids = everything ? new Set([...this.#rooms.keys(), ...this.#changed]) : new Set(this.#changed);
    this.#changed.clear();
    if (everything) this.#refreshedAt = now;
    await Promise.all(
      [...ids].map(async (id) => {
        const room = this.#rooms.get(id);
        // Redis is away: told with a later round.
        await (room === undefined ? mirror.remove(id) : mirror.persist(room)).catch(() => this.#note(id));
      }),
    );
  }
}
