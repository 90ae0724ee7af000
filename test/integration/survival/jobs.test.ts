/** The job queue, whose connections may be cut without a word. */
import { expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { Jobs } from '../../../src/platform/Jobs.ts';
import { CutWay } from '../../support/CutWay.ts';
import { useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

const QUEUE = 'test-cut';
const database = useDatabase();

test('goes on when its connections were cut: what they waited for is given up', async () => {
  const way = await CutWay.to(Number(new URL(database.url).port));
  const jobs = new Jobs({ url: way.urlOf(database.url), log: createLog('silent'), answerMs: 2_000 });
  await jobs.start();
  await jobs.declare(QUEUE, { retries: 9, retryDelaySec: 1, retryDelayMaxSec: 1, timeoutSec: 10 });
  const done: number[] = [];
  await jobs.serve<{ nth: number }>(QUEUE, async ({ nth }) => {
    done.push(nth);
  });
  await jobs.add(database.db, QUEUE, { nth: 1 });
  await eventually(() => done).toEqual([1]);
  way.cut();
  await jobs.add(database.db, QUEUE, { nth: 2 });
  await eventually(() => done).toContain(2);
  expect(done[0]).toBe(1);
  await jobs.close();
  way.close();
});
