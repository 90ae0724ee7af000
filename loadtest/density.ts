/**
 * What a connected person costs while nothing happens: memory of an inbox connection, of a connection in a call's
 * room of two, and the processor's share of many idle ones; beside uWebSockets.js with nothing on top.
 *
 *     node loadtest/density.ts --connections 3000 --calls 500 --idle 10000
 *
 * Memory is the resident set after a collection of garbage, before and after; a first batch that is not counted pays
 * for what is paid once. The machine's limit of open files must allow for the connections.
 */
import { parseArgs } from 'node:util';
import {
  inParallel,
  MeasuredDuet,
  MeasuredServer,
  pause,
  type TestPerson,
  type Usage,
} from './densityServer.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

/** Connections made before the first measurement. */
const WARM_UP = 2_000;
const AT_ONCE = 8;
const IDLE_SEC = 20;

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '3000' },
    calls: { type: 'string', default: '500' },
    idle: { type: 'string', default: '10000' },
  },
});
const connections = Number(values.connections);
const calls = Number(values.calls);
const idle = Math.max(Number(values.idle), connections);

const bare = await MeasuredServer.start('loadtest/densityBare.ts');
const openBare = (count: number) =>
  inParallel(Array(count).fill('/'), AT_ONCE, (path) =>
    ThinSocket.open(bare.port, path, { waitForJoin: false }),
  );
// From the first on: a bare socket is so small that pages which a warm-up left would hide thousands of them.
const bareBefore = await bare.usage();
const bareSockets = await openBare(WARM_UP + connections);
const bareAfter = await bare.usage();
const bareKb = kb(bareBefore, bareAfter, WARM_UP + connections);
for (const socket of bareSockets) socket.destroy();
await bare.close();

await using duet = await MeasuredDuet.start();
const people = await duet.people(WARM_UP + idle);
const sockets: ThinSocket[] = [];
const openInboxes = async (some: readonly TestPerson[]) => {
  const joined = await inParallel(some, AT_ONCE, async (person) => {
    const { seat } = await duet.post(person, '/realtime/inbox');
    return ThinSocket.open(duet.server.port, seatPath(seat, person.token));
  });
  sockets.push(...joined);
};

await openInboxes(people.slice(0, WARM_UP));
await pause(1_000);
const before = await duet.server.usage();
await openInboxes(people.slice(WARM_UP, WARM_UP + connections));
await pause(1_000);
const after = await duet.server.usage();
const inboxKb = kb(before, after, connections);
console.log(`${connections} connections with their inbox: ${shown(inboxKb)}`);
console.log(
  `the same on bare uWebSockets.js:       ${shown(bareKb)}; ratio ${(inboxKb.rss / bareKb.rss).toFixed(1)}`,
);
console.log(
  `set-up                                 ${us(before, after, connections)} us of CPU each, the request for the seat included`,
);

const callers = people.slice(0, calls * 2);
const rooms: ThinSocket[] = [];
const callPairs = async (pairs: readonly (readonly [TestPerson, TestPerson])[]) => {
  await inParallel(pairs, AT_ONCE, async ([ann, bob]) => {
    await duet.post(ann, `/matches/like/${bob.id}`);
    const { match } = await duet.post(bob, `/matches/like/${ann.id}`);
    const { call } = await duet.post(ann, `/calls/initiate/${match.id}`, {});
    for (const person of [ann, bob]) rooms.push(await sitIn(call.id, person));
  });
};
/** Joins a call, with another seat where one was lost to a busy machine, as every client does. */
async function sitIn(callId: string, person: TestPerson): Promise<ThinSocket> {
  for (let tries = 1; ; tries++) {
    const { seat } = await duet.post(person, `/calls/${callId}/join`);
    try {
      return await ThinSocket.open(duet.server.port, seatPath(seat, person.token));
    } catch (error) {
      if (tries === 3) throw error;
      console.log(`a seat was lost: ${error}`);
    }
  }
}
const pairs = Array.from({ length: calls }, (_, i) => [callers[2 * i]!, callers[2 * i + 1]!] as const);
const warmPairs = Math.floor(calls / 5);
await callPairs(pairs.slice(0, warmPairs));
await pause(1_000);
const beforeCalls = await duet.server.usage();
await callPairs(pairs.slice(warmPairs));
await pause(1_000);
const afterCalls = await duet.server.usage();
const callKb = kb(beforeCalls, afterCalls, (calls - warmPairs) * 2);
console.log(
  `${(calls - warmPairs) * 2} connections in calls of two:      ${shown(callKb)} on top of the inbox`,
);
for (const socket of rooms) socket.destroy();

await openInboxes(people.slice(WARM_UP + connections));
await pause(3_000);
const idleFrom = await duet.server.usage();
const from = performance.now();
await pause(IDLE_SEC * 1000);
const idleTo = await duet.server.usage();
const share = (idleTo.cpuMs - idleFrom.cpuMs) / (performance.now() - from);
const open = sockets.filter((socket) => socket.closeCode === undefined).length;
console.log(`${open} idle inbox connections:            ${(share * 100).toFixed(2)} % of a core`);
for (const socket of sockets) socket.destroy();

/** Kibibytes a connection. */
function kb(from: Usage, to: Usage, count: number): { rss: number; heap: number; external: number } {
  const each = (field: keyof Usage) => (to[field] - from[field]) / 1024 / count;
  return { rss: each('rss'), heap: each('heapUsed'), external: each('external') };
}

function shown({ rss, heap, external }: ReturnType<typeof kb>): string {
  return `${rss.toFixed(1)} KB each (heap ${heap.toFixed(1)}, external ${external.toFixed(1)})`;
}

function us(from: Usage, to: Usage, count: number): number {
  return Math.round(((to.cpuMs - from.cpuMs) * 1000) / count);
}
