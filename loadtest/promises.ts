/**
 * What is promised about time, provoked again and again and measured: two processes of the program on one PostgreSQL and
 * one Redis, which lose their database or their Redis, have a session ended, a person blocked, a media worker stopped …
 * The tests assert that each comes, in order and once; how long it takes is printed here.
 *
 *     npm run node -- loadtest/promises.ts [FT-13 WS-20 …]        (six minutes for all; needs redis-server, Linux)
 *
 * Prints what was promised, what was measured, what the same takes undisturbed, and by how much a timer of the driver was
 * late meanwhile, at worst: what all of it cannot be better than. Exits with 1 where an answer was not what it
 * should be, never for a time.
 */
import { loadavg } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { request } from '../test/support/client.ts';
import { ms, PromiseRow, quantile, TABLE_HEAD } from './PromiseRow.ts';
import { PromiseWorld, type Provoke } from './PromiseWorld.ts';
import { INPUT_PROMISES } from './promisesInput.ts';
import { OUTAGE_PROMISES } from './promisesOutages.ts';
import { PEOPLE_PROMISES } from './promisesPeople.ts';
import { PROCESS_PROMISES } from './promisesProcesses.ts';
import { SOCKET_PROMISES } from './promisesSockets.ts';

const ROUND_TRIPS = 200;
const PRECISION_MS = 5;

// The SDK warns of each socket that was closed.
console.warn = () => {};
const all: Record<string, Provoke> = {
  ...INPUT_PROMISES,
  ...PEOPLE_PROMISES,
  ...SOCKET_PROMISES,
  ...OUTAGE_PROMISES,
  ...PROCESS_PROMISES,
};
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => all[name] === undefined);
if (unknown.length > 0) throw new Error(`${unknown}: there are ${Object.keys(all).join(', ')}`);

const startedAt = performance.now();
const stall = monitorEventLoopDelay({ resolution: PRECISION_MS });
stall.enable();
const wrong: string[] = [];
{
  await using world = await PromiseWorld.start();
  await tellMachine(world);
  console.log(TABLE_HEAD);
  for (const name of wanted.length > 0 ? wanted : Object.keys(all)) {
    const rows: PromiseRow[] = [];
    stall.reset();
    await all[name]!(world, (promised) => {
      const row = new PromiseRow(promised);
      rows.push(row);
      return row;
    }).catch((error: unknown) => void wrong.push(`${name}: ${error instanceof Error ? error.stack : error}`));
    const lateMs = Math.max(0, stall.max / 1e6 - PRECISION_MS);
    for (const row of rows) {
      console.log(row.line(lateMs));
      wrong.push(...row.wrong.map((what) => `${row.what}: ${what}`));
    }
  }
  for (const { url } of world.both) {
    const alive = await request(url, 'GET', '/health/liveness').catch(() => undefined);
    if (alive?.status !== 200) wrong.push('a process ended by itself');
  }
  await tellMachine(world);
}
console.log(
  `${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes; wrong answers: ${wrong.length}`,
);
for (const what of new Set(wrong))
  console.log(`  - ${wrong.filter((other) => other === what).length} times ${what}`);
process.exit(wrong.length > 0 ? 1 : 0);

/** What nothing can be faster than here. */
async function tellMachine({ a, admin, redis }: PromiseWorld): Promise<void> {
  const client = new Redis(redis.url);
  const trips = {
    HTTP: () => request(a.url, 'GET', '/health/liveness'),
    PostgreSQL: () => admin.query('select 1'),
    Redis: () => client.ping(),
  };
  const lines: string[] = [];
  for (const [name, trip] of Object.entries(trips)) {
    const row = new PromiseRow({ what: name, withinMs: 0 });
    for (let i = 0; i < ROUND_TRIPS; i++) await row.time<unknown>(trip);
    lines.push(
      `${name} ${ms(quantile(row.tookMs, 0.5))} / ${ms(quantile(row.tookMs, 0.99))} / ${ms(quantile(row.tookMs, 1))}`,
    );
  }
  client.disconnect();
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(`round trips, p50 / p99 / most in ms: ${lines.join(', ')}; load ${load.join(' ')}\n`);
}
