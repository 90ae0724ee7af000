import { describe, expect, it } from 'vitest';
import { evenly } from '../../../src/accounts/evenly.ts';
import { sleep } from '../../../src/clock.ts';
import { FakeClock } from '../../support/FakeClock.ts';

/** When, in ms after its start, an answer comes whose work takes `tookMs`. */
async function answeredAfter(tookMs: number, stepMs: number): Promise<number> {
  const clock = new FakeClock();
  const startedAt = clock.now();
  let answeredAt: number | undefined;
  const answer = evenly(clock, stepMs, () => sleep(clock, tookMs)).then(() => {
    answeredAt = clock.now();
  });
  while (answeredAt === undefined) {
    clock.advance(1);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  await answer;
  return answeredAt - startedAt;
}

describe('answering evenly', () => {
  it('answers at whole steps, however long the work took', async () => {
    for (const tookMs of [1, 20, 99]) expect(await answeredAfter(tookMs, 100)).toBe(100);
    for (const tookMs of [100, 101, 199]) expect(await answeredAfter(tookMs, 100)).toBe(200);
  });

  it('answers at once where no step is wanted', async () => {
    expect(await answeredAfter(7, 0)).toBe(7);
  });

  it('tells a failure at once', async () => {
    const clock = new FakeClock();
    await expect(evenly(clock, 100, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
  });
});
