/** FT-26: no step of the wall clock moves the clock that deadlines are kept by. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTime, SystemClock } from '../../../src/clock.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const HOUR_MS = 3_600_000;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the clock of the process', () => {
  test.each([HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS])(
    'a step of the wall clock by %d ms',
    (stepMs) => {
      const clock = new SystemClock();
      const before = clock.now();
      const wall = Date.now();
      vi.spyOn(Date, 'now').mockImplementation(() => wall + stepMs);
      const after = clock.now();
      expect(after).toBeGreaterThanOrEqual(before);
      expect(after - before).toBeLessThan(HOUR_MS / 2);
    },
  );

  test('never goes back', () => {
    const clock = new SystemClock();
    const read = Array.from({ length: 100_000 }, () => clock.now());
    expect(read).toEqual([...read].sort((a, b) => a - b));
  });

  test('takes over the clock of the database, half the round trip counted', async () => {
    const clock = new SystemClock();
    const databaseMs = clock.now() + 5 * HOUR_MS;
    let nowMs = 1_000;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    await clock.calibrate(async () => {
      nowMs += 40;
      return databaseMs;
    });
    expect(clock.now()).toBe(databaseMs + 20);
    nowMs += 1_000;
    expect(clock.now()).toBe(databaseMs + 1_020);
  });

  test('a timer is none of the wall clock’s business; a long delay is capped, not at once', async () => {
    const clock = new SystemClock();
    vi.spyOn(Date, 'now').mockImplementation(() => 0);
    const set = vi.spyOn(globalThis, 'setTimeout');
    await new Promise<void>((done) => clock.after(50, done));
    const timer = clock.after(40 * 24 * HOUR_MS, () => {});
    timer.cancel();
    expect(set.mock.calls.map(([, delayMs]) => delayMs)).toEqual([50, 2 ** 31 - 1]);
  });
});

describe('what is waited for only so long', () => {
  test('is there, with no timer left behind', async () => {
    const cancelled: boolean[] = [];
    const after = () => ({ cancel: () => cancelled.push(true) });
    expect(await inTime({ now: () => 0, after }, 100, Promise.resolve('there'))).toBe('there');
    expect(cancelled).toEqual([true]);
  });

  test('fails in time, and is heard', async () => {
    await expect(inTime(new FakeClock(), 100, Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  test('is late: undefined, and it may fail then, which nobody hears', async () => {
    const clock = new FakeClock();
    const { promise: work, reject } = Promise.withResolvers<string>();
    const waited = inTime(clock, 100, work);
    clock.advance(100);
    expect(await waited).toBeUndefined();
    const unheard = vi.fn();
    process.on('unhandledRejection', unheard);
    reject(new Error('too late'));
    await new Promise((done) => setImmediate(done));
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
  });
});
