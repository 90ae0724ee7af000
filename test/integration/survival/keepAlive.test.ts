/** Connections to PostgreSQL are kept from being forgotten by what lies between. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { createLog } from '../../../src/log.ts';
import { Jobs } from '../../../src/platform/Jobs.ts';
import { CutWay } from '../../support/CutWay.ts';
import { openDatabase, useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

const TABLE = '/proc/net/tcp';
const database = useDatabase();

/**
 * After how many milliseconds the kernel probes each connection to a port of this machine (Linux' proc_net_tcp: timer 2,
 * in hundredths of a second); undefined for one that it does not.
 */
function probedAfterMs(port: number): (number | undefined)[] {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const [, ...lines] = readFileSync(TABLE, 'utf8').trim().split('\n');
  const established = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '01');
  return established
    .filter((fields) => fields[2] === remote)
    .map((fields) => {
      const [kind, when] = fields[5]!.split(':');
      return kind === '02' ? Number.parseInt(when!, 16) * 10 : undefined;
    });
}

test.runIf(existsSync(TABLE))('the job queue: probed after 10 s of silence', async () => {
  const way = await CutWay.to(Number(new URL(database.url).port));
  const jobs = new Jobs({ url: way.urlOf(database.url), log: createLog('silent') });
  await jobs.start();
  await eventually(() => probedAfterMs(way.port).every((ms) => ms !== undefined && ms <= 10_000)).toBe(true);
  expect(probedAfterMs(way.port)).not.toEqual([]);
  await jobs.close();
  way.close();
});

test.runIf(existsSync(TABLE))('the name, the probe and the pool: probed after 10 s of silence', async () => {
  const way = await CutWay.to(Number(new URL(database.url).port));
  const db = await openDatabase(way.urlOf(database.url), 1);
  await db.holdName('kept', new SystemClock());
  await db.epochMs();
  await eventually(() => probedAfterMs(way.port).every((ms) => ms !== undefined && ms <= 10_000)).toBe(true);
  expect(probedAfterMs(way.port)).toHaveLength(3);
  await db.close();
  way.close();
});
