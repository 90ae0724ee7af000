import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';

/** How long events are kept, acknowledged or not. A client that was away for longer is told to reload. */
export const KEEP_DAYS = 30;
const BATCH = 10_000;

const dropOld = sql<{ n: number }>(
  'outbox-drop-old',
  `with old as (
     select ctid from outbox where at < clock_timestamp() - $1 * interval '1 day' limit ${BATCH}
   ), gone as (delete from outbox where ctid in (select ctid from old) returning 1)
   select count(*) as n from gone`,
);

/** Deletes what is older than `KEEP_DAYS`, in batches that lock little. */
export async function dropOldEvents(db: Database): Promise<void> {
  for (;;) {
    const [row] = await db.query(dropOld, [KEEP_DAYS]);
    if (row!.n < BATCH) return;
  }
}
