import { page } from './page.ts';

const FIRST_MS = 250;
const MAX_MS = 5_000;

/** How long to wait before try number `attempt` (from 0): full jitter between half and all of a doubling delay. */
export function backoffMs(attempt: number): number {
  const capMs = Math.min(MAX_MS, FIRST_MS * 2 ** attempt);
  return capMs / 2 + (Math.random() * capMs) / 2;
}

/** Resolves after `delayMs`, or at once when the browser says that the network is back. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      page.removeEventListener?.('online', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    page.addEventListener?.('online', done);
  });
}
