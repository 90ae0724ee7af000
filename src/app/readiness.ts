import { type Clock, inTime } from '../clock.ts';
import type { Readiness } from '../http/routes/health.ts';

type State = Readiness['checks'][string];

/** How long the process may wait for one check of its readiness. */
const CHECK_MS = 1_000;
/** How long what was found is told to whoever asks next. */
const KEPT_MS = 1_000;

/**
 * Whether each of `asks` answers now, and in time. Anybody may ask, as often as they like: all are told of the same round
 * of checks, and one round is at work at a time.
 */
export function sharedChecks(
  clock: Clock,
  asks: Record<string, () => Promise<unknown>>,
): () => Promise<Readiness['checks']> {
  const checks = Object.entries(asks).map(([name, ask]) => [name, oneAtATime(ask)] as const);
  const checkAll = async () => {
    const entries = checks.map(async ([name, ask]) => {
      return [name, (await inTime(clock, CHECK_MS, ask())) ?? 'down'] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  };
  let round: Promise<Readiness['checks']> | undefined;
  let keptUntil = Number.POSITIVE_INFINITY;
  return () => {
    if (round !== undefined && clock.now() < keptUntil) return round;
    keptUntil = Number.POSITIVE_INFINITY;
    round = checkAll().finally(() => {
      keptUntil = clock.now() + KEPT_MS;
    });
    return round;
  };
}

/** A question that was given up keeps its place, in the pool's queue for one: it is not put again before it is answered. */
function oneAtATime(ask: () => Promise<unknown>): () => Promise<State> {
  let open: Promise<State> | undefined;
  return () => {
    open ??= Promise.try(ask)
      .then(
        () => 'up' as const,
        () => 'down' as const,
      )
      .finally(() => {
        open = undefined;
      });
    return open;
  };
}
