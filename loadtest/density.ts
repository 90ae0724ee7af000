/**
 * What a connected person costs while nothing happens: memory of an inbox connection, of a connection in a call's
 * room of two, and the processor's share of many idle ones; beside uWebSockets.js with nothing on top.
 *
 *     npm run node -- loadtest/density.ts --connections 3000 --calls 500 --idle 10000
 *
 * Memory is the resident set after two collections of garbage, before and after; a first batch that is not counted pays
 * for what is paid once. Processor time is that between collections, which empty the memory of compiled code too: of the
 * set-up, that of the first batch's second half. The machine's limit of open files must allow for the connections. Linux.
 */
import { parseArgs } from 'node:util';
import { callOfTwo } from './densityCalls.ts';
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
/** Longer than two pings of the slowest, and five comparisons of the inboxes. */
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
const idle = Math.max(Number(values.idle), WARM_UP + connections);

const bare = await measureBare();

await using duet = await MeasuredDuet.start();
await pause(5_000);
const empty = await shareOf(duet.server, () => duet.postgresCpuMs());
console.log(
  `a process without connections:          ${percent(empty.server)}, its database ${percent(empty.database)}`,
);

const people = await duet.people(idle);
const sockets: ThinSocket[] = [];
const openInboxes = async (some: readonly TestPerson[]) => {
  const joined = await inParallel(some, AT_ONCE, async (person) => {
    const { seat } = await duet.post(person, '/realtime/inbox');
    return ThinSocket.open(duet.server.port, seatPath(seat, person.token));
  });
  sockets.push(...joined);
};

const firstHalf = WARM_UP / 2;
await openInboxes(people.slice(0, firstHalf));
const halfWayMs = await duet.server.cpuMs();
await openInboxes(people.slice(firstHalf, WARM_UP));
const setUpUs = Math.round((((await duet.server.cpuMs()) - halfWayMs) * 1_000) / firstHalf);
const before = await settled(duet.server);
await openInboxes(people.slice(WARM_UP, WARM_UP + connections));
const after = await settled(duet.server);
const inboxKb = kb(before, after, connections);
console.log(`${connections} connections with their inbox:      ${shown(inboxKb)}`);
console.log(
  `the same on bare uWebSockets.js:        ${shown(bare.kb)}; ratio ${(inboxKb.rss / bare.kb.rss).toFixed(1)}`,
);
console.log(
  `set-up                                  ${setUpUs} us of CPU each, the request for the seat included`,
);

await openInboxes(people.slice(WARM_UP + connections));
// Those who came last are written down as present.
await pause(8_000);
const busy = await shareOf(duet.server, () => duet.postgresCpuMs());
const open = sockets.filter((socket) => socket.closeCode === undefined).length;
console.log(
  `${open} idle inbox connections:           ${percent(busy.server)}, its database ${percent(busy.database)}; on top of an empty process ${percent(busy.server - empty.server)}`,
);
console.log(`as many on bare uWebSockets.js:         ${percent(bare.share)}`);

const rooms: ThinSocket[] = [];
const openCalls = (some: readonly (readonly [TestPerson, TestPerson])[]) =>
  inParallel(some, AT_ONCE, async (pair) => {
    const { sockets } = await callOfTwo(duet, pair, (path) => ThinSocket.open(duet.server.port, path));
    rooms.push(...sockets);
  });
const pairs = Array.from({ length: calls }, (_, i) => [people[2 * i]!, people[2 * i + 1]!] as const);
const warmPairs = Math.floor(calls / 5);
await openCalls(pairs.slice(0, warmPairs));
const beforeCalls = await settled(duet.server);
await openCalls(pairs.slice(warmPairs));
const afterCalls = await settled(duet.server);
const callKb = kb(beforeCalls, afterCalls, (calls - warmPairs) * 2);
console.log(
  `${(calls - warmPairs) * 2} connections in calls of two:       ${shown(callKb)}, their inboxes apart`,
);
for (const socket of [...rooms, ...sockets]) socket.destroy();

/** What as many sockets cost with nothing on top. */
async function measureBare(): Promise<{ kb: ReturnType<typeof kb>; share: number }> {
  const server = await MeasuredServer.start('loadtest/densityBare.ts');
  const open = (count: number) =>
    inParallel(Array(count).fill('/'), AT_ONCE, (path) =>
      ThinSocket.open(server.port, path, { waitForJoin: false }),
    );
  const half = Math.floor(idle / 2);
  const opened = await open(half);
  const from = await settled(server);
  opened.push(...(await open(idle - half)));
  const to = await settled(server);
  const { server: share } = await shareOf(server);
  for (const socket of opened) socket.destroy();
  await server.close();
  return { kb: kb(from, to, idle - half), share };
}

/** Which share of a core a server uses while nothing happens, and its database. */
async function shareOf(
  server: MeasuredServer,
  databaseMs: () => Promise<number> = async () => 0,
): Promise<{ server: number; database: number }> {
  const serverFrom = await server.cpuMs();
  const databaseFrom = await databaseMs();
  const from = performance.now();
  await pause(IDLE_SEC * 1_000);
  const serverMs = (await server.cpuMs()) - serverFrom;
  const tookMs = performance.now() - from;
  return { server: serverMs / tookMs, database: ((await databaseMs()) - databaseFrom) / tookMs };
}

/** What a server uses once pages that a collection of garbage emptied are given back, which takes a moment. */
async function settled(server: MeasuredServer): Promise<Usage> {
  await pause(1_000);
  await server.usage();
  await pause(1_000);
  return server.usage();
}

/** Kibibytes a connection. */
function kb(from: Usage, to: Usage, count: number): { rss: number; heap: number; external: number } {
  const each = (field: keyof Usage) => (to[field] - from[field]) / 1024 / count;
  return { rss: each('rss'), heap: each('heapUsed'), external: each('external') };
}

function shown({ rss, heap, external }: ReturnType<typeof kb>): string {
  return `${rss.toFixed(1)} KB each (heap ${heap.toFixed(1)}, external ${external.toFixed(1)})`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} % of a core`;
}
