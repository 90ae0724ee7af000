/** WS-07: so many messages in a minute, and not one more. */
import { expect, test } from 'vitest';
import { FixedWindow } from '../../../rooms/FixedWindow.ts';
import { FakeClock } from '../../support/FakeClock.ts';

test('of 61 messages within a minute the last is refused, however they are spread', () => {
  for (const everyMs of [0, 100, 983]) {
    const clock = new FakeClock();
    const window = new FixedWindow(clock, 60);
    const taken = Array.from({ length: 61 }, () => {
      clock.advance(everyMs);
      return window.take();
    });
    expect(taken).toEqual([...Array(60).fill(true), false]);
  }
});

test('the minute begins with the first message, and the next one with the first after it', () => {
  const clock = new FakeClock();
  const window = new FixedWindow(clock, 2);
  clock.advance(50_000);
  expect([window.take(), window.take(), window.take()]).toEqual([true, true, false]);
  expect(window.endsInSec).toBe(60);
  clock.advance(59_500);
  expect([window.take(), window.endsInSec]).toEqual([false, 1]);
  clock.advance(500);
  expect([window.take(), window.endsInSec]).toEqual([true, 60]);
});

test('whoever keeps to one a second is never refused', () => {
  const clock = new FakeClock();
  const window = new FixedWindow(clock, 60);
  for (let i = 0; i < 600; i++) {
    expect(window.take()).toBe(true);
    clock.advance(1_000);
  }
});
