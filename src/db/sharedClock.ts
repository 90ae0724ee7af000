/**
 * One clock for all processes, whatever is done to the database's. Each reads that once and counts on by itself; had the
 * database's been set meanwhile, who starts later would be an hour away from who runs. So each says how far its clock is
 * from the database's, as an advisory lock (PostgreSQL's documentation, 13.3.5) with that number as its second key: it
 * is known for as long as the process lives, and needs no row that somebody has to clear away.
 */
import type { Clock } from '../clock.ts';
import { type Sql, sql } from './sql.ts';

const KEY = `hashtext('duet clock')`;
/** The unit of what is said. The second key, 32 bits of it, reaches for six years. */
const TENTH_MS = 100;
/** Closer than this, clocks merely run differently; from it on, one of them was set. */
const SET_MS = 1_000;
/** Who waited longer than this for the database's clock cannot say to a tenth of a second when that was read. */
const VAGUE_MS = 2 * TENTH_MS;
/** Then it asks again, so often at most. */
const TRIES = 5;

const epochMs = '(extract(epoch from clock_timestamp()) * 1000)::float8';

const readEpochMs = sql<{ epoch_ms: number }>('read-epoch-ms', `select ${epochMs} as epoch_ms`);

/** What most of the living say. `objid` is unsigned, the key it shows is not. */
const readShared = sql<{ epoch_ms: number; ahead: number | null }>(
  'read-shared-epoch-ms',
  `select ${epochMs} as epoch_ms, (
     select mode() within group (order by (objid::int8 << 32 >> 32)::int4) from pg_locks
     where locktype = 'advisory' and objsubid = 2 and granted and classid::int8 = (${KEY}::int8 & 4294967295)
       and database = (select oid from pg_database where datname = current_database())) as ahead`,
);

const say = sql('say-clock', `select pg_advisory_lock_shared(${KEY}, $1::int4)`);
const takeBack = sql('take-back-clock', `select pg_advisory_unlock_shared(${KEY}, $1::int4)`);

/** The database's clock in epoch milliseconds. */
export async function readEpoch(db: Sql): Promise<number> {
  const [row] = await db.query(readEpochMs);
  return row!.epoch_ms;
}

/** The clock of the processes that run on this database, in epoch milliseconds; the database's where none does. */
export async function readSharedEpoch(db: Sql): Promise<number> {
  const [row] = await db.query(readShared);
  const aheadMs = (row!.ahead ?? 0) * TENTH_MS;
  return row!.epoch_ms + (Math.abs(aheadMs) < SET_MS ? 0 : aheadMs);
}

/**
 * Says on a session, for as long as that lasts, how far a clock is ahead of the database's, and takes back what it said
 * before. Resolves with what is said now, for the next time. A process that stands still while it asks says nothing new.
 */
export async function sayClock(
  session: Sql,
  clock: Clock,
  said: number | undefined,
): Promise<number | undefined> {
  const ahead = await readAhead(session, clock);
  if (ahead === undefined) return said;
  if (said !== undefined && Math.abs(ahead - said) * TENTH_MS < SET_MS) return said;
  await session.query(say, [ahead]);
  if (said !== undefined) await session.query(takeBack, [said]);
  return ahead;
}

/** How far a clock is ahead of the database's; undefined where no answer came soon enough to know. */
async function readAhead(session: Sql, clock: Clock): Promise<number | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const askedAt = clock.now();
    const epoch = await readEpoch(session);
    const answeredAt = clock.now();
    if (answeredAt - askedAt <= VAGUE_MS) return Math.round(((askedAt + answeredAt) / 2 - epoch) / TENTH_MS);
  }
  return undefined;
}
