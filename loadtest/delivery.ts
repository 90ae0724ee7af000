/**
 * How long things take from when they are due to the other's socket, and what they cost the server, over a thousand
 * connections; beside uWebSockets.js with nothing on top, which reads and writes JSON, in the same run:
 *
 * - an inbox event, from the bus on (`deliveryTap.ts` takes the place of commits, of which no machine of this size
 *   makes so many);
 * - a message from one of a call to the other through a validated handler (a public key);
 * - a change of a call's state, to both screens.
 *
 *     npm run node -- loadtest/delivery.ts --rates 2000,5000,20000 --seconds 5 --rounds 2 --connections 1000
 *
 * Open loop: events are due at fixed times whatever the server does. The last round is a closed loop, as fast as the server
 * goes: there the processor time is that of the work, and not of waking up for it. Sockets and clock are
 * `deliveryClient.c`'s. Ratios carry over to other machines, times do not.
 */
import { parseArgs } from 'node:util';
import { getMessageBytes, Protocol } from '@colyseus/core';
import { freePort } from '../test/support/freePort.ts';
import { type Delivered, DeliveryClients, type Rate, type Step } from './DeliveryClients.ts';
import { markAt, recordFor, UNMARKED } from './deliveryFrames.ts';
import { callOfTwo } from './densityCalls.ts';
import { inParallel, MeasuredDuet, MeasuredServer, pause } from './densityServer.ts';
import { seatPath } from './densitySocket.ts';

const SIGNATURE = 'x'.repeat(40);
/** As MessagePack a number of four bytes: whatever number of four bytes takes its place is as long. */
const FOUR_BYTES = 0xf0f1f2f3;
const AT_ONCE = 8;

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '2000,5000,20000' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '1000' },
    /** Only what has this in its name, beside the peer. */
    only: { type: 'string', default: '' },
  },
});
const connections = Number(values.connections);
const seconds = Number(values.seconds);

interface Line {
  name: string;
  server: MeasuredServer;
  steps: Step[];
}

interface Measured extends Delivered {
  cpuUs: number;
  share: number;
}

const tapPort = await freePort();
// A call in which nothing flows stays `connecting` for as long as people may be gone.
await using duet = await MeasuredDuet.start({ CALL_RECONNECT_SEC: '3600', TAP_PORT: `${tapPort}` }, [
  './loadtest/deliveryTap.ts',
]);
const bare = await MeasuredServer.start('loadtest/deliveryRelay.ts');
await using clients = await DeliveryClients.start();
const [inbox, relay] = [await inboxLine(), await bareLine()];
const [handler, state] = await callLines();
const lines = [relay, ...[handler, inbox, state].filter(({ name }) => name.includes(values.only))];
for (const line of lines) await measure(line, 1_000, 1);
const rates: Rate[] = [...values.rates.split(',').map(Number), 'asFastAsItGoes'];
for (const rate of rates) {
  const best = new Map<Line, Measured>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const line of lines) {
      const measured = await measure(line, rate, seconds);
      const before = best.get(line);
      if (before === undefined || isBetter(measured, before, rate)) best.set(line, measured);
    }
  }
  console.log(
    `\n${rate === 'asFastAsItGoes' ? 'As many' : rate} events a second for ${seconds} s over ${connections} connections, the best of ${values.rounds}`,
  );
  const peer = best.get(relay)!;
  for (const [{ name }, measured] of best) print(name, measured, peer);
}
await bare.close();

function isBetter(one: Measured, other: Measured, rate: Rate): boolean {
  return rate === 'asFastAsItGoes' ? one.cpuUs < other.cpuUs : one.p99Us < other.p99Us;
}

async function measure(line: Line, rate: Rate, forSec: number): Promise<Measured> {
  await pause(300);
  // Not `usage`: a heap that was just emptied to the last is soon marked anew, in the middle of what is measured.
  const before = await line.server.cpuMs();
  const delivered = await clients.run(line.steps, rate, forSec);
  const usedMs = (await line.server.cpuMs()) - before;
  return { ...delivered, cpuUs: (usedMs * 1_000) / delivered.sent, share: usedMs / (forSec * 1_000) };
}

