/**
 * FT-19: how soon calls hear again whose media worker was killed (SIGKILL), and whether calls on another worker notice:
 * the whole program with two workers, people whose media is `rtpClient.c`'s, sound both ways in every call.
 *
 *   npm run node -- loadtest/workerDeath.ts [calls, half of them on each worker = 20] [rounds = 5]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { workersOf } from '../test/integration/media/Crowd.ts';
import { startServer } from '../test/support/server.ts';
import { registerMatch } from '../test/support/signedIn.ts';
import { type Heard, RtpPeople, type RtpPerson } from './RtpPeople.ts';

const calls = Number(process.argv[2] ?? 20);
const rounds = Number(process.argv[3] ?? 5);
const GIVE_UP_MS = 60_000;
/** How long is listened before the worker is killed and after all hear again. */
const LISTEN_MS = 3_000;

const backMs: number[] = [];
const silences = { before: [] as number[], after: [] as number[] };
let packetsLost = 0;
for (let round = 0; round < rounds; round += 1) {
  const app = await startServer({ MEDIA_WORKERS: '2' });
  const people = await RtpPeople.start();
  try {
    await oneRound(app.url, app.pid, people);
  } finally {
    await people[Symbol.asyncDispose]();
    await app.stop();
  }
}
const told = (values: number[]) => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? 0);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, most ${at(1)} ms (${sorted.length} people)`;
};
console.log(`Heard again after the kill: ${told(backMs)}`);
console.log(`The others: ${packetsLost} packets lost`);
console.log(`Their longest silence in the ${LISTEN_MS} ms before: ${told(silences.before)}`);
console.log(`From the kill until ${LISTEN_MS} ms after all hear again: ${told(silences.after)}`);

async function oneRound(url: string, serverPid: number, people: RtpPeople): Promise<void> {
  const seated: RtpPerson[] = [];
  for (let i = 0; i < calls; i += 1) {
    const { ann, bob, matchId } = await registerMatch(url);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    seated.push(await people.sit(ann, seat, 2 * i + 1), await people.sit(bob, answered.seat, 2 * i + 2));
  }
  const heard = async () => {
    const all = await people.report();
    return new Map(seated.map((one) => [one, all.get(one.ear)] as const));
  };
  const hearing = async (isIt: (ear: string, heard: Heard) => boolean) =>
    [...(await heard())].filter(([{ ear }, now]) => now !== undefined && now.packets > 0 && isIt(ear, now));

  await until(async () => (await hearing(() => true)).length === seated.length);
  people.forgetSilences();
  await pause(LISTEN_MS);
  const before = new Map([...(await heard())].map(([one, now]) => [one, { ear: one.ear, ...now! }]));
  people.forgetSilences();
  const killedMs = performance.timeOrigin + performance.now();
  process.kill(workersOf(serverPid)[0]!, 'SIGKILL');
  const known = new Set([...before.values()].map(({ ear }) => ear));
  await until(async () => (await hearing((ear) => !known.has(ear))).length === calls);
  await pause(LISTEN_MS);
  for (const [one, now] of await heard()) {
    const then = before.get(one)!;
    if (one.ear !== then.ear) {
      backMs.push(now!.firstMs - killedMs);
      continue;
    }
    packetsLost += now!.lost - then.lost;
    silences.before.push(then.silenceMs);
    silences.after.push(now!.silenceMs);
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${GIVE_UP_MS} ms`);
    await pause(100);
  }
}
