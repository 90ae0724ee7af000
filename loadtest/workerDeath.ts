/**
 * How soon calls hear again whose media worker was killed (SIGKILL), and whether calls on another worker notice: the
 * whole program with two workers, the product's own client in Chromium at both ends, sound only.
 *
 *   node loadtest/workerDeath.ts [calls, half of them on each worker = 20] [rounds = 5]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Crowd, type Heard, workersOf } from '../test/integration/media/Crowd.ts';
import { CallPages } from '../test/integration/media/callPages.ts';
import { startServer } from '../test/support/server.ts';
import { registerMatch } from '../test/support/signedIn.ts';

const calls = Number(process.argv[2] ?? 20);
const rounds = Number(process.argv[3] ?? 5);
const GIVE_UP_MS = 60_000;
/** How long is listened before the worker is killed and after all hear again. */
const LISTEN_MS = 3_000;

const backMs: number[] = [];
const silences = { before: [] as number[], after: [] as number[] };
let [packetsLost, listeners] = [0, 0];
for (let round = 0; round < rounds; round += 1) {
  const app = await startServer({ MEDIA_WORKERS: '2' });
  const pages = await CallPages.open(app.url);
  try {
    await oneRound(app.url, app.pid, pages);
  } finally {
    await pages.close();
    await app.stop();
  }
}
const told = (values: number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, most ${at(1)} ms`;
};
console.log(`Heard again after the kill: ${told(backMs)}, ${backMs.length} people`);
console.log(`The others: ${packetsLost} packets lost, ${listeners} people`);
console.log(
  `Their longest silence in the ${LISTEN_MS} ms before: ${told(silences.before)}; after: ${told(silences.after)}`,
);

async function oneRound(url: string, serverPid: number, pages: CallPages): Promise<void> {
  await using crowd = await Crowd.open(pages);
  for (let i = 0; i < calls; i += 1) await crowd.call(await registerMatch(url));
  await until(async () => (await crowd.allHear()) !== undefined);
  await pause(LISTEN_MS);
  const before = new Map((await crowd.heard()).map((one) => [one.userId, one]));
  const killedMs = performance.timeOrigin + performance.now();
  process.kill(workersOf(serverPid)[0]!, 'SIGKILL');
  const isAnew = ({ userId, ears }: Heard) =>
    ears.length > before.get(userId)!.ears.length && ears.at(-1)!.firstMs > killedMs;
  await until(async () => (await crowd.heard()).filter(isAnew).length === calls);
  await pause(LISTEN_MS);
  for (const one of await crowd.heard()) {
    const ear = one.ears.at(-1)!;
    if (isAnew(one)) {
      backMs.push(ear.firstMs - killedMs);
      continue;
    }
    listeners += 1;
    packetsLost += one.packetsLost - before.get(one.userId)!.packetsLost;
    const longest = (isIn: (toMs: number) => boolean) =>
      Math.max(0, ...ear.silences.filter(([, toMs]) => isIn(toMs)).map(([from, to]) => to - from));
    silences.before.push(longest((toMs) => toMs > killedMs - LISTEN_MS && toMs < killedMs));
    silences.after.push(longest((toMs) => toMs >= killedMs));
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${GIVE_UP_MS} ms`);
    await pause(100);
  }
}
