import { describe, expect, it } from 'vitest';
import { LruMap } from '../../../src/platform/LruMap.ts';

describe('a map of bounded size', () => {
  it('never holds more than its bound, and the last half of what was used', () => {
    const map = new LruMap<number, string>(10);
    for (let key = 0; key < 1_000; key++) {
      map.set(key, `value ${key}`);
      expect(map.size).toBeLessThanOrEqual(10);
      for (let back = 0; back < 5 && back <= key; back++)
        expect(map.get(key - back)).toBe(`value ${key - back}`);
    }
    expect(map.get(0)).toBeUndefined();
  });

  it('is bounded by what its entries weigh, where they are weighed', () => {
    const map = new LruMap<number, number>(100, (weight) => weight);
    for (let key = 0; key < 10; key++) map.set(key, 25);
    // Looking moves what is found, so the last ones first.
    const kept = [9, 8, 7, 6, 5, 4].filter((key) => map.get(key) !== undefined);
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(kept.length).toBeLessThanOrEqual(4);
    map.delete(9);
    map.delete(8);
    map.set(9, 10);
    map.set(9, 20);
    map.set(8, 20);
    map.set(7, 10);
    expect([9, 8, 7].map((key) => map.get(key))).toEqual([20, 20, 10]);
  });

  it('keeps what is used again and again', () => {
    const map = new LruMap<number, string>(10);
    map.set(-1, 'kept');
    for (let key = 0; key < 1_000; key++) {
      map.set(key, 'passing');
      expect(map.get(-1)).toBe('kept');
    }
  });

  it('replaces and deletes in both generations', () => {
    const map = new LruMap<string, number>(4);
    map.set('a', 1);
    map.set('b', 2);
    map.set('c', 3);
    map.set('a', 10);
    expect(map.get('a')).toBe(10);
    expect(map.delete('a')).toBe(true);
    expect(map.get('a')).toBeUndefined();
    expect(map.delete('a')).toBe(false);
    map.clear();
    expect(map.size).toBe(0);
    expect(map.get('b')).toBeUndefined();
  });

  it('takes no longer for a key that is used very often', () => {
    const time = (entries: number) => {
      const map = new LruMap<string, number>(200_000);
      for (let nth = 0; nth < entries; nth++) map.set(`key ${nth}`, nth);
      const startedAt = process.cpuUsage();
      for (let nth = 0; nth < 20_000; nth++) map.get('key 0');
      const { user, system } = process.cpuUsage(startedAt);
      return user + system;
    };
    // 20,000 uses took 3.4 s with 50,000 entries before, against some milliseconds.
    expect(time(50_000)).toBeLessThan(500_000);
  });
});