/** Pairs on the bare server. */
async function bareLine(): Promise<Line> {
  const paths = Array.from({ length: connections }, (_, i) => `/${i >> 1}`);
  const sockets = await inParallel(paths, AT_ONCE, (path) => clients.openWebSocket(bare.port, path, false));
  const message = { type: 'call:e2ee_key', payload: { epoch: 1, key: UNMARKED, signature: SIGNATURE } };
  const payload = Buffer.from(JSON.stringify(message));
  return {
    name: 'JSON through bare uWebSockets.js',
    server: bare,
    steps: sockets.map((socket) => ({ socket, payload, markAt: markAt(payload) })),
  };
}

/** Inboxes, whose events come from the bus. */
async function inboxLine(): Promise<Line> {
  const people = await duet.people(connections);
  await inParallel(people, AT_ONCE, async (person) => {
    const { seat } = await duet.post(person, '/realtime/inbox');
    return clients.openWebSocket(duet.server.port, seatPath(seat, person.token), true);
  });
  const tap = await clients.openSocket(tapPort, `${JSON.stringify(people.map(({ id }) => id))}\n`);
  return {
    name: 'inbox: bus → client',
    server: duet.server,
    steps: people.map((_, i) => {
      const { record, markAt } = recordFor(i);
      return { socket: tap, payload: record, markAt };
    }),
  };
}

/** Answered calls of two: what one says to the other, and what one changes for both. */
async function callLines(): Promise<[Line, Line]> {
  const people = await duet.people(connections);
  const pairs = Array.from(
    { length: connections / 2 },
    (_, i) => [people[2 * i]!, people[2 * i + 1]!] as const,
  );
  const sockets = await inParallel(pairs, AT_ONCE, async (pair) => {
    const call = await callOfTwo(duet, pair, (path) => clients.openWebSocket(duet.server.port, path, true));
    // While it rings nobody learns what the other does.
    await duet.post(pair[1], `/calls/${call.id}/answer`, {});
    return call.sockets;
  });
  await pause(1_000);
  const key = { epoch: FOUR_BYTES, key: UNMARKED, signature: SIGNATURE };
  const payload = bytesOf('call:e2ee_key', key);
  const marks = { markAt: markAt(payload), counterAt: counterAt(payload) };
  const handler: Line = {
    name: 'call: one → handler → the other',
    server: duet.server,
    steps: sockets.flat().map((socket) => ({ socket, payload, ...marks })),
  };
  const [on, off] = ['on', 'off'].map((claim) => bytesOf('call:e2ee_state', { state: claim }));
  const state: Line = {
    name: 'call: change of state → both screens',
    server: duet.server,
    steps: sockets.map(([one, other]) => ({ socket: one, payload: on!, patch: { at: other, other: off! } })),
  };
  return [handler, state];
}

function bytesOf(type: string, payload: object): Buffer {
  return Buffer.from(getMessageBytes.raw(Protocol.ROOM_DATA, type, payload));
}

/** Where `FOUR_BYTES` stands. */
function counterAt(payload: Buffer): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(FOUR_BYTES);
  return payload.indexOf(bytes);
}

function print(name: string, measured: Measured, peer: Measured): void {
  const { p50Us, p90Us, p99Us, p999Us, sent, arrived, senderLateUs, cpuUs, share } = measured;
  const times = (value: number, of: number) => `${(value / of).toFixed(2)}x`;
  const ms = (us: number) => (us / 1_000).toFixed(3);
  console.log(
    [
      name.padEnd(38),
      `p50 ${ms(p50Us)} ms (${times(p50Us, peer.p50Us)})  p90 ${ms(p90Us)}`,
      `p99 ${ms(p99Us)} (${times(p99Us, peer.p99Us)}, of which the sender's ${ms(senderLateUs)})  p99.9 ${ms(p999Us)}`,
      `${cpuUs.toFixed(1)} us of CPU each (${times(cpuUs, peer.cpuUs)})`,
      `${(share * 100).toFixed(0)} % of a core`,
      `${(sent / seconds).toFixed(0)} a second`,
      `${sent - arrived} of ${sent} lost`,
    ].join('  '),
  );
}
