/** The question whether PostgreSQL is there, whose own connection may be lost without a word. */
import { expect, test } from 'vitest';
import { sql } from '../../../src/db/sql.ts';
import { CutWay } from '../../support/CutWay.ts';
import { openDatabase, useDatabase } from '../../support/database.ts';

const database = useDatabase();

test('a lost connection of its own is no outage while others answer: nobody is refused', async () => {
  const way = await CutWay.to(Number(new URL(database.url).port));
  const db = await openDatabase(way.urlOf(database.url), 3);
  // The probe's is the only one left.
  (await db.pool.connect()).release(true);
  way.cut();
  const work = (seconds: number) => db.query(sql('test-work', `select pg_sleep($1)`), [seconds]);
  await Promise.all([work(0.3), work(0.3)]);
  let isDone = false;
  const slow = work(4).finally(() => {
    isDone = true;
  });
  slow.catch(() => {});
  while (!isDone) await work(0.02);
  await slow;
  expect(db.wasAway(60_000)).toBe(false);
  await db.close();
  way.close();
});
