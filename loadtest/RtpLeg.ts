import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type * as mediasoup from 'mediasoup';

export type Kind = 'audio' | 'video';

const LISTEN = { protocol: 'udp', ip: '127.0.0.1' } as const;
/** A round of sending: what one Opus packet holds. */
export const ROUND_MS = 20;
/** Opus at 32 kbit/s in one packet a round; VP8 at 1 Mbit/s in two. */
const STREAMS = {
  audio: {
    codec: { mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 },
    payloadBytes: 80,
    packetsPerRound: 1,
  },
  video: {
    codec: { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 },
    payloadBytes: 1_200,
    packetsPerRound: 2,
  },
} as const;

/** One direction of one call through an SFU, with plain RTP: a sender, a listener, and what came. */
export class RtpLeg {
  received = 0;
  sent = 0;
  readonly #socket: Socket;
  readonly #listener: Socket;
  readonly #packet: Buffer;
  readonly #packetsPerRound: number;
  readonly #ticksPerRound: number;

  static through(router: mediasoup.types.Router, kind: Kind, ssrc: number): Promise<RtpLeg> {
    const { codec } = STREAMS[kind];
    return RtpLeg.open(kind, ssrc, async (listenerPort) => {
      const [up, down] = await Promise.all([
        router.createPlainTransport({ listenInfo: LISTEN, comedia: true, rtcpMux: true }),
        router.createPlainTransport({ listenInfo: LISTEN, comedia: false, rtcpMux: true }),
      ]);
      const producer = await up.produce({ kind, rtpParameters: { codecs: [codec], encodings: [{ ssrc }] } });
      await down.connect({ ip: '127.0.0.1', port: listenerPort });
      await down.consume({ producerId: producer.id, rtpCapabilities: router.rtpCapabilities });
      return up.tuple.localPort;
    });
  }

  /** `connect` has what is sent forwarded to a port of loopback; → the port to send to. */
  static async open(
    kind: Kind,
    ssrc: number,
    connect: (listenerPort: number, payloadType: number) => Promise<number>,
  ): Promise<RtpLeg> {
    const [socket, listener] = await Promise.all([bound(), bound()]);
    socket.connect(await connect(listener.address().port, STREAMS[kind].codec.payloadType));
    await once(socket, 'connect');
    return new RtpLeg(socket, listener, kind, ssrc);
  }

  private constructor(socket: Socket, listener: Socket, kind: Kind, ssrc: number) {
    const { codec, payloadBytes, packetsPerRound } = STREAMS[kind];
    this.#socket = socket;
    this.#listener = listener;
    this.#packetsPerRound = packetsPerRound;
    this.#ticksPerRound = (codec.clockRate * ROUND_MS) / 1000;
    this.#packet = packetOf(codec.payloadType, ssrc, payloadBytes, kind);
    listener.on('message', (message) => {
      // RTCP shares the port (RFC 5761 section 4).
      if ((message[1]! & 0x7f) === codec.payloadType) this.received += 1;
    });
  }

  sendRound(): void {
    this.#packet.writeUInt32BE((this.#packet.readUInt32BE(4) + this.#ticksPerRound) >>> 0, 4);
    for (let i = 0; i < this.#packetsPerRound; i += 1) {
      this.#packet.writeUInt16BE((this.#packet.readUInt16BE(2) + 1) & 0xffff, 2);
      // Copied: the socket keeps it until it is sent.
      this.#socket.send(Buffer.from(this.#packet));
      this.sent += 1;
    }
  }

  close(): void {
    this.#socket.close();
    this.#listener.close();
  }
}

/** Sends through all legs for a while; → packets, and how many of them arrived. */
export async function sendThrough(
  legs: RtpLeg[],
  forSec: number,
): Promise<{ sent: number; received: number }> {
  for (const leg of legs) {
    leg.received = 0;
    leg.sent = 0;
  }
  const rounds = Math.round((forSec * 1000) / ROUND_MS);
  const startedAt = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    for (const leg of legs) leg.sendRound();
    const waitMs = startedAt + (round + 1) * ROUND_MS - performance.now();
    await new Promise((done) => (waitMs > 0 ? setTimeout(done, waitMs) : setImmediate(done)));
  }
  await new Promise((done) => setTimeout(done, 300));
  const sum = (of: 'sent' | 'received') => legs.reduce((total, leg) => total + leg[of], 0);
  return { sent: sum('sent'), received: sum('received') };
}

/** The share of what is sent for a while that does not arrive. */
export async function lossOf(legs: RtpLeg[], forSec: number): Promise<number> {
  const { sent, received } = await sendThrough(legs, forSec);
  return 1 - received / sent;
}

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }).bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

function packetOf(payloadType: number, ssrc: number, payloadBytes: number, kind: Kind): Buffer {
  const packet = Buffer.alloc(12 + payloadBytes);
  packet[0] = 0x80;
  packet[1] = payloadType;
  packet.writeUInt32BE(ssrc, 8);
  // VP8's descriptor and header of a key frame (RFC 7741 section 4): consumers wait for one.
  if (kind === 'video') packet.set([0x10, 0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a], 12);
  return packet;
}
