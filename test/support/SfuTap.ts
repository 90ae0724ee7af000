import * as mediasoup from 'mediasoup';

type Kind = mediasoup.types.MediaKind;
/** What one RTP packet carries. */
export type TappedPacket = {
  kind: Kind;
  producerId: string;
  sequence: number;
  timestamp: number;
  marker: boolean;
  payload: Uint8Array<ArrayBuffer>;
};

/**
 * What somebody sees who owns the SFU: every packet of every producer, as it is forwarded. For an App in this process,
 * through mediasoup's own observers; make it before the App is started.
 */
export class SfuTap {
  packets: TappedPacket[] = [];

  constructor() {
    mediasoup.observer.on('newworker', (worker) =>
      worker.observer.on('newrouter', (router) =>
        router.observer.on('newtransport', (transport) =>
          transport.observer.on('newproducer', (producer) => {
            this.#listen(router, producer).catch(() => {
              // Closed before anybody could listen.
            });
          }),
        ),
      ),
    );
  }

  ofKind(kind: Kind): TappedPacket[] {
    return this.packets.filter((packet) => packet.kind === kind);
  }

  /** Whole VP8 frames of one producer, as they left the encoder (and what encrypts after it). */
  videoFrames(): Uint8Array<ArrayBuffer>[] {
    const video = this.ofKind('video');
    const { producerId } = video[0] ?? {};
    const frames: Uint8Array<ArrayBuffer>[] = [];
    let parts: Uint8Array[] = [];
    let last: TappedPacket | undefined;
    for (const packet of video.filter((one) => one.producerId === producerId)) {
      const isNext = last !== undefined && packet.sequence === ((last.sequence + 1) & 0xffff);
      const { starts, data } = vp8Payload(packet.payload);
      if (starts) parts = [data];
      else if (isNext && parts.length > 0) parts.push(data);
      else parts = [];
      if (packet.marker && parts.length > 0) {
        frames.push(Uint8Array.from(Buffer.concat(parts)));
        parts = [];
      }
      last = packet;
    }
    return frames;
  }

  async #listen(router: mediasoup.types.Router, producer: mediasoup.types.Producer): Promise<void> {
    const transport = await router.createDirectTransport();
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
    });
    consumer.on('rtp', (packet) => this.packets.push(read(producer, packet)));
    if (producer.kind === 'video') await consumer.requestKeyFrame();
  }
}

/** RFC 3550 section 5.1 and 5.3.1. */
function read({ id, kind }: mediasoup.types.Producer, packet: Buffer): TappedPacket {
  let offset = 12 + (packet[0]! & 0x0f) * 4;
  if (packet[0]! & 0x10) offset += 4 + packet.readUInt16BE(offset + 2) * 4;
  const padding = packet[0]! & 0x20 ? packet.at(-1)! : 0;
  return {
    kind,
    producerId: id,
    sequence: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    marker: (packet[1]! & 0x80) !== 0,
    payload: Uint8Array.from(packet.subarray(offset, packet.length - padding)),
  };
}

/** RFC 7741 section 4.2: what comes after the payload descriptor, and whether a frame starts with it. */
function vp8Payload(payload: Uint8Array): { starts: boolean; data: Uint8Array } {
  const first = payload[0] ?? 0;
  let offset = 1;
  if (first & 0x80) {
    const extension = payload[offset++] ?? 0;
    if (extension & 0x80) offset += (payload[offset] ?? 0) & 0x80 ? 2 : 1;
    if (extension & 0x40) offset += 1;
    if (extension & 0x30) offset += 1;
  }
  return { starts: (first & 0x10) !== 0 && (first & 0x07) === 0, data: payload.subarray(offset) };
}
