/** Whom discovery has shown to whom: rows by month, so that old ones are dropped a partition at a time. */

/** The first days of this month and the last one: the partitions in which a sighting still counts. */
export function monthsOf(nowMs: number): string[] {
  return [monthOf(nowMs, 0), monthOf(nowMs, -1)];
}

/** The first day of the month that `nowMs` is in, or of one `shift` months later, as `YYYY-MM-DD`. */
export function monthOf(nowMs: number, shift: number): string {
  const now = new Date(nowMs);
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + shift, 1)).toISOString().slice(0, 10);
}
