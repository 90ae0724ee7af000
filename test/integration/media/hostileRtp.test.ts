/**
 * What a client may send once it has transports: RTP and RTCP of its own making, for producers that the door let pass.
 * The SFU decrypts it and believes nothing; a packet that ends the worker ends everybody's calls on it.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as pause } from 'node:timers/promises';
import type { types } from 'mediasoup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTER_CODECS } from '../../../src/media/codecs.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import type { WorkerProcess } from '../../../src/media/WorkerProcess.ts';
import { parsed, startWorkers } from './harness.ts';
import { seeded } from './mutate.ts';
import { audioParameters, videoParameters } from './rtpSamples.ts';

const PACKETS = 6_000;
/** So many, and the socket's buffer is given time. */
const AT_ONCE = 50;
const SEED = 20_261_123;
/** Sources that packets name: those of the producers below and their retransmissions, nobody's, and none. */
const SOURCES = [1, 21, 22, 31, 32, 33, 34, 99, 0];
const PAYLOAD_TYPES = [111, 96, 97, 0, 127, 63];
/** Of RTCP: RFC 3550 section 12.1, RFC 4585, RFC 3611; the first is none. */
const RTCP_TYPES = [192, 200, 201, 202, 203, 204, 205, 206, 207];

let workers: MediaWorkers;
let worker: WorkerProcess;
beforeAll(async () => {
  workers = await startWorkers();
  worker = workers.processes[0]!;
});
afterAll(() => workers?.close());

const LISTEN = { listenInfo: { protocol: 'udp', ip: '127.0.0.1' }, rtcpMux: true, comedia: true } as const;

/** A producer as the room lets one be made, on a transport that takes packets as they are, and somebody who hears it. */
async function produced(router: types.Router, kind: types.MediaKind, rtpParameters: unknown) {
  const payload = parsed('media:produce', { transportId: crypto.randomUUID(), kind, rtpParameters });
  const transport = await router.createPlainTransport(LISTEN);
  const producer = await transport.produce({
    kind,
    rtpParameters: payload.rtpParameters as types.RtpParameters,
  });
  const ear = await router.createPlainTransport(LISTEN);
  await ear.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
  return transport.tuple.localPort;
}

describe('packets of strangers', () => {
  it('do not end a media worker, whatever is in them', async () => {
    const router = await worker.worker.createRouter({ mediaCodecs: ROUTER_CODECS });
    const video = videoParameters(31);
    const ports = [
      await produced(router, 'audio', audioParameters(1)),
      await produced(router, 'video', videoParameters(21)),
      await produced(router, 'video', {
        ...video,
        encodings: [31, 33].map((ssrc) => ({ ssrc, rtx: { ssrc: ssrc + 1 } })),
      }),
    ];
    const socket = createSocket('udp4');
    const random = seeded(SEED);
    for (let sent = 0; sent < PACKETS && worker.alive; sent += 1) {
      const packet = random() < 0.7 ? rtp(random) : rtcp(random);
      socket.send(packet, ports[sent % ports.length]!, '127.0.0.1');
      if (sent % AT_ONCE === 0) await pause(1);
    }
    await pause(300);
    socket.close();
    await worker.probe();
    expect(worker.alive).toBe(true);
  });
});

type Random = () => number;
const pick = <T>(list: readonly T[], random: Random): T => list[Math.floor(random() * list.length)]!;
const byte = (random: Random) => Math.floor(random() * 256);
const bytes = (length: number, random: Random) => Buffer.from(Array.from({ length }, () => byte(random)));

/** Right in what lets it in, and in the rest as often wrong as right (RFC 3550 section 5.1, RFC 8285). */
function rtp(random: Random): Buffer {
  const header = Buffer.alloc(12);
  const hasExtension = random() < 0.6;
  header[0] =
    0x80 | (random() < 0.1 ? 0x20 : 0) | (hasExtension ? 0x10 : 0) | (random() < 0.1 ? byte(random) & 15 : 0);
  header[1] = pick(PAYLOAD_TYPES, random) | (random() < 0.3 ? 0x80 : 0);
  header.writeUInt16BE(Math.floor(random() * (random() < 0.5 ? 100 : 65_536)), 2);
  header.writeUInt32BE(Math.floor(random() * 2 ** 32), 4);
  header.writeUInt32BE(pick(SOURCES, random), 8);
  const payload = bytes(Math.floor(random() * (random() < 0.1 ? 1_400 : 40)), random);
  return Buffer.concat([header, ...(hasExtension ? [extension(random)] : []), payload]);
}

function extension(random: Random): Buffer {
  const words = Math.floor(random() * 6);
  const head = Buffer.alloc(4);
  head.writeUInt16BE(pick([0xbede, 0x1000, 0x1001, 0], random), 0);
  head.writeUInt16BE(random() < 0.9 ? words : byte(random), 2);
  const elements = bytes(words * 4, random);
  // The mid that the producer named, and a rid that it did not.
  if (random() < 0.5 && words > 0) elements.set([0x40, 0x30 + Math.floor(random() * 2), 0x20, 0x61]);
  return Buffer.concat([head, elements]);
}

/** One or several of them in a packet (RFC 3550 section 6.1), about sources that are there and that are not. */
function rtcp(random: Random): Buffer {
  return Buffer.concat(
    Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
      const words = Math.floor(random() * 12);
      const head = Buffer.alloc(4);
      head[0] = 0x80 | (random() < 0.1 ? 0x20 : 0) | (byte(random) & 31);
      head[1] = pick(RTCP_TYPES, random);
      head.writeUInt16BE(random() < 0.9 ? words : byte(random), 2);
      const body = bytes(words * 4, random);
      for (let at = 0; at + 4 <= body.length; at += 4)
        if (random() < 0.4) body.writeUInt32BE(pick(SOURCES, random), at);
      return Buffer.concat([head, body]);
    }),
  );
}
