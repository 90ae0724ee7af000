/** How long nobody held a call, told from clocks of which the database's may have been set. */

/** Clocks that differ by more than this do not run differently: one was set. */
const STEP_MS = 30_000;
/** Nobody has to hold a new call for its first second, and clocks differ. */
const AHEAD_MS = 2_000;

/** A call that is taken over: epoch milliseconds, by the database's clock and by this process's. */
interface Unheld {
  heldUntil: number;
  dbNow: number;
  ownNow: number;
  /** Whether its owner still holds its name. */
  ownerLives: boolean;
  /** By the clock of whichever process took the call on. */
  createdAt: number;
}

/**
 * From when to when nobody held a call, on the process's clock, which the deadlines keep to. How long it lasted is by the
 * database's, which the lease is written in. That clock may have been set: since this process read it, then the two are far
 * apart, and if after the lease was written only the process's is right: the shorter is believed. Or both moved, then the
 * owner lives although its lease ran out long ago, or the call has not been there for so long, and nothing is believed. A
 * moment less than nothing is none.
 */
export function outage({ heldUntil, dbNow, ownNow, ownerLives, createdAt }: Unheld): {
  heldUntil: number;
  now: number;
} {
  const [byDb, byOwn] = [dbNow - heldUntil, ownNow - heldUntil];
  const isOneClock = Math.abs(dbNow - ownNow) < STEP_MS;
  const possible = (isOneClock ? [byDb] : [byDb, byOwn]).filter((ms) => ms > -AHEAD_MS);
  const lastedMs = possible.length === 0 ? 0 : Math.max(0, Math.min(...possible));
  const isImpossible = (ownerLives && lastedMs > STEP_MS) || lastedMs > ownNow - createdAt + STEP_MS;
  return { heldUntil: isImpossible ? ownNow : ownNow - lastedMs, now: ownNow };
}
