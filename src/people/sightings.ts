/** Whom discovery has shown to whom: rows by month, so that old ones are dropped a partition at a time. */
import { monthOf } from '../days.ts';

/**
 * The two people of a row `s` as one key, as SQL; migration 0024's index has it spelled the same way. Were they two
 * columns there, a statement that asks for a browsing of the viewer could be planned with that index, while a month is
 * empty, and read all that they have seen when it no longer is.
 */
export const PAIR_SQL = 'uuid_send(s.viewer_id) || uuid_send(s.seen_id)';

/** The first days of this month and the last one: the partitions in which a sighting still counts. */
export function monthsOf(nowMs: number): string[] {
  return [monthOf(nowMs, 0), monthOf(nowMs, -1)];
}
