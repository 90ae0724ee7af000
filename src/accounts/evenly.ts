import { type Clock, sleep } from '../clock.ts';

/**
 * Runs `work` and answers at the first whole step of `stepMs` after its start: how long the work took cannot be
 * told within a step, so neither can which way it went. A failure (an outage, the same either way) is told at once.
 */
export async function evenly<T>(clock: Clock, stepMs: number, work: () => Promise<T>): Promise<T> {
  const startedAt = clock.now();
  const result = await work();
  if (stepMs > 0) {
    const took = clock.now() - startedAt;
    await sleep(clock, (Math.floor(took / stepMs) + 1) * stepMs - took);
  }
  return result;
}

/**
 * Runs `work` when the answer is long gone, at a time that cannot be foreseen: done at once, it would keep the process
 * busy in the very moment of the answer, and only where there is an account.
 */
export function afterTheAnswer(clock: Clock, stepMs: number, work: () => void): void {
  if (stepMs === 0) work();
  else clock.after(stepMs + 100 + Math.random() * 300, work);
}
