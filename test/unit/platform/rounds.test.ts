import { expect, test } from 'vitest';
import type { Log } from '../../../src/log.ts';
import { Rounds } from '../../../src/platform/Rounds.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const EVERY_MS = 1_000;

function roundsOf(work: () => Promise<unknown>) {
  const clock = new FakeClock();
  const said: string[] = [];
  const log = { warn: (_: object, message: string) => said.push(message) } as unknown as Log;
  const rounds = new Rounds({ clock, log, everyMs: EVERY_MS, work, failure: 'It did not work' });
  return { clock, said, rounds };
}

/** Time passes, and what it set off comes to rest. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise(setImmediate);
}

test('a round begins a pause after the last one was done, however long that took', async () => {
  const begun: PromiseWithResolvers<void>[] = [];
  const { clock, rounds } = roundsOf(() => {
    const round = Promise.withResolvers<void>();
    begun.push(round);
    return round.promise;
  });
  rounds.start();
  await pass(clock, EVERY_MS - 1);
  expect(begun).toHaveLength(0);
  await pass(clock, 1);
  expect(begun).toHaveLength(1);
  await pass(clock, 5 * EVERY_MS);
  expect(begun).toHaveLength(1);
  begun[0]!.resolve();
  await pass(clock, 0);
  await pass(clock, EVERY_MS);
  expect(begun).toHaveLength(2);
});

test('a failure is told, once a minute, and the rounds go on', async () => {
  let rounds = 0;
  const made = roundsOf(async () => {
    rounds += 1;
    throw new Error('no');
  });
  made.rounds.startNow();
  for (let second = 0; second < 90; second++) await pass(made.clock, EVERY_MS);
  expect(rounds).toBeGreaterThan(80);
  expect(made.said).toEqual(['It did not work', 'It did not work']);
});

test('closing waits for the round under way, which may see it, and none comes after it', async () => {
  const round = Promise.withResolvers<void>();
  let begun = 0;
  const { clock, rounds, said } = roundsOf(() => {
    begun += 1;
    return round.promise;
  });
  rounds.startNow();
  let isClosed = false;
  const closing = rounds.close().then(() => {
    isClosed = true;
  });
  await pass(clock, 10 * EVERY_MS);
  expect([isClosed, rounds.closed]).toEqual([false, true]);
  round.reject(new Error('the database is closed'));
  await closing;
  await pass(clock, 10 * EVERY_MS);
  rounds.startNow();
  expect(begun).toBe(1);
  expect(said).toEqual([]);
});
