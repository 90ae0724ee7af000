import type { types } from 'mediasoup';
import { estimateVideoMos } from './videoMos.ts';

/** How one person saw the other over one round of measuring. */
export type VideoQuality = {
  /** Estimated mean opinion score (`videoMos.ts`), 1 to 5; 0 while there is no video. */
  videoMos: number;
  /** Share of the round in which the picture stood still, 0 to 1. */
  frozenRatio: number;
  /** What the other sends to the SFU, bits per second. */
  videoBps: number;
};

type Stream = types.ConsumerStat | types.ProducerStat;
type Round = {
  consumer: types.Consumer;
  up: Stream | undefined;
  down: Stream | undefined;
  /** From the other through the SFU to this person and back: what a new key frame takes at least. */
  rttMs: number;
};
type Counters = { packets: number; askedFor: number; lost: number; sent: number };

export const NO_VIDEO: VideoQuality = { videoMos: 0, frozenRatio: 0, videoBps: 0 };

/** Encoding, sending and decoding a key frame beside the round trip, milliseconds. */
const KEY_FRAME_MS = 150;

/**
 * Judges what a listener sees. A picture stands still when nothing comes, and from a decoder's asking for a key frame
 * (PLI, RFC 4585 section 6.3.1) until it can have come: without one it shows the last frame that it could decode.
 */
export class VideoMeter {
  readonly #roundMs: number;
  readonly #last = new Map<string, Counters>();

  constructor(roundMs: number) {
    this.#roundMs = roundMs;
  }

  /** Takes one round's statistics of a consumer. The first only says where counting begins. */
  judge({ consumer, up, down, rttMs }: Round): VideoQuality {
    const before = this.#last.get(consumer.id);
    if (up === undefined || down === undefined || consumer.paused || consumer.producerPaused) {
      this.#last.delete(consumer.id);
      return NO_VIDEO;
    }
    const now = countersOf(up, down);
    this.#last.set(consumer.id, now);
    if (before === undefined) return { ...NO_VIDEO, videoBps: up.bitrate };
    const stoodStill = now.packets <= before.packets;
    const asked = Math.max(now.askedFor - before.askedFor, 0);
    const freezes = stoodStill ? 1 : asked;
    const frozenRatio = stoodStill ? 1 : Math.min((asked * (rttMs + KEY_FRAME_MS)) / this.#roundMs, 1);
    const sent = Math.max(now.sent - before.sent, 1);
    const lossRatio = Math.min(Math.max((now.lost - before.lost) / sent, 0), 1);
    return {
      videoMos: estimateVideoMos({ bps: up.bitrate, lossRatio, freezes, frozenRatio }),
      frozenRatio,
      videoBps: up.bitrate,
    };
  }

  forgetAllBut(consumerIds: ReadonlySet<string>): void {
    for (const id of this.#last.keys()) if (!consumerIds.has(id)) this.#last.delete(id);
  }
}

function countersOf(up: Stream, down: Stream): Counters {
  return {
    packets: up.packetCount,
    askedFor: down.pliCount + down.firCount,
    // Not sent again. What was lost on the way in is a gap for the receiver too, and cannot be sent again.
    lost: Math.max(down.packetsLost - down.packetsRetransmitted, 0),
    sent: down.packetCount,
  };
}
