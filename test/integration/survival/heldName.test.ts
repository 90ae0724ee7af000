/** The name that a process holds in the database: as long as it lives, and not a moment longer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { expect, test } from 'vitest';
import { LEASE_MS, RENEW_EVERY_MS } from '../../../src/calling/CallStore.ts';
import { SystemClock } from '../../../src/clock.ts';
import { FORGOTTEN_MS, HeldName, nameIsFree, SILENT_MS } from '../../../src/db/HeldName.ts';
import { sql } from '../../../src/db/sql.ts';
import { CutWay } from '../../support/CutWay.ts';
import { openDatabase, useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const HOUR_MS = 3_600_000;
const database = useDatabase();

async function isFree(name: string): Promise<boolean> {
  const { rows } = await database.db.pool.query(`select ${nameIsFree('$1')} as free`, [name]);
  return rows[0].free;
}

/** The sessions that hold a name. */
async function holders(name: string): Promise<number[]> {
  const { rows } = await database.db.pool.query(
    `select pid from pg_locks, hashtextextended('duet process ' || $1, 0) as key
     where locktype = 'advisory' and mode = 'ExclusiveLock' and granted
       and (classid::int8 << 32) | objid::int8 = key`,
    [name],
  );
  return rows.map(({ pid }) => pid);
}

async function wayToPostgres(): Promise<CutWay> {
  return CutWay.to(Number(new URL(database.url).port));
}

test('is free before, held, and free again once it is given up', async () => {
  // Not at once where PostgreSQL has just been started.
  await eventually(() => isFree('given-up')).toBe(true);
  const name = new HeldName(database.url, 'given-up', new SystemClock());
  await name.hold();
  expect(await isFree('given-up')).toBe(false);
  name.close();
  await eventually(() => isFree('given-up')).toBe(true);
});

