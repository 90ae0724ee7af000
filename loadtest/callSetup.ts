/**
 * How long after the answer each hears the other: real Chromium at both ends, on loopback, with ICE and DTLS brought up
 * while it rings; the same with end-to-end encryption; and the usual order, in which everything starts with the answer.
 *
 *   npm run node -- loadtest/callSetup.ts [calls of each kind = 10] [signalling round trips, ms = 0,60,200] [kinds = prepared,encrypted,usual]
 */

import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import type { Seat } from '../src/actors/Actors.ts';
import { CallPages } from '../test/integration/media/callPages.ts';
import type { Person } from '../test/support/client.ts';
import { startServer } from '../test/support/server.ts';
import { registerMatch } from '../test/support/signedIn.ts';

type Kind = 'prepared' | 'encrypted' | 'usual';
/** From the answer to the first frame of the other's that could be played, milliseconds. */
type Took = { caller: number; callee: number; both: number };

const calls = Number(process.argv[2] ?? 10);
const roundTripsMs = (process.argv[3] ?? '0,60,200').split(',').map(Number);
const kinds = (process.argv[4] ?? 'prepared,encrypted,usual').split(',') as Kind[];
/** A call that takes longer counts as failed. */
const GIVE_UP_MS = 10_000;
/** For how long it rings: nobody answers while the page is still being loaded. */
const RING_MS = 1_500;

/** Passes bytes on to a port, each half a round trip late. */
async function delay(port: number, roundTripMs: number): Promise<{ url: string; server: Server }> {
  // Without Nagle's algorithm: a second small message would wait for the acknowledgement of the first, up to 40 ms.
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => setTimeout(() => to.write(chunk), roundTripMs / 2));
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, server };
}

function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN);
}

const app = await startServer();
const pages = await CallPages.open(app.url);
try {
  for (const roundTripMs of roundTripsMs) {
    const relay = await delay(Number(new URL(app.url).port), roundTripMs);
    const took = new Map<Kind, Took[]>(kinds.map((kind) => [kind, []]));
    // Interleaved, so that whatever else the machine does falls on all.
    for (let i = 0; i < calls; i += 1) {
      for (const [kind, list] of took) list.push(await oneCall(kind, relay.url));
    }
    relay.server.close();
    for (const [kind, list] of took) {
      const of = (who: keyof Took) => {
        const values = list.map((one) => one[who]);
        return `${percentile(values, 0.5)} / ${percentile(values, 0.95)} ms`;
      };
      console.log(
        `round trip ${roundTripMs} ms, ${kind}: both hear p50 / p95 ${of('both')}, the caller ${of('caller')}, the callee ${of('callee')}; ${list.length} calls`,
      );
    }
  }
} finally {
  await pages.close();
  await app.stop();
}

async function oneCall(kind: Kind, roomUrl: string): Promise<Took> {
  const { ann, bob, matchId } = await registerMatch(app.url);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const { seat: bobSeat } = await bob.ok('POST', `/calls/${call.id}/join`);
  const sit = async (person: Person, own: Seat) => {
    if (kind === 'usual') {
      const page = await pages.sit('sfu', person, own, roomUrl);
      await page.do('probe');
      return page;
    }
    return pages.sitWithSdk(person, call, own, roomUrl, { probe: true, isEncrypted: kind === 'encrypted' });
  };
  const both = await Promise.all([sit(ann, seat), sit(bob, bobSeat)]);
  const callee = both[1];
  try {
    await Promise.all(both.map((page) => page.do(kind === 'usual' ? 'sendOnAnswer' : 'open')));
    const heard = Promise.all(both.map((page) => page.do('heardAt') as Promise<number>));
    await new Promise((resolve) => setTimeout(resolve, RING_MS));
    const answeredAt: number = await callee.do('answer');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('no audio')), GIVE_UP_MS);
    const times = await Promise.race([heard, late.promise]).finally(() => clearTimeout(timer));
    const [callerMs, calleeMs] = times.map((at) => at - answeredAt) as [number, number];
    return { caller: callerMs, callee: calleeMs, both: Math.max(callerMs, calleeMs) };
  } finally {
    await Promise.all(both.map((page) => page.close()));
    await ann.call('POST', `/calls/${call.id}/end`);
  }
}
