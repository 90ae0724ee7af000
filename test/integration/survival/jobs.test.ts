/** The job queue, whose connections may be cut without a word. */
import { expect, test } from 'vitest';
import { sql } from '../../../src/db/sql.ts';
import { createLog } from '../../../src/log.ts';
import { Jobs } from '../../../src/platform/Jobs.ts';
import { CutWay } from '../../support/CutWay.ts';
import { useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

const QUEUE = 'test-cut';
const RULES = { retries: 9, retryDelaySec: 1, retryDelayMaxSec: 1, timeoutSec: 2 };
const lockJobs = sql('test-lock-jobs', 'lock table jobs.job in share row exclusive mode');
const database = useDatabase();

/** A queue that has done its job number 1, over a way that can be cut. */
async function atWork() {
  const way = await CutWay.to(Number(new URL(database.url).port));
  const jobs = new Jobs({ url: way.urlOf(database.url), log: createLog('silent'), answerMs: 2_000 });
  await jobs.start();
  await jobs.declare(QUEUE, RULES);
  const done: number[] = [];
  await jobs.serve<{ nth: number }>(QUEUE, async ({ nth }) => {
    done.push(nth);
  });
  await jobs.add(database.db, QUEUE, { nth: 1 });
  await eventually(() => done).toEqual([1]);
  const close = async () => {
    await jobs.close();
    way.close();
  };
  return { way, jobs, done, [Symbol.asyncDispose]: close };
}

/** How many of the queue's connections wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await database.db.pool.query(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and application_name = 'duet jobs' and wait_event_type = 'Lock'`,
  );
  return rows[0].n;
}

test('goes on when its connections were cut: what they waited for is given up', async () => {
  await using queue = await atWork();
  queue.way.cut();
  await queue.jobs.add(database.db, QUEUE, { nth: 2 });
  await eventually(() => queue.done).toContain(2);
  expect(queue.done[0]).toBe(1);
});

test('a job that was taken over a connection that is cut before the answer is done all the same', async () => {
  await using queue = await atWork();
  await database.db.transaction(async (tx) => {
    await tx.query(lockJobs);
    await eventually(waiting).toBeGreaterThan(0);
    queue.way.cut();
    await queue.jobs.add(tx, QUEUE, { nth: 2 });
  });
  await eventually(() => queue.done).toContain(2);
});
