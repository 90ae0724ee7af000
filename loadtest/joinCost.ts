/**
 * What it costs a process to let somebody in, by how many rooms it has: the seat by HTTP and the join, of an inbox, and
 * of both people of a new call (its match and its room included).
 *
 *     npm run node -- loadtest/joinCost.ts --rooms 1000,50000 --joins 1000 --calls 200
 *
 * The first number of rooms is measured twice, before and after a first round that warms up; compare the second.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { freePort } from '../test/support/freePort.ts';
import { callOfTwo } from './densityCalls.ts';
import { inParallel, MeasuredDuet, type TestPerson } from './densityServer.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

const AT_ONCE = 4;

const { values } = parseArgs({
  options: {
    rooms: { type: 'string', default: '1000,50000' },
    joins: { type: 'string', default: '1000' },
    calls: { type: 'string', default: '200' },
  },
});
const [joins, calls] = [Number(values.joins), Number(values.calls)];
const roomsPort = await freePort();
await using duet = await MeasuredDuet.start({ ROOMS_PORT: `${roomsPort}` }, ['./loadtest/joinCostRooms.ts']);
const rooms = connect(roomsPort, '127.0.0.1');
// The server is killed at the end.
rooms.on('error', () => {});
const sizes = values.rooms.split(',').map(Number);
for (const size of [sizes[0]!, ...sizes]) {
  rooms.write(`${size}\n`);
  await once(rooms, 'data');
  const inboxes = await inTurn(await duet.people(joins), joinInbox);
  const people = await duet.people(2 * calls);
  const pairs = Array.from({ length: calls }, (_, i) => [people[2 * i]!, people[2 * i + 1]!] as const);
  const newCalls = await inTurn(pairs, (pair) => callOfTwo(duet, pair, open));
  console.log(`${size} rooms: an inbox ${inboxes}; a call of two ${newCalls}`);
}

async function joinInbox(person: TestPerson): Promise<void> {
  const { seat } = await duet.post(person, '/realtime/inbox');
  (await open(seatPath(seat, person.token))).destroy();
}

function open(path: string): Promise<ThinSocket> {
  return ThinSocket.open(duet.server.port, path);
}

/** Does `work` for all; resolves with what it took. */
async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<string> {
  const before = await duet.server.cpuMs();
  const tookMs = await inParallel(items, AT_ONCE, async (item) => {
    const startedAt = performance.now();
    await work(item);
    return performance.now() - startedAt;
  });
  const usedMs = (await duet.server.cpuMs()) - before;
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.floor(share * tookMs.length)]!.toFixed(2);
  const cpu = (usedMs / items.length).toFixed(3);
  return `${cpu} ms of processor time, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
