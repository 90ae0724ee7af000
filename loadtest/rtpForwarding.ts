/**
 * How many audio calls one media worker carries with less than 1 % of packets lost, with real RTP over UDP and no
 * browsers: the pool's worker under its watchdog, against a bare mediasoup worker in the same run. Plain RTP: SRTP,
 * which WebRTC adds, costs both the same. The
 * sender, the receiver and both workers share the machine, so the ratio carries over and the figures do not.
 *
 *   node loadtest/rtpForwarding.ts [seconds a step = 3] [most calls = 400]
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type * as mediasoup from 'mediasoup';
import { SystemClock } from '../src/clock.ts';
import { createLog } from '../src/log.ts';
import { ROUTER_CODECS } from '../src/media/codecs.ts';
import { MediaWorkers } from '../src/media/MediaWorkers.ts';
import { spawnWorker } from '../src/media/spawnWorker.ts';

const stepSec = Number(process.argv[2] ?? 3);
const mostCalls = Number(process.argv[3] ?? 400);
/** Opus at 20 ms and some 32 kbit/s. */
const PACKET_MS = 20;
const PAYLOAD_BYTES = 80;
const LOSS_LIMIT = 0.01;
const LISTEN = { protocol: 'udp', ip: '127.0.0.1' } as const;
const PAYLOAD_TYPE = 111;
const CODEC = { mimeType: 'audio/opus', payloadType: PAYLOAD_TYPE, clockRate: 48_000, channels: 2 };

type Leg = { socket: Socket; packet: Buffer; received: number };

/** One direction of one call through a router: a sender, a listener, and what came. */
async function addLeg(router: mediasoup.types.Router, ssrc: number): Promise<Leg> {
  const [up, down] = await Promise.all([
    router.createPlainTransport({ listenInfo: LISTEN, comedia: true, rtcpMux: true }),
    router.createPlainTransport({ listenInfo: LISTEN, comedia: false, rtcpMux: true }),
  ]);
  const producer = await up.produce({
    kind: 'audio',
    rtpParameters: { codecs: [CODEC], encodings: [{ ssrc }] },
  });
  const [socket, listener] = await Promise.all([bound(), bound()]);
  await down.connect({ ip: '127.0.0.1', port: listener.address().port });
  await down.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
  socket.connect(up.tuple.localPort);
  await once(socket, 'connect');
  const leg: Leg = { socket, packet: packetOf(ssrc), received: 0 };
  listener.on('message', (message) => {
    // RTCP shares the port (RFC 5761 section 4).
    if ((message[1]! & 0x7f) === PAYLOAD_TYPE) leg.received += 1;
  });
  return leg;
}

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }).bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function packetOf(ssrc: number): Buffer {
  const packet = Buffer.alloc(12 + PAYLOAD_BYTES);
  packet[0] = 0x80;
  packet[1] = PAYLOAD_TYPE;
  packet.writeUInt32BE(ssrc, 8);
  return packet;
}

/** Sends through all legs for a step; → the share that did not arrive. */
async function lossOf(legs: Leg[]): Promise<number> {
  for (const leg of legs) leg.received = 0;
  const rounds = Math.round((stepSec * 1000) / PACKET_MS);
  const startedAt = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    for (const { packet, socket } of legs) {
      packet.writeUInt16BE((packet.readUInt16BE(2) + 1) & 0xffff, 2);
      packet.writeUInt32BE((packet.readUInt32BE(4) + 960) >>> 0, 4);
      // Copied: the socket keeps it until it is sent.
      socket.send(Buffer.from(packet));
    }
    const waitMs = startedAt + (round + 1) * PACKET_MS - performance.now();
    await new Promise((done) => (waitMs > 0 ? setTimeout(done, waitMs) : setImmediate(done)));
  }
  await new Promise((done) => setTimeout(done, 300));
  const received = legs.reduce((sum, leg) => sum + leg.received, 0);
  return 1 - received / (rounds * legs.length);
}

/** The most calls below the limit, in steps that grow by half; and the worker's CPU seconds per call and second. */
async function measure(
  name: string,
  worker: mediasoup.types.Worker,
): Promise<{ calls: number; cpu: number }> {
  const legs: Leg[] = [];
  let best = { calls: 0, cpu: 0 };
  for (let calls = 25; calls <= mostCalls; calls = Math.ceil(calls * 1.5)) {
    while (legs.length < calls * 2) {
      const router = await worker.createRouter({ mediaCodecs: ROUTER_CODECS });
      legs.push(await addLeg(router, 1_000 + legs.length), await addLeg(router, 1_001 + legs.length));
    }
    const before = await worker.getResourceUsage();
    const loss = await lossOf(legs);
    const after = await worker.getResourceUsage();
    const usedMs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime;
    const cpu = usedMs / 1000 / stepSec / calls;
    console.log(
      `${name}: ${calls} calls, ${(loss * 100).toFixed(2)} % lost, ${(cpu * 1e6).toFixed(0)} µs CPU a call and second`,
    );
    if (loss >= LOSS_LIMIT) break;
    best = { calls, cpu };
  }
  for (const { socket } of legs) socket.close();
  return best;
}

const bare = await spawnWorker();
const log = createLog('silent');
const pool = await MediaWorkers.start({
  count: 1,
  listenIp: '127.0.0.1',
  basePort: 0,
  log,
  clock: new SystemClock(),
});
const ours = await measure('with its pool', pool.processes[0]!.worker);
const theirs = await measure('bare worker', bare);
await pool.close();
bare.close();
// At the top of the ladder nothing was saturated, and the first ratio says nothing.
if (ours.calls * 1.5 > mostCalls) console.log('No limit was reached: allow for more calls.');
console.log(
  `Audio calls below 1 % of loss: ${ours.calls} against ${theirs.calls}, ratio ${(ours.calls / theirs.calls).toFixed(2)}`,
);
console.log(
  `By the worker's CPU a core carries ${Math.round(1 / ours.cpu)} against ${Math.round(1 / theirs.cpu)} calls, ratio ${(theirs.cpu / ours.cpu).toFixed(2)}`,
);
process.exit(0);
