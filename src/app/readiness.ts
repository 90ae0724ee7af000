import type { Clock } from '../clock.ts';
import type { Readiness } from '../http/routes/health.ts';

/** How long the process may wait for one check of its readiness. */
const CHECK_MS = 1_000;

/** Whether each of `asks` answers now, and in time. */
export async function checksOf(
  clock: Clock,
  asks: Record<string, () => Promise<unknown>>,
): Promise<Readiness['checks']> {
  const entries = Object.entries(asks).map(async ([name, ask]) => [name, await check(clock, ask)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function check(clock: Clock, ask: () => Promise<unknown>): Promise<'up' | 'down'> {
  const { promise: late, resolve } = Promise.withResolvers<'down'>();
  const timer = clock.after(CHECK_MS, () => resolve('down'));
  const asked = ask().then(
    () => 'up' as const,
    () => 'down' as const,
  );
  return Promise.race([asked, late]).finally(() => timer.cancel());
}
