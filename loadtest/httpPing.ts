/**
 * What one HTTP request costs on Duet's router, beside Express 4 and bare uWebSockets.js in the same run.
 *
 *   npm run node -- loadtest/httpPing.ts [seconds = 3] [rounds = 3]        (needs wrk, see wrk.ts)
 *
 * Rounds alternate; the best of each counts. Prints requests a second, the server's processor time for one, p99, and
 * how many times Express' rate that is.
 */
import { newId } from '../src/ids.ts';
import type { PingServer } from './pingServers.ts';
import { tokenOf } from './serveRoutes.ts';
import { MeasuredServer, type Served } from './wrk.ts';

const KINDS: PingServer[] = ['duet', 'express', 'bare'];
const REQUESTS = {
  'GET without a caller': ['GET', '/api/v1/ping', '-', '-'],
  'GET with an access token': ['GET', '/api/v1/me', await tokenOf(newId()), '-'],
  'POST, validated': ['POST', '/api/v1/echo', '-', JSON.stringify({ text: 'hello', count: 3 })],
};

const [seconds = 3, rounds = 3] = process.argv.slice(2).map(Number);
console.log(
  '| request | server | a second | processor time, µs | p99 ms | of Express 4 |\n|---|---|---|---|---|---|',
);
for (const [name, args] of Object.entries(REQUESTS)) {
  const best = new Map<PingServer, Served>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of KINDS) {
      const server = await MeasuredServer.start('pingServers.ts', [kind]);
      const load = { connections: 64, script: 'request.lua', args };
      await server.measure({ ...load, seconds: 1 });
      const served = await server.measure({ ...load, seconds });
      server.close();
      if ((best.get(kind)?.perSecond ?? 0) < served.perSecond) best.set(kind, served);
    }
  }
  for (const kind of KINDS) {
    const { perSecond, cpuUs, p99Ms } = best.get(kind)!;
    const ratio = perSecond / best.get('express')!.perSecond;
    console.log(
      `| ${name} | ${kind} | ${perSecond.toFixed(0)} | ${cpuUs.toFixed(1)} | ${p99Ms.toFixed(2)} | ${ratio.toFixed(1)} |`,
    );
  }
}
