import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clockText, durationText } from '../../../web/page/people/words.ts';
import { backoffMs } from '../../../web/sdk/backoff.ts';
import { localNow, ServerClock } from '../../../web/sdk/ServerClock.ts';

let nowMs: number;

beforeEach(() => {
  nowMs = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => vi.restoreAllMocks());

/** The server's clock is `aheadMs` ahead; the answer takes `tripMs` and was written `part` of the way. */
function sample(clock: ServerClock, aheadMs: number, tripMs: number, part = 0.5): void {
  const askedAt = localNow();
  const serverNow = askedAt + tripMs * part + aheadMs;
  nowMs += tripMs;
  clock.sample(serverNow, askedAt);
}

test('the clock of the server is right to half a round trip', () => {
  const clock = new ServerClock();
  sample(clock, 5_000, 80);
  expect(clock.now() - localNow()).toBeCloseTo(5_000, 3);
  nowMs += 60_000;
  expect(clock.now() - localNow()).toBeCloseTo(5_000, 3);
});

test('a slow, lopsided answer does not spoil what a quick one told', () => {
  const clock = new ServerClock();
  sample(clock, 5_000, 20);
  sample(clock, 5_000, 4_000, 1);
  expect(clock.now() - localNow()).toBeCloseTo(5_000, 3);
});

test('but one that contradicts it does: this machine slept, and its clock with it', () => {
  const clock = new ServerClock();
  sample(clock, 5_000, 20);
  sample(clock, 905_000, 400);
  expect(clock.now() - localNow()).toBeCloseTo(905_000, 3);
});

test('but not for ever: clocks drift', () => {
  const clock = new ServerClock();
  sample(clock, 5_000, 20);
  for (let times = 0; times < 12; times += 1) sample(clock, 6_000, 60);
  expect(clock.now() - localNow()).toBeCloseTo(6_000, 3);
});

test('delays double up to five seconds, and no two clients wait alike', () => {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const most = Math.min(5_000, 250 * 2 ** attempt);
    const delays = Array.from({ length: 50 }, () => backoffMs(attempt));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(most / 2);
    expect(Math.max(...delays)).toBeLessThanOrEqual(most);
    expect(new Set(delays).size).toBeGreaterThan(40);
  }
});

test('a countdown reaches 0:00 when it is over, not before', () => {
  expect(clockText(300_000)).toBe('5:00');
  expect(clockText(299_001)).toBe('5:00');
  expect(clockText(60_000)).toBe('1:00');
  expect(clockText(1)).toBe('0:01');
  expect(clockText(0)).toBe('0:00');
  expect(clockText(-5)).toBe('0:00');
  expect(clockText(3_661_000)).toBe('1:01:01');
  expect(durationText(127)).toBe('2 min 7 s');
});
