import type { types } from 'mediasoup';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_INCOMING_BPS } from '../../../src/media/codecs.ts';
import { METER_EVERY_MS, type Quality, QualityMeter } from '../../../src/media/QualityMeter.ts';
import { FakeClock } from '../../support/FakeClock.ts';

type Stream = Partial<types.ConsumerStat> & { bitrate?: number };

let clock: FakeClock;
let streams: { up: Stream; down: Stream };
let listening: { listenerId: string; speakerId: string; consumer: types.Consumer }[];
let reports: { userId: string; quality: Quality }[];
let overLimit: string[];
let meter: QualityMeter;

/** Only what the meter reads of a consumer. */
function consumer(kind: 'audio' | 'video'): types.Consumer {
  return { id: `${kind}-consumer`, producerId: `${kind}-producer`, kind } as types.Consumer;
}

beforeEach(() => {
  clock = new FakeClock();
  streams = { up: {}, down: {} };
  listening = [{ listenerId: 'ben', speakerId: 'ann', consumer: consumer('audio') }];
  reports = [];
  overLimit = [];
  meter = new QualityMeter(clock, {
    listening: () => listening,
    stats: async () =>
      [
        { type: 'inbound-rtp', packetCount: 0, packetsLost: 0, jitter: 0, bitrate: 32_000, ...streams.up },
        { type: 'outbound-rtp', packetCount: 0, fractionLost: 0, jitter: 0, ...streams.down },
      ] as types.ConsumerStat[],
    report: (userId, quality) => reports.push({ userId, quality }),
    overLimit: (producerId) => overLimit.push(producerId),
  });
});

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    clock.advance(METER_EVERY_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the quality of a call', () => {
  it('is told every two seconds from what changed since', async () => {
    meter.start();
    streams = { up: { packetCount: 100 }, down: { packetCount: 100, roundTripTime: 80 } };
    await rounds(1);
    expect(reports).toEqual([
      {
        userId: 'ben',
        quality: {
          mos: 4.41,
          lossRatio: 0,
          jitterMs: 0,
          rttMs: 80,
          audioBps: 32_000,
          videoBps: 0,
          videoMos: 0,
          frozenRatio: 0,
        },
      },
    ]);
    // Of the next hundred, ten were lost on the way in, which the listener has not reported yet.
    streams = {
      up: { packetCount: 190, packetsLost: 10, jitter: 960 },
      down: { packetCount: 190, jitter: 1_920, roundTripTime: 80 },
    };
    await rounds(1);
    const { quality } = reports[1]!;
    expect(quality.lossRatio).toBeCloseTo(0.1, 5);
    expect(quality.jitterMs).toBe(40);
    expect(quality.mos).toBeLessThan(3.5);
  });

  it("goes by the listener's last report, which counts what was lost on the way in as well", async () => {
    meter.start();
    streams = { up: { packetCount: 190, packetsLost: 10 }, down: { packetCount: 190, fractionLost: 64 } };
    await rounds(1);
    streams = { up: { packetCount: 290, packetsLost: 10 }, down: { packetCount: 290, fractionLost: 64 } };
    await rounds(1);
    streams = { up: { packetCount: 390, packetsLost: 10 }, down: { packetCount: 390, fractionLost: 0 } };
    await rounds(1);
    expect(reports.map(({ quality }) => quality.lossRatio)).toEqual([0.25, 0.25, 0]);
  });

  it('is not judged while nothing is sent, and not invented from late reports', async () => {
    meter.start();
    streams = { up: { packetCount: 100, packetsLost: 5 }, down: { packetCount: 100 } };
    await rounds(2);
    expect(reports).toHaveLength(1);
    streams = { up: { packetCount: 200, packetsLost: 3 }, down: { packetCount: 200 } };
    await rounds(1);
    expect(reports[1]!.quality.lossRatio).toBe(0);
  });

  it('is not measured when nobody listens, and again when somebody does', async () => {
    meter.start();
    listening = [];
    await rounds(3);
    expect(reports).toEqual([]);
    listening = [{ listenerId: 'ann', speakerId: 'ben', consumer: consumer('audio') }];
    streams = { up: { packetCount: 1 }, down: { packetCount: 1 } };
    await rounds(3);
    expect(reports).toEqual([]);
    meter.start();
    meter.start();
    await rounds(1);
    expect(reports.map(({ userId }) => userId)).toEqual(['ann']);
    meter.stop();
    streams.down.packetCount = 50;
    await rounds(2);
    expect(reports).toHaveLength(1);
  });

  it('cuts off a producer that stays far above its limit, not one that peaks', async () => {
    meter.start();
    streams.up.bitrate = MAX_INCOMING_BPS.audio * 3;
    await rounds(1);
    streams.up.bitrate = MAX_INCOMING_BPS.audio;
    await rounds(2);
    expect(overLimit).toEqual([]);
    streams.up.bitrate = MAX_INCOMING_BPS.audio * 3;
    await rounds(2);
    expect(overLimit).toEqual(['audio-producer']);
  });
});
