/**
 * Tables by month (PostgreSQL's partitions): months are made ahead of time, and dropped whole when nothing in them is
 * kept any longer. Both are safe to do in several processes at once.
 */
import { monthOf } from '../days.ts';
import type { Database } from './Database.ts';
import { type Sql, sql } from './sql.ts';

/** The tables that are kept by month: by `at`, and whom discovery has shown to whom by `month`. */
export const MONTHLY_TABLES = ['outbox', 'call_journal', 'sightings'] as const;
export type MonthlyTable = (typeof MONTHLY_TABLES)[number];

/** This month and the next two: a month begins without anybody's doing for as long as two months. */
const MONTHS_AHEAD = [0, 1, 2];

const isMade = sql<{ made: boolean }>('months-made', 'select to_regclass($1) is not null as made');
const ensureMonth = sql('months-ensure', 'select ensure_month($1, $2::date)');
/** The lock of `ensure_month`. */
const lockMonths = sql('months-lock', `select pg_advisory_xact_lock(hashtext('ensure_month ' || $1))`);
/** What came there while its rows are moved to their month would be in the way of that. */
const lockStrays = {
  outbox: sql('months-lock-strays-outbox', 'lock table outbox_default in access exclusive mode'),
  call_journal: sql('months-lock-strays-journal', 'lock table call_journal_default in access exclusive mode'),
};
/** Of tables that have no partition for what no month takes (migration 0003). */
const ensurePartition = sql('months-ensure-partition', 'select ensure_month_partition($1, $2::date)');
const listMonths = sql<{ name: string }>(
  'months-list',
  `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent = $1::regclass and c.relname ~ '_[0-9]{4}_[0-9]{2}$' order by 1`,
);
/** Rows that came while nobody had made their month. */
const dropStrays: Partial<Record<MonthlyTable, ReturnType<typeof sql>>> = {
  outbox: sql('months-strays-outbox', 'delete from outbox_default where at < $1'),
  call_journal: sql('months-strays-journal', 'delete from call_journal_default where at < $1'),
};

// Making and dropping need a lock on the table for a moment, and whoever waits for one makes all others wait: what takes
// longer than a statement may (`Database`) is given up, and tried again with the next round.

/** Makes the months around and after a moment (epoch ms) that are not there yet. */
export async function ensureMonths(db: Database, table: MonthlyTable, nowMs: number): Promise<void> {
  for (const ahead of MONTHS_AHEAD) {
    await db.transaction(async (tx) => {
      await ensure(tx, table, monthOf(nowMs, ahead));
    });
  }
}

/** Drops the months that lie wholly before a moment (epoch ms). */
export async function dropMonthsBefore(db: Database, table: MonthlyTable, keepFromMs: number): Promise<void> {
  const oldest = partitionOf(table, monthOf(keepFromMs, 0));
  for (const { name } of await db.query(listMonths, [table])) {
    if (name >= oldest) continue;
    await db.transaction(async (tx) => {
      await tx.query(sql(`months-drop-${name}`, `drop table if exists ${name}`));
    });
  }
  const strays = dropStrays[table];
  if (strays !== undefined) await db.query(strays, [new Date(keepFromMs)]);
}

async function ensure(tx: Sql, table: MonthlyTable, month: string): Promise<void> {
  await tx.query(lockMonths, [table]);
  if (table === 'sightings') return void (await tx.query(ensurePartition, [table, month]));
  const [partition] = await tx.query(isMade, [partitionOf(table, month)]);
  if (partition!.made) return;
  await tx.query(lockStrays[table]);
  await tx.query(ensureMonth, [table, month]);
}

function partitionOf(table: MonthlyTable, month: string): string {
  return `${table}_${month.slice(0, 7).replace('-', '_')}`;
}
