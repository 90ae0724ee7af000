/**
 * The soak (LD-11): two processes of Duet with real media workers, and people who register, match, call each other in
 * every way that calls go, and delete their accounts, for as long as asked. Whatever the processes hold is read every 30 s;
 * in the end everybody leaves, and what does not come back to where it was is a leak.
 *
 *     npm run node -- loadtest/soak.ts --minutes 120 --calls 200
 *
 * `--calls` a minute, between as many couples as that takes. What is paid once is paid in `--warm` minutes before, after
 * which everybody leaves as well: that is the baseline. `--settle` minutes are waited in the end, longer than most is kept
 * on purpose: what has ended is remembered as long as an access token lives, a quarter of an hour. Prints each figure's
 * baseline, its slope an hour under load (least squares), and what it is when all have left; then what of the heap has
 * grown, by class. The heap is that of B: looking at it takes memory that is not given back soon, so the resident set that
 * counts is that of A. Needs `redis-server`, `cc` and what `RtpPeople` does; Linux.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { pause } from './densityServer.ts';
import { grownClasses } from './heapClasses.ts';
import { RtpPeople } from './RtpPeople.ts';
import { SoakCouple, type Town } from './SoakCouple.ts';
import { type Figures, SoakWorld } from './SoakWorld.ts';

const READ_EVERY_MS = 30_000;
const MINUTE_MS = 60_000;
const MINUTES_AN_HOUR = 60;
/** A call of each kind takes so long on average, what two people do beside it included. */
const CALL_SEC = 15;
/** Of a class of objects that grew by fewer nothing is said. */
const GROWN = { count: 200, bytes: 64 * 1024 };
const MOST_CLASSES = 25;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    calls: { type: 'string', default: '60' },
    warm: { type: 'string', default: '3' },
    settle: { type: 'string', default: '16' },
  },
});
const callsAMinute = Number(values.calls);
const couples = Math.ceil((callsAMinute * CALL_SEC) / 60) + 2;
// The SDK warns of each socket that ends.
console.warn = () => {};

let cutShort = false;
process.once('SIGINT', () => {
  console.log('Ending: everybody leaves first. Another Ctrl-C leaves nothing in order.');
  cutShort = true;
});
const done = new Map<string, { times: number; failed: Map<string, number> }>();
let calls = 0;

await using world = await SoakWorld.start();
await using rtp = await RtpPeople.start();

console.log(`Warming up: ${values.warm} min, ${couples} couples.`);
await live(Number(values.warm) * MINUTE_MS);
await settle(Math.min(1, Number(values.settle)));
const baseline = await world.read();
const rowsBefore = await world.rows();
const heapBefore = await world.heap();

const callsBefore = calls;
const readings: { atMin: number; figures: Figures }[] = [];
const startedAt = performance.now();
await live(Number(values.minutes) * MINUTE_MS, async () => {
  const figures = await world.read();
  const atMin = (performance.now() - startedAt) / MINUTE_MS;
  readings.push({ atMin, figures });
  const short = (name: string) => `${name} ${Math.round(figures[name] ?? 0)}`;
  console.log(
    `${atMin.toFixed(1)} min, ${calls - callsBefore} calls, load ${loadavg()[0]!.toFixed(1)}: ${['A: RSS, MiB', 'A: heap, MiB', 'B: RSS, MiB', 'B: heap, MiB', 'A: files', 'PostgreSQL: connections', 'Redis: keys'].map(short).join('; ')}`,
  );
});
const soakedMin = (performance.now() - startedAt) / MINUTE_MS;
await settle(Number(values.settle));
const left = await world.read();
const rowsAfter = await world.rows();
const heapAfter = await world.heap();
report();