test('is free when its process was killed', async () => {
  const child = spawn(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { SystemClock } from '${import.meta.resolve('../../../src/clock.ts')}';
     import { HeldName } from '${import.meta.resolve('../../../src/db/HeldName.ts')}';
     await new HeldName(${JSON.stringify(database.url)}, 'killed', new SystemClock()).hold();
     process.stdout.write('held');`,
  ]);
  await once(child.stdout, 'data');
  expect(await isFree('killed')).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await eventually(() => isFree('killed')).toBe(true);
});

test('is taken again when the connection broke', async () => {
  const name = new HeldName(database.url, 'broken', new SystemClock());
  await name.hold();
  const holder = async () => {
    const { rows } = await database.db.pool.query(
      `select pid from pg_stat_activity where application_name = 'duet name' and datname = current_database()`,
    );
    return rows[0]?.pid as number | undefined;
  };
  const before = await holder();
  await database.db.pool.query('select pg_terminate_backend($1)', [before]);
  await eventually(async () => ![undefined, before].includes(await holder())).toBe(true);
  await eventually(() => isFree('broken')).toBe(false);
  name.close();
});

test('what keeps a process alive for the others does not wait for requests', async () => {
  const db = await openDatabase(database.url, 1);
  await db.holdName('busy', new SystemClock());
  const done: string[] = [];
  const request = db.query(sql('test-slow', 'select pg_sleep(1)')).then(() => done.push('request'));
  await db.queryAhead(sql('test-ahead', 'select 1')).then(() => done.push('ahead'));
  await request;
  expect(done).toEqual(['ahead', 'request']);
  await db.close();
});

test('for a while after an outage nobody is judged by what he did not renew', async () => {
  const db = await openDatabase(database.url, 2);
  await db.holdName('cut off', new SystemClock());
  expect(db.wasAway(60_000)).toBe(false);
  const own = `select pg_terminate_backend(pid) from pg_stat_activity
               where application_name = 'duet name' and datname = current_database()`;
  await database.db.pool.query(own);
  await eventually(async () => db.wasAway(0)).toBe(true);
  await eventually(async () => db.wasAway(0)).toBe(false);
  expect(db.wasAway(60_000)).toBe(true);
  await db.close();
});

test('is had again when its connection was cut without a word: its session is ended, and no other; what keeps a process alive goes by the pool', async () => {
  const way = await wayToPostgres();
  const db = await openDatabase(way.urlOf(database.url), 2);
  await db.holdName('cut', new SystemClock());
  const other = new HeldName(database.url, 'other', new SystemClock());
  await other.hold();
  const others = await holders('other');
  const [before] = await holders('cut');
  way.cutNewest();
  expect(await db.queryAhead(sql('test-cut', 'select 1 as one'))).toEqual([{ one: 1 }]);
  await eventually(async () => ![undefined, before].includes((await holders('cut'))[0])).toBe(true);
  await eventually(async () => db.wasAway(0)).toBe(false);
  expect(await holders('cut')).toHaveLength(1);
  expect(await holders('other')).toEqual(others);
  await db.queryAhead(sql('test-cut', 'select 1 as one'));
  await db.close();
  other.close();
  way.close();
});

test('… in time: the lease that was to be renewed lasts until the connection is known to be lost', () => {
  expect(RENEW_EVERY_MS + SILENT_MS).toBeLessThanOrEqual(LEASE_MS - RENEW_EVERY_MS);
});

test('cannot be had while somebody looks whether it is free: he is left alone, and the database is there', async () => {
  const looker = new pg.Client(database.url);
  await looker.connect();
  await looker.query('begin');
  await looker.query(`select ${nameIsFree('$1')}`, ['looked at']);
  const db = await openDatabase(database.url, 2);
  await db.holdName('looked at', new SystemClock());
  expect(await holders('looked at')).toEqual([]);
  expect(db.wasAway(60_000)).toBe(false);
  await looker.query('commit');
  await eventually(() => holders('looked at')).toHaveLength(1);
  expect(db.wasAway(60_000)).toBe(false);
  await Promise.all([looker.end(), db.close()]);
});

test('is asked after when nothing is renewed over its connection, so that a cut is noticed', async () => {
  const way = await wayToPostgres();
  const clock = new FakeClock();
  let isReached = false;
  const name = new HeldName(way.urlOf(database.url), 'quiet', clock, {
    reached: (is) => {
      isReached = is;
    },
  });
  await name.hold();
  clock.advance(20_000);
  expect(name.isHeld).toBe(true);
  way.cut();
  clock.advance(20_000);
  await eventually(() => isReached).toBe(false);
  expect(name.isHeld).toBe(false);
  clock.advance(1_000);
  await eventually(() => name.isHeld).toBe(true);
  expect(isReached).toBe(true);
  name.close();
  way.close();
});

test('is given up by PostgreSQL where nothing more is said on its connection: a machine without power closes none', async () => {
  const name = new HeldName(database.url, 'powerless', new SystemClock());
  await name.hold();
  const [row] = await name.query(
    sql<{ ms: number }>(
      'test-idle',
      `select setting::int as ms from pg_settings where name = 'idle_session_timeout'`,
    ),
  );
  expect(row!.ms).toBe(FORGOTTEN_MS);
  name.close();
});

test('says how far its clock is from the database’s, anew when that was set, and no longer than it lives', async () => {
  const clock = new FakeClock(Date.now() + HOUR_MS);
  const shared = async () => (await database.db.sharedEpochMs()) - (await database.db.epochMs());
  // Not at once: the session of a name with another clock, given up in a test before, may end only now.
  await eventually(async () => Math.abs(await shared()) < 500).toBe(true);
  const name = new HeldName(database.url, 'ahead', clock);
  await name.hold();
  await eventually(async () => Math.abs((await shared()) - HOUR_MS) < 1_000).toBe(true);
  clock.jump(HOUR_MS);
  await eventually(async () => Math.abs((await shared()) - 2 * HOUR_MS) < 1_000).toBe(true);
  name.close();
  await eventually(async () => Math.abs(await shared()) < 500).toBe(true);
});
