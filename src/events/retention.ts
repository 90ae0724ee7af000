import { DAY_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { dropMonthsBefore, ensureMonths } from '../db/months.ts';

/** How long events are kept at least, acknowledged or not. A client that was away for longer is told to reload. */
export const KEEP_DAYS = 30;
/** How long the journal of calls is kept at least: as long as somebody may still have a complaint about a call. */
export const JOURNAL_KEEP_DAYS = 180;

const TABLES = [
  ['outbox', KEEP_DAYS],
  ['call_journal', JOURNAL_KEEP_DAYS],
] as const;

/** Makes the months to come and drops those that are kept no longer. `nowMs` is epoch ms; default: the database's clock. */
export async function keepMonths(db: Database, nowMs?: number): Promise<void> {
  const now = nowMs ?? (await db.epochMs());
  for (const [table, keepDays] of TABLES) {
    await ensureMonths(db, table, now);
    await dropMonthsBefore(db, table, now - keepDays * DAY_MS);
  }
}
