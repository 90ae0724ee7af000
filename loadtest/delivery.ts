/**
 * How long things take from when they are due to the other's socket, and what they cost the server, over a thousand
 * connections; beside uWebSockets.js with nothing on top, which reads and writes JSON, in the same run:
 *
 * - an inbox event, from the bus on (`deliveryTap.ts` takes the place of commits, of which no machine of this size
 *   makes so many);
 * - a message from one of a call to the other through a validated handler (a public key);
 * - a change of a call's state, to both screens.
 *
 *     node loadtest/delivery.ts --rates 2000,5000,20000 --seconds 5 --rounds 2 --connections 1000
 *
 * Open loop. Sender and clients share this process; what it costs them is in the times of all four alike. Ratios carry
 * over to other machines, times do not.
 */
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { getMessageBytes, Protocol } from '@colyseus/core';
import { freePort } from '../test/support/freePort.ts';
import { dueUsOf, mark, recordOf } from './deliveryFrames.ts';
import { at, type Delivered, openLoop, Stopwatch } from './deliveryLoad.ts';
import { callOfTwo } from './densityCalls.ts';
import { inParallel, MeasuredDuet, MeasuredServer, pause } from './densityServer.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

const SIGNATURE = 'x'.repeat(40);
const KIND_MASK = 0x1f;
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
const stopwatch = new Stopwatch();
const marked = (frame: Buffer) => {
  const dueUs = dueUsOf(frame);
  if (dueUs !== undefined) stopwatch.arrived(dueUs);
};

interface Line {
  name: string;
  server: MeasuredServer;
  send(i: number, dueUs: number): void;
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
const [inbox, relay] = [await inboxLine(), await bareLine()];
const [handler, state] = await callLines();
const lines = [relay, ...[handler, inbox, state].filter(({ name }) => name.includes(values.only))];
for (const line of lines) await measure(line, 1_000, 1);
for (const rate of values.rates.split(',').map(Number)) {
  const best = new Map<Line, Measured>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const line of lines) {
      const measured = await measure(line, rate, seconds);
      const before = best.get(line);
      if (before === undefined || at(measured.tookMs, 0.99) < at(before.tookMs, 0.99))
        best.set(line, measured);
    }
  }
  console.log(
    `\n${rate} events a second for ${seconds} s over ${connections} connections, the best of ${values.rounds}`,
  );
  const peer = best.get(relay)!;
  for (const [{ name }, measured] of best) print(name, measured, peer);
}
await bare.close();

async function measure(line: Line, rate: number, forSec: number): Promise<Measured> {
  await pause(300);
  const before = await line.server.usage();
  const startedAt = performance.now();
  const delivered = await openLoop(stopwatch, { rate, seconds: forSec }, line.send);
  const tookMs = performance.now() - startedAt;
  const { cpuMs } = await line.server.usage();
  const usedMs = cpuMs - before.cpuMsAfter;
  return {
    ...delivered,
    cpuUs: (usedMs * 1_000) / delivered.sent,
    share: usedMs / Math.min(tookMs, forSec * 1_000),
  };
}

/** Pairs on the bare server. */
async function bareLine(): Promise<Line> {
  const paths = Array.from({ length: connections }, (_, i) => `/${i >> 1}`);
  const sockets = await inParallel(paths, AT_ONCE, (path) =>
    ThinSocket.open(bare.port, path, { waitForJoin: false, onFrame: marked }),
  );
  return {
    name: 'JSON through bare uWebSockets.js',
    server: bare,
    send: (i, dueUs) =>
      sockets[i % connections]!.send(
        Buffer.from(
          JSON.stringify({
            type: 'call:e2ee_key',
            payload: { epoch: i, key: mark(dueUs), signature: SIGNATURE },
          }),
        ),
      ),
  };
}

/** Inboxes, whose events come from the bus. */
async function inboxLine(): Promise<Line> {
  const people = await duet.people(connections);
  await inParallel(people, AT_ONCE, async (person) => {
    const { seat } = await duet.post(person, '/realtime/inbox');
    return ThinSocket.open(duet.server.port, seatPath(seat, person.token), { onFrame: marked });
  });
  const tap = connect(tapPort, '127.0.0.1').setNoDelay();
  // The server is killed at the end.
  tap.on('error', () => {});
  tap.write(`${JSON.stringify(people.map(({ id }) => id))}\n`);
  return {
    name: 'inbox: bus → client',
    server: duet.server,
    send: (i, dueUs) => void tap.write(recordOf(i % connections, dueUs)),
  };
}

/** Answered calls of two: what one says to the other, and what one changes for both. */
async function callLines(): Promise<[Line, Line]> {
  const people = await duet.people(connections);
  const pairs = Array.from(
    { length: connections / 2 },
    (_, i) => [people[2 * i]!, people[2 * i + 1]!] as const,
  );
  const sockets: ThinSocket[] = [];
  /** When the changes that the second of each pair has not seen yet were due. */
  const dueUs: number[][] = pairs.map(() => []);
  await inParallel([...pairs.keys()], AT_ONCE, async (i) => {
    const seesPatch = (frame: Buffer) => {
      marked(frame);
      if ((frame[0]! & KIND_MASK) !== Protocol.ROOM_STATE_PATCH) return;
      const due = dueUs[i]!.shift();
      if (due !== undefined) stopwatch.arrived(due);
    };
    const call = await callOfTwo(duet, pairs[i]!, [marked, seesPatch]);
    // While it rings nobody learns what the other does.
    await duet.post(pairs[i]![1], `/calls/${call.id}/answer`, {});
    [sockets[2 * i], sockets[2 * i + 1]] = call.sockets;
  });
  await pause(1_000);
  let epoch = 0;
  const handler: Line = {
    name: 'call: one → handler → the other',
    server: duet.server,
    send: (i, due) => {
      epoch += 1;
      const payload = { epoch, key: mark(due), signature: SIGNATURE };
      sockets[i % connections]!.send(getMessageBytes.raw(Protocol.ROOM_DATA, 'call:e2ee_key', payload));
    },
  };
  const claims = ['on', 'off'].map((claim) =>
    getMessageBytes.raw(Protocol.ROOM_DATA, 'call:e2ee_state', { state: claim }),
  );
  const isOn = pairs.map(() => false);
  const state: Line = {
    name: 'call: change of state → both screens',
    server: duet.server,
    send: (i, due) => {
      const pair = i % pairs.length;
      dueUs[pair]!.push(due);
      sockets[2 * pair]!.send(claims[Number(isOn[pair])]!);
      isOn[pair] = !isOn[pair];
    },
  };
  return [handler, state];
}

function print(name: string, { tookMs, sent, senderLateMs, cpuUs, share }: Measured, peer: Measured): void {
  const [p50, p99] = [at(tookMs, 0.5), at(tookMs, 0.99)];
  const times = (value: number, of: number) => `${(value / of).toFixed(2)}x`;
  console.log(
    [
      name.padEnd(38),
      `p50 ${p50.toFixed(3)} ms (${times(p50, at(peer.tookMs, 0.5))})`,
      `p99 ${p99.toFixed(3)} ms (${times(p99, at(peer.tookMs, 0.99))}, of which the sender's ${senderLateMs.toFixed(3)})`,
      `${cpuUs.toFixed(1)} us of CPU each (${times(cpuUs, peer.cpuUs)})`,
      `${(share * 100).toFixed(0)} % of a core`,
      `${sent - tookMs.length} of ${sent} lost`,
    ].join('  '),
  );
}
