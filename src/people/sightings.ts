/** Whom discovery has shown to whom: rows by month, so that old ones are dropped a partition at a time. */
import { monthOf } from '../days.ts';

/** The first days of this month and the last one: the partitions in which a sighting still counts. */
export function monthsOf(nowMs: number): string[] {
  return [monthOf(nowMs, 0), monthOf(nowMs, -1)];
}
