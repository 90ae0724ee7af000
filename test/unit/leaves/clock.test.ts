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
      expect(after - before).toBeLessThan(1_000);
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
    await clock.calibrate(async () => {
      await new Promise((done) => setTimeout(done, 40));
      return databaseMs;
    });
    const off = clock.now() - databaseMs;
    expect(off).toBeGreaterThanOrEqual(15);
    expect(off).toBeLessThan(1_000);
  });

  test('a timer is none of the wall clock’s business; a long delay is capped, not at once', async () => {
    const clock = new SystemClock();
    vi.spyOn(Date, 'now').mockImplementation(() => 0);
    const startedAt = performance.now();
    await new Promise<void>((done) => clock.after(50, done));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(45);
    let fired = false;
    const timer = clock.after(40 * 24 * HOUR_MS, () => {
      fired = true;
    });
    await new Promise((done) => setTimeout(done, 20));
    timer.cancel();
    expect(fired).toBe(false);
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
