/**
 * Garbage towards the port that all of a worker's calls share: how much more do the calls lose? With real RTP, no
 * browsers. The garbage comes from a process of its own and looks like what the worker must tell apart: STUN, DTLS, RTP,
 * RTCP and nothing of the kind.
 *
 *   npm run node -- loadtest/mediaGarbage.ts [packets a second = 50000] [calls = 10] [seconds = 5]
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { SystemClock } from '../src/clock.ts';
import { createLog } from '../src/log.ts';
import { ROUTER_CODECS } from '../src/media/codecs.ts';
import { MediaWorkers } from '../src/media/MediaWorkers.ts';
import { lossOf, RtpLeg } from './RtpLeg.ts';

/** First bytes that the worker sorts packets by (RFC 7983). */
const FIRST_BYTES = [0x00, 0x16, 0x80, 0x81, 0xff];
const SLICE_MS = 5;

/** Sends until it is killed, and says how much after each second. */
async function flood(port: number, perSec: number): Promise<never> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const packets = FIRST_BYTES.map((first) => Buffer.concat([Buffer.from([first]), randomBytes(99)]));
  const startedAt = performance.now();
  let sent = 0;
  let saidAt = startedAt;
  for (;;) {
    const due = ((performance.now() - startedAt) / 1000) * perSec;
    for (; sent < due; sent += 1) socket.send(packets[sent % packets.length]!);
    if (performance.now() - saidAt > 1_000) {
      saidAt = performance.now();
      process.send!(sent / ((saidAt - startedAt) / 1000));
    }
    await new Promise((done) => setTimeout(done, SLICE_MS));
  }
}

async function measure(perSec: number, calls: number, forSec: number): Promise<void> {
  const pool = await MediaWorkers.start({
    count: 1,
    listenIp: '127.0.0.1',
    basePort: 0,
    log: createLog('silent'),
    clock: new SystemClock(),
  });
  const { worker, port } = pool.processes[0]!;
  const legs: RtpLeg[] = [];
  while (legs.length < calls * 2) {
    const router = await worker.createRouter({ mediaCodecs: ROUTER_CODECS });
    for (const _ of [0, 1]) legs.push(await RtpLeg.through(router, 'audio', 1_000 + legs.length));
  }
  const quiet = await lossOf(legs, forSec);
  const child = fork(import.meta.filename, ['flood', String(port), String(perSec)]);
  let reached = 0;
  child.on('message', (rate) => {
    reached = Number(rate);
  });
  await once(child, 'message');
  const flooded = await lossOf(legs, forSec);
  child.kill();
  const percent = (ratio: number) => `${(ratio * 100).toFixed(2)} %`;
  console.log(
    `${calls} calls lose ${percent(quiet)} without and ${percent(flooded)} with ${Math.round(reached)} packets of garbage a second; the worker lives: ${pool.health.alive === 1}`,
  );
  for (const leg of legs) leg.close();
  await pool.close();
}

const [first, second, third] = process.argv.slice(2);
if (first === 'flood') await flood(Number(second), Number(third));
else await measure(Number(first ?? 50_000), Number(second ?? 10), Number(third ?? 5));
process.exit(0);
