import { backoffMs, pause } from './backoff.ts';
import { DuetApiError } from './DuetApiError.ts';

/** An asking that is not answered by then is taken for lost. */
const ATTEMPT_MS = 5_000;

/** No new asking begins after this time: a call does not ring for much longer. */
const GIVE_UP_MS = 20_000;

/**
 * Asks until it is answered or refused, for some twenty seconds. Where a limit says when it may be asked again, that is
 * waited for, or it is a refusal if it is later than that. What is asked for must be the same thing however often
 * it is asked for.
 */
export async function persist<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + GIVE_UP_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      return await within(ask(), ATTEMPT_MS);
    } catch (error) {
      if (!(error instanceof DuetApiError)) throw error;
      // Under an idempotency key: the asking before is still being worked on.
      const isUnderWay = attempt > 0 && error.code === 'CONFLICT';
      if (!error.isTemporary && !isUnderWay) throw error;
      const delayMs = Math.max(backoffMs(attempt), limitedMs(error));
      if (performance.now() + delayMs > untilMs) throw error;
      await pause(delayMs);
    }
  }
}

/** How long a limit lets nobody ask. A server that is away says a time as well, and does not know it. */
export function limitedMs({ code, retryAfterSec = 0 }: DuetApiError): number {
  return code === 'TOO_MANY_REQUESTS' ? retryAfterSec * 1000 : 0;
}

/** Rejects with NETWORK where nothing has come by then. */
export function within<T>(answer: Promise<T>, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(DuetApiError.network()), limitMs);
  });
  return Promise.race([answer, tooLong]).finally(() => clearTimeout(timer));
}
