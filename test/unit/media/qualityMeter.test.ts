import type { types } from 'mediasoup';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_INCOMING_BPS, maxIncomingBps } from '../../../src/media/codecs.ts';
import type { Intake } from '../../../src/media/IntakeMeter.ts';
import { METER_EVERY_MS, type Quality, QualityMeter, type Way } from '../../../src/media/QualityMeter.ts';
import { FakeClock } from '../../support/FakeClock.ts';

type Stream = Partial<types.ConsumerStat> & { bitrate?: number };

let clock: FakeClock;
let streams: { up: Stream; down: Stream };
let listening: { listenerId: string; speakerId: string; consumer: types.Consumer }[];
let reports: { userId: string; quality: Quality }[];
let unheard: (Way | null)[];
let picture: { up: Stream; down: Stream };
/** What Ann's transports have received so far. */
let received: { sent: number; heard: number };
let intakes: Intake[];
let overLimit: string[];
let meter: QualityMeter;

/** Only what the meter reads of a consumer. */
function consumer(kind: 'audio' | 'video'): types.Consumer {
  return { id: `${kind}-consumer`, producerId: `${kind}-producer`, kind } as types.Consumer;
}

/** One of Ann's. */
function transport(id: keyof typeof received): Intake {
  return { userId: 'ann', transport: { id } as types.WebRtcTransport };
}

beforeEach(() => {
  clock = new FakeClock();
  streams = { up: {}, down: {} };
  picture = { up: {}, down: {} };
  listening = [{ listenerId: 'ben', speakerId: 'ann', consumer: consumer('audio') }];
  reports = [];
  unheard = [];
  received = { sent: 0, heard: 0 };
  intakes = [transport('sent'), transport('heard')];
  overLimit = [];
  meter = new QualityMeter(clock, {
    listening: () => listening,
    stats: async ({ kind }) => {
      const { up, down } = kind === 'audio' ? streams : picture;
      return [
        { type: 'inbound-rtp', packetCount: 0, packetsLost: 0, jitter: 0, bitrate: 32_000, ...up },
        { type: 'outbound-rtp', packetCount: 0, fractionLost: 0, jitter: 0, ...down },
      ] as types.ConsumerStat[];
    },
    report: (userId, quality) => reports.push({ userId, quality }),
    unheard: (_, way) => unheard.push(way),
    intakes: () => intakes,
    intakeStats: async ({ id }) =>
      [
        {
          transportId: id,
          timestamp: clock.now(),
          bytesReceived: received[id as keyof typeof received],
          // Of the last second only: what came in the one before would not be seen.
          recvBitrate: 0,
        },
      ] as types.WebRtcTransportStat[],
    limitBps: () => maxIncomingBps({ video: false }),
    overLimit: (userId) => overLimit.push(userId),
  });
});

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    clock.advance(METER_EVERY_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the quality of a call', () => {
  it('cuts off who sends too much by ever other transports', async () => {
    meter.start();
    const tooMuch = (2.5 * MAX_INCOMING_BPS.audio * METER_EVERY_MS) / 8_000;
    for (let round = 0; round < 2; round += 1) {
      received.sent += tooMuch;
      await meter.closing(transport('sent'));
      intakes = [transport('heard')];
      await rounds(1);
      intakes = [transport('sent'), transport('heard')];
    }
    expect(overLimit).toEqual(['ann']);
  });

  it('is told every two seconds from what changed since', async () => {
    meter.start();
    streams = { up: { packetCount: 100 }, down: { packetCount: 100, roundTripTime: 80 } };
    clock.advance(1_999);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reports).toEqual([]);
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
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

  it('is told by the picture alone while the other is muted, and not at all where none comes', async () => {
    meter.start();
    listening.push({ listenerId: 'ben', speakerId: 'ann', consumer: consumer('video') });
    streams = { up: { packetCount: 100 }, down: { packetCount: 100 } };
    await rounds(1);
    expect([reports.length, unheard]).toEqual([1, []]);
    picture = { up: { bitrate: 300_000 }, down: { fractionLost: 64, roundTripTime: 80 } };
    await rounds(1);
    expect(unheard).toEqual([{ lossRatio: 0.25, mos: expect.any(Number) }]);
    expect(unheard[0]!.mos).toBeLessThan(3.3);
    picture = { up: { bitrate: 300_000 }, down: { fractionLost: 0, roundTripTime: 80 } };
    await rounds(1);
    expect(unheard[1]!.mos).toBeGreaterThan(4);
    // Off for the network's sake: what the last report said of it is long past.
    listening[1] = { ...listening[1]!, consumer: { ...consumer('video'), paused: true } as types.Consumer };
    picture.down.fractionLost = 64;
    await rounds(1);
    // The sound's consumer is not even there.
    listening.shift();
    await rounds(1);
    expect(unheard.slice(2)).toEqual([null, null]);
    expect(reports).toHaveLength(1);
  });

  it('is not measured when nobody has a transport, and again when somebody does', async () => {
    meter.start();
    [listening, intakes] = [[], []];
    await rounds(3);
    expect(reports).toEqual([]);
    listening = [{ listenerId: 'ann', speakerId: 'ben', consumer: consumer('audio') }];
    intakes = [transport('sent')];
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

  it('cuts off who stays far above the limit of a kind, not who peaks', async () => {
    meter.start();
    streams.up.bitrate = MAX_INCOMING_BPS.audio * 3;
    await rounds(1);
    streams.up.bitrate = MAX_INCOMING_BPS.audio;
    await rounds(2);
    expect(overLimit).toEqual([]);
    streams.up.bitrate = MAX_INCOMING_BPS.audio * 3;
    await rounds(2);
    expect(overLimit).toEqual(['ann']);
  });

  it('cuts off who sends too much that nobody listens to, by whichever transport it comes', async () => {
    meter.start();
    listening = [];
    const tooMuch = (2.5 * MAX_INCOMING_BPS.audio * METER_EVERY_MS) / 8_000;
    received.sent += tooMuch;
    await rounds(1);
    // A peak.
    await rounds(1);
    expect(overLimit).toEqual([]);
    received.sent += tooMuch;
    await rounds(1);
    received.sent += tooMuch / 2;
    received.heard += tooMuch / 2;
    await rounds(1);
    expect(overLimit).toEqual(['ann']);
    received.sent += tooMuch / 3;
    received.heard += tooMuch / 3;
    await rounds(3);
    expect(overLimit).toEqual(['ann']);
  });
});
