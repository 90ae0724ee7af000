import type { types } from 'mediasoup';
import { beforeEach, describe, expect, it } from 'vitest';
import { NO_VIDEO, VideoMeter } from '../../../src/media/VideoMeter.ts';
import { estimateVideoMos } from '../../../src/media/videoMos.ts';

const CLEAN = { bps: 1_200_000, lossRatio: 0, freezes: 0, frozenRatio: 0 };

describe('the score of a video', () => {
  it('grows with the bitrate and is taken down by loss, freezes and their length', () => {
    const mosOf = (path: Partial<typeof CLEAN>) => estimateVideoMos({ ...CLEAN, ...path });
    expect(mosOf({})).toBeGreaterThan(4);
    expect(mosOf({ bps: 350_000 })).toBeLessThan(mosOf({}));
    expect(mosOf({ bps: 0 })).toBe(1);
    expect(mosOf({ lossRatio: 0.02 })).toBeLessThan(3);
    expect(mosOf({ freezes: 1 })).toBeLessThan(mosOf({}));
    expect(mosOf({ freezes: 1, frozenRatio: 1 })).toBeLessThan(2.1);
  });

  it('stays between 1 and 5 whatever comes', () => {
    for (const bps of [0, 1, 1e5, 1e9]) {
      for (const lossRatio of [0, 0.5, 1]) {
        const mos = estimateVideoMos({ bps, lossRatio, freezes: 3, frozenRatio: lossRatio });
        expect(mos).toBeGreaterThanOrEqual(1);
        expect(mos).toBeLessThanOrEqual(5);
      }
    }
  });
});

describe('what a listener sees', () => {
  const consumer = { id: 'video', paused: false, producerPaused: false };
  let meter: VideoMeter;
  let up: Record<string, number>;
  let down: Record<string, number>;

  beforeEach(() => {
    meter = new VideoMeter(2_000);
    up = { packetCount: 0, packetsLost: 0, packetsRepaired: 0, bitrate: 1_000_000 };
    down = { packetCount: 0, packetsLost: 0, packetsRetransmitted: 0, pliCount: 0, firCount: 0 };
  });

  /** One round in which so many packets came, and what else changed. */
  function round(packets: number, change: Record<string, number> = {}) {
    up = { ...up, packetCount: up.packetCount! + packets };
    down = { ...down, packetCount: down.packetCount! + packets, ...change };
    return meter.judge({
      consumer: consumer as types.Consumer,
      up: up as unknown as types.ProducerStat,
      down: down as unknown as types.ConsumerStat,
      rttMs: 100,
    });
  }

  it('is judged from the second round on', () => {
    expect(round(200)).toEqual({ ...NO_VIDEO, videoBps: 1_000_000 });
    expect(round(200)).toEqual({ videoMos: expect.any(Number), frozenRatio: 0, videoBps: 1_000_000 });
  });

  it('stands still while nothing comes, and until a key frame that was asked for', () => {
    round(200);
    const { videoMos: clean } = round(200);
    const asked = round(200, { pliCount: 2 });
    // Twice a round trip of 100 ms and a key frame, in 2 s.
    expect(asked.frozenRatio).toBeCloseTo(0.25);
    expect(asked.videoMos).toBeLessThan(clean);
    expect(round(0, { pliCount: 2 }).frozenRatio).toBe(1);
    expect(round(200, { pliCount: 2 })).toMatchObject({ frozenRatio: 0, videoMos: clean });
  });

  it('is none while it is paused or off, and starts anew afterwards', () => {
    round(200);
    consumer.producerPaused = true;
    expect(round(0)).toEqual(NO_VIDEO);
    consumer.producerPaused = false;
    expect(round(10).videoMos).toBe(0);
    expect(round(200).videoMos).toBeGreaterThan(4);
  });
});
