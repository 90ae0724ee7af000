// Runs the simulation of calls and matches (test/simulation) over many seeds:
//
//   npm run node -- loadtest/simulate.ts --runs 1000000 --seed 1     seeds 1 to 1,000,000, on all cores; prints runs a second
//   npm run node -- loadtest/simulate.ts --seed 4711 --story         one seed, told line by line
//   npm run node -- loadtest/simulate.ts --weather clocks            one kind of trouble only
//
// Stops at the first broken invariant, tells its story and how to run it again.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { simulate } from '../test/simulation/Simulation.ts';

interface Share {
  first: number;
  runs: number;
  step: number;
  weather: string | undefined;
}

type Report = { done: number; calls: number; steps: number; simulatedMs: number; broken?: number };

/** Seeds between two reports. */
const BATCH = 100;

if (isMainThread) await main();
else await work(workerData as Share);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      weather: { type: 'string' },
      story: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const { weather } = values;
  if (values.story) return tell(seed, weather);
  const runs = Number(values.runs ?? 10_000);
  const broken = await runAll(seed, runs, Number(values.workers), weather);
  if (broken === undefined) return;
  await tell(broken, weather);
  process.exitCode = 1;
}

async function runAll(
  seed: number,
  runs: number,
  workers: number,
  weather: string | undefined,
): Promise<number | undefined> {
  const startedAt = performance.now();
  const total = { done: 0, calls: 0, steps: 0, simulatedMs: 0 };
  let broken: number | undefined;
  let toldAt = startedAt;
  const line = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    return (
      `${total.done} runs in ${seconds.toFixed(0)} s, ${Math.round(total.done / seconds)} a second; ` +
      `${total.calls} calls, ${total.steps} steps, ${(total.simulatedMs / 86_400_000).toFixed(1)} days simulated`
    );
  };
  await Promise.all(
    Array.from({ length: Math.min(workers, runs) }, (_, index) => {
      const its = Math.ceil((runs - index) / workers);
      const share: Share = { first: seed + index, runs: its, step: workers, weather };
      const worker = new Worker(new URL(import.meta.url), { workerData: share });
      return new Promise<void>((resolve, reject) => {
        worker.on('message', (report: Report) => {
          total.done += report.done;
          total.calls += report.calls;
          total.steps += report.steps;
          total.simulatedMs += report.simulatedMs;
          if (report.broken !== undefined) broken = Math.min(broken ?? report.broken, report.broken);
          if (performance.now() - toldAt > 5_000) {
            toldAt = performance.now();
            console.log(line());
          }
        });
        worker.on('error', reject);
        worker.on('exit', () => resolve());
      });
    }),
  );
  console.log(line());
  console.log(broken === undefined ? 'nothing broke' : `seed ${broken} broke`);
  return broken;
}

async function work({ first, runs, step, weather }: Share): Promise<void> {
  let report: Report = { done: 0, calls: 0, steps: 0, simulatedMs: 0 };
  for (let index = 0; index < runs; index++) {
    const run = await simulate(first + index * step, { weather });
    report.done++;
    report.calls += run.calls;
    report.steps += run.steps;
    report.simulatedMs += run.simulatedMs;
    const broken = run.broken !== undefined;
    if (!broken && report.done < BATCH && index < runs - 1) continue;
    parentPort!.postMessage(broken ? { ...report, broken: run.seed } : report);
    if (broken) return;
    report = { done: 0, calls: 0, steps: 0, simulatedMs: 0 };
    // Lets the message out.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function tell(seed: number, weather: string | undefined): Promise<void> {
  const run = await simulate(seed, { story: true, weather });
  console.log(run.story.join('\n'));
  console.log(run.broken === undefined ? 'nothing broke' : `\nbroken: ${run.broken}`);
  const kind = weather === undefined ? '' : ` --weather ${weather}`;
  console.log(`again: npm run node -- loadtest/simulate.ts --seed ${seed}${kind} --story`);
}
