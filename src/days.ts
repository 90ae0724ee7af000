/** Days and months of UTC: quotas are counted by them, and columns of type `date` are given them. */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** `YYYY-MM-DD` of `nowMs`. A `Date` bound to a column of type `date` would be the day of the process's time zone. */
export function dayOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** Whole seconds until the next day begins, 1 to 86,400. */
export function secondsLeftOf(nowMs: number): number {
  return Math.ceil((DAY_MS - (nowMs % DAY_MS)) / 1000);
}

/** The first day of the month that `nowMs` is in, or of one `shift` months later, as `YYYY-MM-DD`. */
export function monthOf(nowMs: number, shift: number): string {
  const now = new Date(nowMs);
  return dayOf(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + shift, 1));
}

/**
 * The day on which something is counted, by what counted last on `last`. Around midnight another process may have begun the
 * next day already: that is gone on with. A day that is further ahead was written by a clock that was wrong.
 */
export function countedOn(last: string, nowMs: number): string {
  return last === dayOf(nowMs + DAY_MS) ? last : dayOf(nowMs);
}

/** The same, as SQL, of two expressions of type `date`. */
export const countedOnSql = (last: string, today: string) =>
  `case when ${last} = ${today} + 1 then ${last} else ${today} end`;
