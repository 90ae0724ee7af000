import { describe, expect, it } from 'vitest';
import { type Bus, MemoryBus, RESUMED } from '../../../src/platform/Bus.ts';
import { Cache, type CacheStore } from '../../../src/platform/Cache.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** As much of Redis as the cache uses, in memory; it can be away. */
function fakeStore() {
  const values = new Map<string, string>();
  const store = {
    away: false,
    values,
    async mget(keys: string[]) {
      if (store.away) throw new Error('away');
      return keys.map((key) => values.get(key) ?? null);
    },
    async set(key: string, value: string) {
      if (store.away) throw new Error('away');
      values.set(key, value);
    },
    async del(keys: string[]) {
      if (store.away) throw new Error('away');
      for (const key of keys) values.delete(key);
    },
  };
  return store satisfies CacheStore & { away: boolean };
}

function loader(source: Map<string, number>) {
  const asked: string[][] = [];
  const load = async (ids: readonly string[]) => {
    asked.push([...ids]);
    return new Map(ids.flatMap((id) => (source.has(id) ? [[id, source.get(id)!] as const] : [])));
  };
  return { asked, load };
}

describe('the cache', () => {
  it('lets go of what is over as soon as it meets it, whatever takes its place', async () => {
    const clock = new FakeClock();
    const cache = new Cache({ clock, bus: new MemoryBus() });
    await cache.one('n', 'a', 1_000, loader(new Map([['a', 1]])).load);
    clock.jump(1_001);
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
    // Even a time that comes back finds nothing of it.
    clock.jump(-500);
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
  });

  it('asks only for what it does not have, and for its time only', async () => {
    const clock = new FakeClock();
    const cache = new Cache({ clock, bus: new MemoryBus() });
    const { asked, load } = loader(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    expect(await cache.many('n', ['a'], 1_000, load)).toEqual(new Map([['a', 1]]));
    expect(await cache.many('n', ['a', 'b', 'c'], 1_000, load)).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    expect(asked).toEqual([['a'], ['b', 'c']]);
    clock.advance(1_001);
    await cache.one('n', 'a', 1_000, load);
    expect(asked).toHaveLength(3);
  });

  it('is told by other processes what to forget', async () => {
    const bus = new MemoryBus();
    const clock = new FakeClock();
    const [one, other] = [new Cache({ clock, bus }), new Cache({ clock, bus })];
    const source = new Map([['a', 1]]);
    const { load } = loader(source);
    await other.one('n', 'a', 60_000, load);
    source.set('a', 2);
    expect(await other.one('n', 'a', 60_000, load)).toBe(1);
    await one.forget('n', ['a']);
    await turn();
    expect(await other.one('n', 'a', 60_000, load)).toBe(2);
  });

  it('does not keep what was being read while it was forgotten', async () => {
    const clock = new FakeClock();
    const cache = new Cache({ clock, bus: new MemoryBus() });
    let release = () => {};
    const slow = cache.one('n', 'a', 60_000, async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return new Map([['a', 'old']]);
    });
    await turn();
    await cache.forget('n', ['a']);
    release();
    expect(await slow).toBe('old');
    expect(await cache.one('n', 'a', 60_000, async () => new Map([['a', 'new']]))).toBe('new');
  });

  it('shares values through Redis, and does without while Redis is away', async () => {
    const clock = new FakeClock();
    const bus = new MemoryBus();
    const store = fakeStore();
    const [one, other] = [new Cache({ clock, bus, store }), new Cache({ clock, bus, store })];
    const source = new Map([['a', 1]]);
    const { asked, load } = loader(source);
    await one.one('n', 'a', 3_600_000, load);
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(1);
    expect(asked).toHaveLength(1);

    store.away = true;
    source.set('a', 2);
    await one.forget('n', ['a']);
    await turn();
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(2);
    // Back again, Redis still has the old value, until the forgetting that failed is done again.
    store.away = false;
    expect(store.values.get('duet:cache:1:n:a')).toBe('{"value":1}');
    clock.advance(1_100);
    await turn();
    expect(store.values.has('duet:cache:1:n:a')).toBe(false);
  });

  it('takes what it did not write itself for nothing', async () => {
    for (const stray of ['', 'OK', '{"value":', '7', 'null', '"value"', '[]', '{"id":"a"}']) {
      const store = fakeStore();
      const cache = new Cache({ clock: new FakeClock(), bus: new MemoryBus(), store });
      const { asked, load } = loader(new Map([['a', 1]]));
      store.values.set('duet:cache:1:n:a', stray);
      expect(await cache.one('n', 'a', 1_000, load), stray).toBe(1);
      expect(asked, stray).toHaveLength(1);
      expect(store.values.get('duet:cache:1:n:a'), stray).toBe('{"value":1}');
    }
  });

  it('has nobody keep what was read from a Redis that was back and had not forgotten yet', async () => {
    const clock = new FakeClock();
    const bus = new MemoryBus();
    const store = fakeStore();
    const [one, other] = [new Cache({ clock, bus, store }), new Cache({ clock, bus, store })];
    const source = new Map([['a', 1]]);
    const { load } = loader(source);
    await one.one('n', 'a', 3_600_000, load);
    store.away = true;
    source.set('a', 2);
    await one.forget('n', ['a']);
    await turn();
    store.away = false;
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(1);
    clock.advance(1_100);
    await turn();
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(2);
  });

  it('has nobody keep what another process wrote into Redis just after it was forgotten', async () => {
    const clock = new FakeClock();
    const bus = new MemoryBus();
    const store = fakeStore();
    const [one, other] = [new Cache({ clock, bus, store }), new Cache({ clock, bus, store })];
    const { load } = loader(new Map([['a', 2]]));
    await one.forget('n', ['a']);
    await turn();
    store.values.set('duet:cache:1:n:a', '{"value":1}');
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(1);
    clock.advance(1_100);
    await turn();
    expect(await other.one('n', 'a', 3_600_000, load)).toBe(2);
  });

  it('tells Redis of each forgotten value once while it is away, and 500 at a time when it is back', async () => {
    const clock = new FakeClock();
    const store = fakeStore();
    const cache = new Cache({ clock, bus: new MemoryBus(), store });
    const told: number[] = [];
    const { del } = store;
    store.del = (keys) => {
      told.push(keys.length);
      return del(keys);
    };
    store.away = true;
    for (let i = 0; i < 1_200; i++) await cache.forget('n', [`${i}`]);
    expect(told).toEqual(Array(1_200).fill(1));
    store.away = false;
    store.values.set('duet:cache:1:n:1199', '{"value":1}');
    told.length = 0;
    clock.advance(1_100);
    for (let i = 0; i < 4; i++) await turn();
    expect(told.filter((count) => count > 1)).toEqual([500, 500, 200]);
    expect(store.values.size).toBe(0);
  });

  it('keeps values in memory only briefly beside Redis, so that a lost message does no lasting harm', async () => {
    const clock = new FakeClock();
    const store = fakeStore();
    const cache = new Cache({ clock, bus: new MemoryBus(), store });
    const { asked, load } = loader(new Map([['a', 1]]));
    await cache.one('n', 'a', 3_600_000, load);
    store.values.clear();
    clock.advance(31_000);
    await cache.one('n', 'a', 3_600_000, load);
    expect(asked).toHaveLength(2);
  });

  it('keeps nothing in memory over an outage of the bus, in which others may have forgotten', async () => {
    const bus = new MemoryBus();
    const cache = new Cache({ clock: new FakeClock(), bus });
    const source = new Map([['a', 1]]);
    const { load } = loader(source);
    expect(await cache.one('n', 'a', 1_000, load)).toBe(1);
    source.set('a', 2);
    expect(await cache.one('n', 'a', 1_000, load)).toBe(1);
    bus.publish(RESUMED, {});
    await turn();
    expect(await cache.one('n', 'a', 1_000, load)).toBe(2);
  });

  it('forgets at once here, whether or not the bus carries it, and resolves when Redis has forgotten too', async () => {
    const store = fakeStore();
    const deaf: Bus = { publish: () => {}, subscribe: () => () => {}, close: () => Promise.resolve() };
    const cache = new Cache({ clock: new FakeClock(), bus: deaf, store });
    await cache.one('n', 'a', 1_000, loader(new Map([['a', 1]])).load);
    const { promise, resolve } = Promise.withResolvers<void>();
    const { del } = store;
    store.del = async (keys) => {
      await promise;
      return del(keys);
    };
    let isDone = false;
    const forgotten = cache.forget('n', ['a']).then(() => {
      isDone = true;
    });
    store.values.clear();
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
    await turn();
    expect(isDone).toBe(false);
    resolve();
    await forgotten;
  });

  it('keeps of several who read at once what none of them read too early, and is as before afterwards', async () => {
    const cache = new Cache({ clock: new FakeClock(), bus: new MemoryBus() });
    const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const read = (value: Promise<string>) =>
      cache.one('n', 'a', 1_000, async () => new Map([['a', await value]]));
    const [one, other] = [read(first.promise), read(second.promise)];
    first.resolve('old');
    expect(await one).toBe('old');
    // The other still reads, and what it reads is of before.
    await cache.forget('n', ['a']);
    second.resolve('old');
    expect(await other).toBe('old');
    expect(await read(Promise.resolve('new'))).toBe('new');
    expect(await read(Promise.resolve('newer'))).toBe('new');
  });

  it('does not keep what was being read over an outage of the bus', async () => {
    const bus = new MemoryBus();
    const cache = new Cache({ clock: new FakeClock(), bus });
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = cache.one('n', 'a', 1_000, async () => {
      await promise;
      return new Map([['a', 'old']]);
    });
    bus.publish(RESUMED, {});
    await turn();
    resolve();
    expect(await slow).toBe('old');
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
  });

  it('renews whatever was cached, and keeps nothing where there is nothing any more, in Redis neither', async () => {
    const store = fakeStore();
    const cache = new Cache({ clock: new FakeClock(), bus: new MemoryBus(), store });
    await cache.one('n', 'a', 1_000, loader(new Map([['a', 1]])).load);
    expect(await cache.renew('n', 'a', 1_000, async () => 2)).toBe(2);
    expect(await cache.held('n', 'a', 1_000)).toBe(2);
    expect(store.values.get('duet:cache:1:n:a')).toBe('{"value":2}');
    expect(await cache.renew('n', 'a', 1_000, async () => undefined)).toBeUndefined();
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
    // And what was forgotten while it was read is not kept.
    const { promise, resolve } = Promise.withResolvers<number>();
    const renewal = cache.renew('n', 'a', 1_000, () => promise);
    await cache.forget('n', ['a']);
    resolve(3);
    expect(await renewal).toBe(3);
    expect(await cache.held('n', 'a', 1_000)).toBeUndefined();
    expect(await cache.renew('n', 'a', 1_000, async () => 4)).toBe(4);
    expect(await cache.held('n', 'a', 1_000)).toBe(4);
  });

  it('keeps what Redis had in memory, and lets it live no longer in Redis for that', async () => {
    const clock = new FakeClock();
    const bus = new MemoryBus();
    const store = fakeStore();
    const asked = { set: 0, mget: 0 };
    const { set, mget } = store;
    store.set = (key, value) => {
      asked.set += 1;
      return set(key, value);
    };
    store.mget = (keys) => {
      asked.mget += 1;
      return mget(keys);
    };
    const { load } = loader(new Map([['a', 1]]));
    const [one, other] = [new Cache({ clock, bus, store }), new Cache({ clock, bus, store })];
    await one.one('n', 'a', 60_000, load);
    for (let i = 0; i < 3; i++) expect(await other.one('n', 'a', 60_000, load)).toBe(1);
    expect(asked).toEqual({ set: 1, mget: 2 });
  });

  it('tells Redis no more of what it has forgotten since, and nothing once it is closed', async () => {
    const clock = new FakeClock();
    const store = fakeStore();
    const cache = new Cache({ clock, bus: new MemoryBus(), store });
    const told: string[] = [];
    const { del } = store;
    store.del = (keys) => {
      told.push(...keys.map((key) => key.slice(-1)));
      return del(keys);
    };
    const pass = async () => {
      clock.advance(1_100);
      for (let i = 0; i < 4; i++) await turn();
    };
    store.away = true;
    await cache.forget('n', ['a']);
    store.away = false;
    for (let i = 0; i < 3; i++) await pass();
    store.away = true;
    await cache.forget('n', ['b']);
    told.length = 0;
    for (let i = 0; i < 3; i++) await pass();
    expect(new Set(told)).toEqual(new Set(['b']));
    cache.close();
    told.length = 0;
    store.away = false;
    for (let i = 0; i < 3; i++) await pass();
    expect(told).toEqual([]);
  });
});
