/**
 * A cache in two steps: this process's memory and, where there is one, Redis. What is forgotten is forgotten by
 * every process (over the bus) and in Redis. A value that was being read from the database while it was forgotten
 * is not kept.
 */
import type { Clock, Timer } from '../clock.ts';
import { type Bus, RESUMED } from './Bus.ts';
import { LruMap } from './LruMap.ts';

/** The part of a Redis client that the cache needs. */
export interface CacheStore {
  mget(keys: string[]): Promise<(string | null)[]>;
  set(key: string, value: string, mode: 'PX', ttlMs: number): Promise<unknown>;
  del(keys: string[]): Promise<unknown>;
}

export interface CacheOptions {
  clock: Clock;
  bus: Bus;
  store?: CacheStore;
}

type Loader<T> = (missing: readonly string[]) => Promise<Map<string, T>>;

interface Entry {
  value: unknown;
  expiresAt: number;
}

/**
 * In this process's memory. The largest are a deck of candidates (sixty ids, two hundred at most: 4 to 12 KB) and a page of
 * matches (8 KB): some 400 MB if there were nothing else. What would keep more bounds it itself.
 */
const MAX_ENTRIES = 50_000;
const TOPIC = 'cache:forget';
/** Another release may run beside this one: the number goes up with each change of the shape of what is kept. */
const PREFIX = 'duet:cache:1:';
/** A second delete in Redis, for a value that another process was just writing from an old read. */
const SECOND_DELETE_MS = 1_000;
/** More than this is not remembered through an outage of Redis: those entries end by their time. */
const MAX_UNFORGOTTEN = 100_000;
/** In one command: Redis does nothing else meanwhile. */
const FORGOTTEN_AT_ONCE = 500;
/** With other processes about, memory keeps a value only this long: a lost message on the bus is made good by it. */
const MEMORY_BESIDE_STORE_MS = 30_000;

export class Cache {
  readonly #clock: Clock;
  readonly #bus: Bus;
  readonly #store: CacheStore | undefined;
  readonly #entries = new LruMap<string, Entry>(MAX_ENTRIES);
  readonly #unsubscribe: (() => void)[];
  /** What Redis must still forget: it was away. */
  readonly #unforgotten = new Set<string>();
  #retry: Timer | undefined;
  /** Keys being loaded right now, with whether they were forgotten meanwhile. */
  readonly #loading = new Map<string, { forgotten: boolean; readers: number }>();

