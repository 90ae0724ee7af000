import { expect, test } from 'vitest';
import { WindowCounts } from '../../../src/platform/WindowCounts.ts';

const WINDOW_MS = 1_000;

test('a window begins with the first time of its key, and is over after its length', () => {
  const counts = new WindowCounts(WINDOW_MS);
  const used = (key: string, nowMs: number) => counts.add(key, 1, nowMs).used;
  expect([used('a', 0), used('a', 400), used('b', 600), used('a', 999)]).toEqual([1, 2, 1, 3]);
  expect([used('a', 1_000), used('b', 1_599), used('b', 1_600), used('a', 1_999)]).toEqual([1, 2, 1, 2]);
  expect(counts.add('a', 5, 1_999)).toEqual({ used: 7, endsAtMs: 2_000 });
  expect(used('a', 60_000)).toBe(1);
});

test('what is taken back is of the window that goes on, and no more than was counted', () => {
  const counts = new WindowCounts(WINDOW_MS);
  counts.add('a', 3, 0);
  counts.takeBack('a', 2, 999);
  expect(counts.add('a', 1, 999).used).toBe(2);
  counts.takeBack('a', 9, 999);
  expect(counts.add('a', 1, 999).used).toBe(1);
  counts.takeBack('a', 1, 1_000);
  counts.takeBack('b', 1, 1_000);
  expect([counts.add('a', 1, 1_000).used, counts.add('b', 1, 1_000).used]).toEqual([1, 1]);
});

test('with however many keys it stays as large as it may be, and nobody is counted less often than they came', () => {
  const counts = new WindowCounts(WINDOW_MS, 1_000);
  const came = new Map<string, number[]>();
  const comes = (key: string, nowMs: number) => {
    const times = [...(came.get(key) ?? []).filter((time) => time > nowMs - WINDOW_MS), nowMs];
    came.set(key, times);
    return { used: counts.add(key, 1, nowMs).used, own: times.length };
  };
  const first = Array.from({ length: 5 }, () => comes('known', 0).used);
  for (let nth = 0; nth < 200_000; nth++) comes(`stranger ${nth}`, 10);
  expect(counts.size).toBeLessThanOrEqual(1_000 + 65_536);
  // Who was there before is counted alone, who came too late with three others or so.
  expect([...first, comes('known', 20).used]).toEqual([1, 2, 3, 4, 5, 6]);
  for (let times = 0; times < 3; times++) {
    for (let nth = 0; nth < 2_000; nth++) {
      const { used, own } = comes(`stranger ${100_000 + nth}`, 500 + times);
      expect(used).toBeGreaterThanOrEqual(own);
      expect(used).toBeLessThan(30);
    }
  }
  // There is room again for who comes then; who was counted with others still is.
  for (let nth = 0; nth < 400; nth++) expect(comes(`newcomer ${nth}`, 1_005).own).toBe(1);
  for (let nth = 0; nth < 2_000; nth++) {
    const { used, own } = comes(`stranger ${100_000 + nth}`, 1_006);
    expect(used).toBeGreaterThanOrEqual(own);
  }
  expect(comes('stranger 100000', 5_000)).toEqual({ used: 1, own: 1 });
});
