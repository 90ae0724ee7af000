/**
 * How long after the answer both hear each other: real Chromium at both ends, on loopback, with ICE and DTLS brought
 * up while it rings, against the usual order in which everything starts with the answer.
 *
 *   node loadtest/callSetup.ts [calls of each kind = 10] [signalling round trips, ms = 0,60,200]
 */

import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import type { Seat } from '../src/actors/Actors.ts';
import { CallPages } from '../test/integration/media/callPages.ts';
import { newMatch, type Person } from '../test/support/client.ts';
import { startServer } from '../test/support/server.ts';

const calls = Number(process.argv[2] ?? 10);
const roundTripsMs = (process.argv[3] ?? '0,60,200').split(',').map(Number);
/** A call that takes longer counts as failed. */
const GIVE_UP_MS = 10_000;

/** Passes bytes on to a port, each half a round trip late. */
async function delay(port: number, roundTripMs: number): Promise<{ url: string; server: Server }> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
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

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const app = await startServer();
const pages = await CallPages.open(app.url);
try {
  for (const roundTripMs of roundTripsMs) {
    const relay = await delay(Number(new URL(app.url).port), roundTripMs);
    const tookMs = { warmed: [] as number[], usual: [] as number[] };
    // Interleaved, so that whatever else the machine does falls on both.
    for (let i = 0; i < calls * 2; i += 1) {
      const kind = i % 2 === 0 ? 'warmed' : 'usual';
      tookMs[kind].push(await oneCall(kind === 'warmed', relay.url));
    }
    relay.server.close();
    for (const list of Object.values(tookMs)) list.sort((a, b) => a - b);
    const p50 = percentile(tookMs.usual, 0.5) / percentile(tookMs.warmed, 0.5);
    for (const [kind, list] of Object.entries(tookMs)) {
      const [half, most] = [percentile(list, 0.5), percentile(list, 0.95)].map(Math.round);
      console.log(
        `round trip ${roundTripMs} ms, ${kind}: p50 ${half} ms, p95 ${most} ms, ${list.length} calls`,
      );
    }
    console.log(`round trip ${roundTripMs} ms: warmed is ${p50.toFixed(1)} times as fast (p50)`);
  }
} finally {
  await pages.close();
  await app.stop();
}

/** From the answer to audio at both ends, milliseconds. */
async function oneCall(warm: boolean, roomUrl: string): Promise<number> {
  const { ann, bob, matchId } = await newMatch(app.url);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const { seat: bobSeat } = await bob.ok('POST', `/calls/${call.id}/join`);
  const sit = (person: Person, own: Seat) =>
    warm ? pages.sitWithSdk(person, call, own, roomUrl) : pages.sit('sfu', person, own, roomUrl);
  const [caller, callee] = await Promise.all([sit(ann, seat), sit(bob, bobSeat)]);
  const both = [caller, callee];
  try {
    await Promise.all(both.map((page) => page.do(warm ? 'open' : 'sendOnAnswer')));
    const heard = Promise.all(both.map((page) => page.do('heardAt') as Promise<number>));
    const answeredAt: number = await callee.do('answer');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('no audio')), GIVE_UP_MS);
    const times = await Promise.race([heard, late.promise]).finally(() => clearTimeout(timer));
    return Math.max(...times) - answeredAt;
  } finally {
    await Promise.all(both.map((page) => page.close()));
    await ann.call('POST', `/calls/${call.id}/end`);
  }
}