  constructor(options: CacheOptions) {
    this.#clock = options.clock;
    this.#bus = options.bus;
    this.#store = options.store;
    this.#unsubscribe = [
      this.#bus.subscribe(TOPIC, (message) => {
        const { keys } = message as { keys: string[] };
        this.#drop(keys);
      }),
      // What others forgot meanwhile was not heard here.
      this.#bus.subscribe(RESUMED, () => {
        this.#entries.clear();
        this.#drop([...this.#loading.keys()]);
      }),
    ];
  }

  /** One value: from memory, Redis, or `load`. Undefined where `load` knows none either. */
  async one<T>(kind: string, id: string, ttlMs: number, load: Loader<T>): Promise<T | undefined> {
    return (await this.many(kind, [id], ttlMs, load)).get(id);
  }

  /** A value only if some cache has it. */
  async held<T>(kind: string, id: string, ttlMs: number): Promise<T | undefined> {
    return this.one<T>(kind, id, ttlMs, () => Promise.resolve(new Map()));
  }

  /** Loads a value anew, whatever was cached, and keeps it; undefined is not kept. */
  async renew<T>(
    kind: string,
    id: string,
    ttlMs: number,
    load: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const key = `${kind}:${id}`;
    this.#entries.delete(key);
    this.#begin([key]);
    try {
      const value = await load();
      if (value !== undefined) this.#keep(key, value, ttlMs, true);
      else await this.#store?.del([PREFIX + key]).catch(() => {});
      return value;
    } finally {
      this.#end([key]);
    }
  }

  /** Several values by id; only those that no cache has are asked of `load`, in one call. */
  async many<T>(
    kind: string,
    ids: readonly string[],
    ttlMs: number,
    load: Loader<T>,
  ): Promise<Map<string, T>> {
    const found = new Map<string, T>();
    const now = this.#clock.now();
    let missing: string[] = [];
    for (const id of ids) {
      const key = `${kind}:${id}`;
      const entry = this.#entries.get(key);
      if (entry !== undefined && entry.expiresAt > now) {
        found.set(id, entry.value as T);
        continue;
      }
      // Now, and not when others push it out: there may be nothing to take its place.
      if (entry !== undefined) this.#entries.delete(key);
      missing.push(id);
    }
    if (missing.length === 0) return found;
    const keys = missing.map((id) => `${kind}:${id}`);
    this.#begin(keys);
    try {
      missing = await this.#readStore(kind, missing, ttlMs, found);
      if (missing.length === 0) return found;
      for (const [id, value] of await load(missing)) {
        found.set(id, value);
        this.#keep(`${kind}:${id}`, value, ttlMs, true);
      }
      return found;
    } finally {
      this.#end(keys);
    }
  }

  /** Forgets values here and in every other process. Resolves when this process and Redis have forgotten. */
  async forget(kind: string, ids: readonly string[]): Promise<void> {
    const keys = ids.map((id) => `${kind}:${id}`);
    this.#drop(keys);
    this.#bus.publish(TOPIC, { keys });
    if (this.#store === undefined || keys.length === 0) return;
    await this.#forgetInStore(keys);
    this.#clock.after(SECOND_DELETE_MS, () => void this.#forgetLate(keys));
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#retry?.cancel();
    this.#entries.clear();
  }

  /** Whether Redis has forgotten. Its being away must not fail what was already committed: it is told again until it has. */
  async #forgetInStore(keys: readonly string[]): Promise<boolean> {
    try {
      await this.#store!.del(keys.map((key) => PREFIX + key));
      return true;
    } catch {
      for (const key of keys) if (this.#unforgotten.size < MAX_UNFORGOTTEN) this.#unforgotten.add(key);
      this.#retry ??= this.#clock.after(SECOND_DELETE_MS, () => {
        this.#retry = undefined;
        void this.#forgetAgain();
      });
      return false;
    }
  }

  /** For who has read the values from Redis since they were to be forgotten, too. */
  async #forgetLate(keys: readonly string[]): Promise<boolean> {
    const isForgotten = await this.#forgetInStore(keys);
    if (isForgotten) this.#bus.publish(TOPIC, { keys });
    return isForgotten;
  }

  async #forgetAgain(): Promise<void> {
    const all = [...this.#unforgotten];
    for (let i = 0; i < all.length; i += FORGOTTEN_AT_ONCE) {
      const keys = all.slice(i, i + FORGOTTEN_AT_ONCE);
      for (const key of keys) this.#unforgotten.delete(key);
      if (!(await this.#forgetLate(keys))) return;
    }
  }

  #begin(keys: readonly string[]): void {
    for (const key of keys) {
      const loading = this.#loading.get(key);
      if (loading === undefined) this.#loading.set(key, { forgotten: false, readers: 1 });
      else loading.readers++;
    }
  }

  #end(keys: readonly string[]): void {
    for (const key of keys) {
      const loading = this.#loading.get(key)!;
      if (--loading.readers === 0) this.#loading.delete(key);
    }
  }

  #drop(keys: readonly string[]): void {
    for (const key of keys) {
      this.#entries.delete(key);
      const loading = this.#loading.get(key);
      if (loading !== undefined) loading.forgotten = true;
    }
  }

  #keep(key: string, value: unknown, ttlMs: number, alsoInStore: boolean): void {
    if (this.#loading.get(key)?.forgotten) return;
    const memoryMs = this.#store === undefined ? ttlMs : Math.min(ttlMs, MEMORY_BESIDE_STORE_MS);
    this.#entries.set(key, { value, expiresAt: this.#clock.now() + memoryMs });
    if (alsoInStore) this.#store?.set(PREFIX + key, JSON.stringify({ value }), 'PX', ttlMs).catch(() => {});
  }

  /** Fills `found` from Redis; returns what is still missing. An outage counts as an empty cache. */
  async #readStore<T>(kind: string, ids: string[], ttlMs: number, found: Map<string, T>): Promise<string[]> {
    if (this.#store === undefined) return ids;
    const values = await this.#store.mget(ids.map((id) => `${PREFIX}${kind}:${id}`)).catch(() => []);
    return ids.filter((id, i) => {
      const text = values[i];
      if (text == null) return true;
      const kept = readKept(text);
      if (kept === undefined) return true;
      found.set(id, kept.value as T);
      this.#keep(`${kind}:${id}`, kept.value, ttlMs, false);
      return false;
    });
  }
}

/** What this program wrote into Redis; anything else that stands there is as good as nothing. */
function readKept(text: string): { value: unknown } | undefined {
  try {
    const kept: unknown = JSON.parse(text);
    return typeof kept === 'object' && kept !== null && 'value' in kept ? kept : undefined;
  } catch {
    return undefined;
  }
}
