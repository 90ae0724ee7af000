import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { LOWEST_ID } from '../ids.ts';
import type { DataKeys, Sealable } from '../platform/DataKeys.ts';

/** Where sealed texts are: table, what its rows are told apart by, column, kind. */
const PLACES: readonly (readonly [string, string, string, Sealable])[] = [
  ['users', 'id', 'email', 'email'],
  ['registrations', 'id', 'email', 'email'],
  ['reports', 'id', 'details', 'report'],
  ['push_subscriptions', 'endpoint', 'address', 'push'],
  ['push_subscriptions', 'endpoint', 'p256dh', 'push'],
  ['push_subscriptions', 'endpoint', 'auth', 'push'],
];

const BATCH = 500;

/** Seals every sealed text with `to` instead of `from`; resolves with how many. May be ended and begun again. */
export async function reseal(db: Database, from: DataKeys, to: DataKeys): Promise<number> {
  let done = 0;
  for (const [table, id, column, kind] of PLACES) {
    const read = sql<{ id: string; text: string }>(
      `reseal-read-${table}-${column}`,
      `select ${id} as id, ${column} as text from ${table}
       where ${column} like 's1:%' and ${id} > $1 order by ${id} limit ${BATCH}`,
    );
    const write = sql(
      `reseal-write-${table}-${column}`,
      `update ${table} set ${column} = $2 where ${id} = $1 and ${column} = $3`,
    );
    for (let after = id === 'id' ? LOWEST_ID : ''; ; ) {
      const rows = await db.query(read, [after]);
      for (const row of rows) {
        // What an earlier run got to.
        if (to.opens(row.text)) continue;
        await db.query(write, [row.id, to.seal(kind, from.openText(row.text)), row.text]);
        done += 1;
      }
      if (rows.length < BATCH) break;
      after = rows.at(-1)!.id;
    }
  }
  return done;
}