/** Couples live, one after the other in so many places, for a while; resolves when the last have left. */
async function live(forMs: number, everyReading: () => Promise<void> = async () => {}): Promise<void> {
  const lastAt = performance.now() + forMs;
  const isOver = () => cutShort || performance.now() >= lastAt;
  let next = performance.now();
  const town: Town = {
    urls: world.urls,
    rtp,
    async mayCall() {
      const at = Math.max(next, performance.now());
      next = at + MINUTE_MS / callsAMinute;
      await pause(Math.max(0, Math.min(at, lastAt) - performance.now()));
      if (at >= lastAt || isOver()) return false;
      calls += 1;
      return true;
    },
    tell(what, error) {
      const one = done.get(what) ?? { times: 0, failed: new Map() };
      done.set(what, one);
      one.times += 1;
      if (error === undefined) return;
      const why = String(error)
        .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')
        .slice(0, 300);
      one.failed.set(why, (one.failed.get(why) ?? 0) + 1);
    },
  };
  const lives = Promise.all(
    Array.from({ length: couples }, async () => {
      while (!isOver()) await SoakCouple.live(town);
    }),
  );
  while (!isOver()) {
    await pause(Math.min(READ_EVERY_MS, Math.max(0, lastAt - performance.now())));
    if (!isOver()) await everyReading();
  }
  await lives;
}

async function settle(forMin: number): Promise<void> {
  console.log(`Everybody has left; waiting ${forMin} min.`);
  await pause(forMin * MINUTE_MS);
  // What the statistics of tables say is told a moment later.
  await world.read();
  await pause(2_000);
}

function report(): void {
  const names = [
    ...new Set([
      ...Object.keys(baseline),
      ...readings.flatMap(({ figures }) => Object.keys(figures)),
      ...Object.keys(left),
    ]),
  ];
  const shown = (value: number) => (Number.isInteger(value) ? `${value}` : value.toFixed(1));
  const made = calls - callsBefore;
  console.log(`
${made} calls in ${soakedMin.toFixed(1)} min (${(made / soakedMin).toFixed(0)} a minute), ${couples} couples at once; load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} on ${availableParallelism()} cores
`);
  console.log(`${'what'.padEnd(44)} baseline    first     last   an hour  2nd half    after  difference`);
  for (const name of names) {
    const of = (figures: Figures | undefined) => figures?.[name] ?? 0;
    const columns = [
      shown(of(baseline)),
      shown(of(readings[0]?.figures)),
      shown(of(readings.at(-1)?.figures)),
      shown(slope(name, readings)),
      shown(slope(name, readings.slice(Math.floor(readings.length / 2)))),
      shown(of(left)),
      shown(of(left) - of(baseline)),
    ];
    console.log(`${name.padEnd(44)}${columns.map((column) => column.padStart(9)).join('')}`);
  }
  console.log('\nrows that stay');
  for (const [name, after] of Object.entries(rowsAfter)) {
    const before = rowsBefore[name] ?? 0;
    if (after !== before)
      console.log(`  ${name.padEnd(42)}${`${before}`.padStart(9)}${`${after}`.padStart(9)}`);
  }
  console.log(`\nthe heap of B, grown by ${GROWN.count} in number or ${GROWN.bytes / 1024} KiB`);
  for (const { name: what, from, to } of grownClasses(heapBefore, heapAfter, GROWN).slice(0, MOST_CLASSES))
    console.log(
      `  ${what.slice(0, 60).padEnd(62)}${from.count} → ${to.count}, ${Math.round(from.bytes / 1024)} → ${Math.round(to.bytes / 1024)} KiB`,
    );
  console.log('\ndone');
  for (const [what, { times, failed }] of [...done].sort()) {
    console.log(`  ${what.padEnd(32)}${times}`);
    for (const [why, count] of failed) console.log(`    of which failed ${count}: ${why}`);
  }
  const complaints = new Map<string, number>();
  for (const line of world.complaints) {
    const what = /"msg":"([^"]*)"/.exec(line)?.[1] ?? line.slice(0, 200);
    complaints.set(what, (complaints.get(what) ?? 0) + 1);
  }
  console.log('\nlogged, of level warn and above');
  for (const [what, count] of complaints) console.log(`  ${count} × ${what}`);
}

/** The slope of a figure, an hour: least squares. */
function slope(name: string, some: typeof readings): number {
  if (some.length < 2) return Number.NaN;
  const xs = some.map(({ atMin }) => atMin / MINUTES_AN_HOUR);
  const ys = some.map(({ figures }) => figures[name] ?? 0);
  const mean = (all: number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [x0, y0] = [mean(xs), mean(ys)];
  const above = xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i]! - y0), 0);
  return above / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
}
