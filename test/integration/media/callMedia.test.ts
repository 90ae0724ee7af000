import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { types } from 'mediasoup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { answersCheck } from '../../support/stunCheck.ts';
import { CallPages } from './callPages.ts';
import {
  ANN,
  AUDIO,
  BEN,
  CAPABILITIES,
  codeOf,
  createCall,
  DTLS,
  startWorkers,
  until,
  VIDEO,
} from './harness.ts';

let workers: MediaWorkers;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

const dump = () => workers.processes[0]!.worker.dump();

/** Both people with both transports. */
async function joined(call: CallMedia) {
  const [annSend, annRecv, benSend, benRecv] = await Promise.all([
    call.open(ANN, 'send'),
    call.open(ANN, 'recv'),
    call.open(BEN, 'send'),
    call.open(BEN, 'recv'),
  ]);
  return { annSend: annSend.id, annRecv: annRecv.id, benSend: benSend.id, benRecv: benRecv.id };
}

describe('the media of a call', () => {
  it('sets up audio and video both ways', async () => {
    const { call, told } = await createCall(workers);
    const { annSend, annRecv, benSend } = await joined(call);
    for (const id of [annSend, annRecv]) await call.connect(ANN, id, DTLS());
    const annAudio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const annVideo = await call.produce(ANN, annSend, 'video', VIDEO());
    const benAudio = await call.produce(BEN, benSend, 'audio', AUDIO());
    expect(call.producers(ANN).map((producer) => producer.producerId)).toEqual([annAudio, annVideo]);
    expect(call.producers()).toHaveLength(3);

    const heard = await call.consume(BEN, annAudio, CAPABILITIES(call));
    expect(heard).toMatchObject({ producerId: annAudio, kind: 'audio' });
    expect(heard.rtpParameters.codecs.map((codec) => codec.mimeType)).toEqual(['audio/opus']);
    // Both of a person's streams carry one CNAME of the server's making: the other's browser keeps lips and voice in step.
    const seen = await call.consume(BEN, annVideo, CAPABILITIES(call));
    expect(seen.rtpParameters.rtcp?.cname).toBe(heard.rtpParameters.rtcp?.cname);
    expect(seen.rtpParameters.rtcp?.cname).not.toBe('dHqnZxZ5F');
    await call.consume(ANN, benAudio, CAPABILITIES(call));
    await call.resume(BEN, heard.consumerId);
    await call.pause(ANN, annAudio);
    await call.resume(ANN, annAudio);
    expect(told.filter((one) => one.event === 'added')).toHaveLength(3);
    expect(told).toContainEqual({ event: 'added', userId: ANN, producerId: annVideo, kind: 'video' });
    call.close();
  });

  it('offers only its own address, on one port, over UDP first', async () => {
    const { call } = await createCall(workers);
    const opened = await call.open(ANN, 'send');
    const { port } = workers.processes[0]!;
    expect(
      opened.iceCandidates.map(({ address, protocol, port, type }) => ({ address, protocol, port, type })),
    ).toEqual([
      { address: '127.0.0.1', protocol: 'udp', port, type: 'host' },
      { address: '127.0.0.1', protocol: 'tcp', port, type: 'host' },
    ]);
    expect(opened).not.toHaveProperty('sctpParameters');
    const before = opened.iceParameters.password;
    const { iceParameters } = await call.restartIce(ANN, opened.id);
    expect(iceParameters.password).not.toBe(before);
    call.close();
  });

  it('lets transports warm up before the answer, and nothing else', async () => {
    const { call } = await createCall(workers, { audio: false, video: false });
    const { annSend } = await joined(call);
    await call.connect(ANN, annSend, DTLS());
    expect(await codeOf(call.produce(ANN, annSend, 'audio', AUDIO()))).toBe('WRONG_PHASE');
    expect(await codeOf(call.produce(ANN, annSend, 'video', VIDEO()))).toBe('WRONG_PHASE');
    expect(await codeOf(call.consume(ANN, randomUUID(), CAPABILITIES(call)))).toBe('WRONG_PHASE');
    call.setPolicy({ audio: true, video: false });
    expect(await codeOf(call.produce(ANN, annSend, 'audio', AUDIO()))).toBe('done');
    expect(await codeOf(call.produce(ANN, annSend, 'video', VIDEO()))).toBe('FORBIDDEN');
    call.close();
  });

  it('takes no video on an audio producer', async () => {
    const { call } = await createCall(workers, { audio: true, video: false });
    const { annSend } = await joined(call);
    expect(await codeOf(call.produce(ANN, annSend, 'audio', VIDEO()))).toBe('VALIDATION_FAILED');
    expect(call.producers()).toEqual([]);
    call.close();
  });

  it('stops video at once when one withdraws, also what is just being made', async () => {
    const { call, told } = await createCall(workers);
    const { annSend, benSend } = await joined(call);
    const video = await call.produce(ANN, annSend, 'video', VIDEO());
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const seen = await call.consume(BEN, video, CAPABILITIES(call));
    const underway = codeOf(call.produce(BEN, benSend, 'video', VIDEO()));
    call.setPolicy({ audio: true, video: false });
    expect(told.at(-1)).toEqual({ event: 'closed', userId: ANN, producerId: video, kind: 'video' });
    expect(call.producers().map((producer) => producer.producerId)).toEqual([audio]);
    expect(await underway).toBe('FORBIDDEN');
    expect(await codeOf(call.resume(BEN, seen.consumerId))).toBe('NOT_FOUND');
    expect(told.filter((one) => one.event === 'added')).toHaveLength(2);
    call.setPolicy({ audio: true, video: true });
    expect(await codeOf(call.produce(ANN, annSend, 'video', VIDEO(5_000_000)))).toBe('done');
    call.close();
  });

  it('answers NOT_FOUND for what is the other person’s or nobody’s', async () => {
    const { call } = await createCall(workers);
    const { annSend, annRecv, benSend } = await joined(call);
    const annAudio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const refused = [
      call.connect(BEN, annSend, DTLS()),
      call.connect('eve', annSend, DTLS()),
      call.connect(ANN, randomUUID(), DTLS()),
      call.restartIce(BEN, annSend),
      call.produce(BEN, annSend, 'audio', AUDIO()),
      call.produce(ANN, annRecv, 'audio', AUDIO()),
      call.consume(ANN, annAudio, CAPABILITIES(call)),
      call.consume(BEN, randomUUID(), CAPABILITIES(call)),
      call.consume('eve', annAudio, CAPABILITIES(call)),
      call.open('eve', 'send'),
      call.pause(BEN, annAudio),
      call.resume(BEN, annAudio),
    ];
    expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'NOT_FOUND'));
    expect(() => call.closeItem(BEN, annAudio)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(await codeOf(call.produce(BEN, benSend, 'audio', AUDIO()))).toBe('done');
    call.close();
  });

  it('answers CONFLICT for a second of what there is one of', async () => {
    const { call } = await createCall(workers);
    const { annSend } = await joined(call);
    await call.connect(ANN, annSend, DTLS());
    expect(await codeOf(call.connect(ANN, annSend, DTLS()))).toBe('CONFLICT');
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    expect(await codeOf(call.produce(ANN, annSend, 'audio', AUDIO(7)))).toBe('CONFLICT');
    const heard = await call.consume(BEN, audio, CAPABILITIES(call));
    expect(await codeOf(call.consume(BEN, audio, CAPABILITIES(call)))).toBe('CONFLICT');
    call.closeItem(BEN, heard.consumerId);
    expect(await codeOf(call.consume(BEN, audio, CAPABILITIES(call)))).toBe('done');
    call.closeItem(ANN, audio);
    const again = await call.produce(ANN, annSend, 'audio', AUDIO(8));
    expect(await codeOf(call.consume(BEN, again, CAPABILITIES(call)))).toBe('done');
    call.close();
  });

  it('refuses what nobody can decode, and goes on', async () => {
    const { call } = await createCall(workers);
    const { annSend } = await joined(call);
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const deaf = { codecs: [], headerExtensions: [] };
    expect(await codeOf(call.consume(BEN, audio, deaf))).toBe('VALIDATION_FAILED');
    expect(await codeOf(call.consume(BEN, audio, CAPABILITIES(call)))).toBe('done');
    call.close();
  });

  it('lets a person come back: a new transport takes the place of the old', async () => {
    const { call, told } = await createCall(workers);
    const { annSend, benRecv } = await joined(call);
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    await call.consume(BEN, audio, CAPABILITIES(call));
    const fresh = await call.open(ANN, 'send');
    expect(told.at(-1)).toEqual({ event: 'closed', userId: ANN, producerId: audio, kind: 'audio' });
    expect(await codeOf(call.connect(ANN, annSend, DTLS()))).toBe('NOT_FOUND');
    const again = await call.produce(ANN, fresh.id, 'audio', AUDIO());
    expect(await codeOf(call.consume(BEN, again, CAPABILITIES(call)))).toBe('done');
    expect(benRecv).toBeTruthy();
    call.close();
  });

  it('forgets a person who leaves in the middle of anything', async () => {
    const { call, told } = await createCall(workers);
    const { annSend } = await joined(call);
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const underway = [
      codeOf(call.produce(ANN, annSend, 'video', VIDEO())),
      codeOf(call.consume(BEN, audio, CAPABILITIES(call))),
    ];
    const opening = call.open(ANN, 'recv').catch((error: { code: string }) => error.code);
    call.leave(ANN);
    expect(await Promise.all(underway)).toEqual(['CONFLICT', 'NOT_FOUND']);
    expect(await opening).toBe('CONFLICT');
    expect(call.producers(ANN)).toEqual([]);
    expect(told.filter((one) => one.event === 'closed')).toHaveLength(1);
    const fresh = await call.open(ANN, 'send');
    expect(await codeOf(call.produce(ANN, fresh.id, 'audio', AUDIO()))).toBe('done');
    call.close();
  });

  it('never has more than two transports, producers and consumers a person, whatever is tried', async () => {
    const idle = (await dump()).channelMessageHandlers.channelRequestHandlers.length;
    const { call } = await createCall(workers);
    let opened = await joined(call);
    let tried = 0;
    const counts: Promise<number>[] = [];
    for (let round = 0; round < 12; round += 1) {
      const results: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i += 1) {
        const { annSend, benSend } = opened;
        results.push(
          call.produce(ANN, annSend, i % 2 ? 'audio' : 'video', i % 2 ? AUDIO(1 + i) : VIDEO(100 + 2 * i)),
          call.produce(BEN, benSend, 'audio', AUDIO(1 + i)),
          call.connect(ANN, annSend, DTLS()),
        );
        for (const { producerId } of call.producers(ANN))
          results.push(call.consume(BEN, producerId, CAPABILITIES(call)));
        if (i % 10 === 5)
          results.push(call.open(ANN, 'send'), call.open(ANN, 'send'), call.open(BEN, 'recv'));
        counts.push(
          dump().then(
            ({ channelMessageHandlers: { channelRequestHandlers } }) => channelRequestHandlers.length,
          ),
        );
      }
      tried += results.length;
      await Promise.allSettled(results);
      opened = await joined(call);
    }
    expect(tried).toBeGreaterThan(700);
    // A router, and for each of two people two transports, two producers, two consumers.
    const most = Math.max(...(await Promise.all(counts)));
    expect(most).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(idle + 1 + 2 * (2 + 2 + 2));
    call.close();
  });

  it('leaves nothing on the worker when it is closed, also in the middle of anything', async () => {
    const calls = await Promise.all(Array.from({ length: 10 }, () => createCall(workers)));
    expect((await dump()).routerIds).toHaveLength(10);
    expect(workers.health).toEqual({ workers: 1, alive: 1, calls: 10 });
    const results: Promise<string>[] = [];
    for (const { call, told } of calls) {
      const { annSend, benSend } = await joined(call);
      await call.produce(ANN, annSend, 'audio', AUDIO());
      results.push(codeOf(call.produce(BEN, benSend, 'audio', AUDIO())), codeOf(call.open(ANN, 'recv')));
      call.close();
      call.close();
      expect(told.filter((one) => one.event === 'closed')).toEqual([]);
      results.push(codeOf(call.open(ANN, 'send')));
    }
    expect(new Set(await Promise.all(results))).toEqual(new Set(['CALL_NOT_ACTIVE']));
    const { routerIds, channelMessageHandlers } = await dump();
    expect(routerIds).toEqual([]);
    expect(channelMessageHandlers.channelRequestHandlers.length).toBeLessThanOrEqual(1);
    expect(workers.health.calls).toBe(0);
  });

  it('leaves nothing in this process either: what is closed is forgotten, transport by transport', async () => {
    const kept = new Set<types.WebRtcTransport>();
    const { observer } = workers.processes[0]!.server;
    const keep = (transport: types.WebRtcTransport) => void kept.add(transport);
    const forget = (transport: types.WebRtcTransport) => void kept.delete(transport);
    observer.on('webrtctransporthandled', keep).on('webrtctransportunhandled', forget);
    for (let i = 0; i < 3; i++) {
      const { call } = await createCall(workers);
      await joined(call);
      expect(kept.size).toBe(4);
      const late = codeOf(call.open(ANN, 'send'));
      call.close();
      expect(await late).toBe('CALL_NOT_ACTIVE');
      expect(kept.size).toBe(0);
    }
    observer.off('webrtctransporthandled', keep).off('webrtctransportunhandled', forget);
  });

  it('answers no packet after the end, and has no router left', async () => {
    const { call } = await createCall(workers);
    const { iceParameters } = await call.open(ANN, 'send');
    const { port } = workers.processes[0]!;
    const before = (await dump()).routerIds.length;
    // A check may be lost on a busy machine; a second one is as good.
    await eventually(() => answersCheck(port, iceParameters, 1_000)).toBe(true);
    call.close();
    expect((await dump()).routerIds).toHaveLength(before - 1);
    expect(await answersCheck(port, iceParameters, 500)).toBe(false);
  });

  it('does not take a connection that is none for one through which media flows', async () => {
    const { call, told } = await createCall(workers);
    const { annSend } = await joined(call);
    await call.connect(ANN, annSend, DTLS());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(told.filter((one) => one.event === 'flowing')).toEqual([]);
    call.close();
  });
});

describe('what is prepared while it rings', () => {
  const ringing = { audio: false, video: false };
  const prepare = (call: CallMedia, userId: string, transportId: string, ssrc?: number) =>
    call.prepare(userId, transportId, AUDIO(ssrc), CAPABILITIES(call));

  it('is nothing in the SFU, and tells the other nothing; both hear each other with the answer', async () => {
    const { call, told } = await createCall(workers, ringing);
    const { annSend, benSend } = await joined(call);
    const before = (await dump()).channelMessageHandlers.channelRequestHandlers.length;
    const ann = prepare(call, ANN, annSend, 1);
    const ben = prepare(call, BEN, benSend, 2);
    expect(ann.rtpParameters).toMatchObject({
      mid: 'ear',
      codecs: [{ mimeType: 'audio/opus' }],
      encodings: [{}],
    });
    expect((await dump()).channelMessageHandlers.channelRequestHandlers.length).toBe(before);
    expect(call.producers()).toEqual([]);
    expect(told).toEqual([]);

    call.setPolicy({ audio: true, video: false });
    await until('both are told', () => told.length === 2);
    for (const [userId, { producerId }] of [
      [ANN, ann],
      [BEN, ben],
    ] as const) {
      expect(told).toContainEqual({
        event: 'added',
        userId,
        producerId,
        kind: 'audio',
        consumerId: expect.any(String),
      });
      // They are heard: nothing is left to be asked for.
      const other = userId === ANN ? BEN : ANN;
      expect(await codeOf(call.consume(other, producerId, CAPABILITIES(call)))).toBe('CONFLICT');
    }
    call.close();
  });

  it('is what the consumer then really has, but for its SSRC', async () => {
    const { call } = await createCall(workers, ringing);
    const { annSend, benSend } = await joined(call);
    const { rtpParameters } = prepare(call, ANN, annSend, 1);
    call.setPolicy({ audio: true, video: false });
    const benAudio = await call.produce(BEN, benSend, 'audio', AUDIO(2));
    // A second consumer's parameters show what mediasoup makes of the same capabilities.
    call.leave(ANN);
    await call.open(ANN, 'recv');
    const real = await call.consume(ANN, benAudio, CAPABILITIES(call), 'ear');
    const { ssrc, ...encoding } = real.rtpParameters.encodings![0]!;
    expect(ssrc).toBeGreaterThan(0);
    expect(encoding).toEqual({});
    expect(rtpParameters.codecs).toEqual(real.rtpParameters.codecs);
    const extensions = (all: { uri: string; id: number }[] = []) =>
      all.map(({ uri, id }) => `${id} ${uri}`).sort();
    expect(extensions(rtpParameters.headerExtensions)).toEqual(
      extensions(real.rtpParameters.headerExtensions),
    );
    call.close();
  });

  it('starts at once in a call that was answered meanwhile, and waits for an other who comes later', async () => {
    const { call, told } = await createCall(workers, { audio: true, video: false });
    const { annSend, benSend } = await joined(call);
    prepare(call, ANN, annSend, 1);
    await until('ann sends', () => told.length === 1);
    expect(told[0]).not.toHaveProperty('consumerId');
    await call.produce(BEN, benSend, 'audio', AUDIO(2));
    expect(told[1]).toMatchObject({ userId: BEN, consumerId: expect.any(String) });
    call.close();
  });

  it('is refused a second time, on another’s transport and without one to hear through', async () => {
    const { call } = await createCall(workers, ringing);
    const { annSend, annRecv, benSend } = await joined(call);
    const codeOfTry = (run: () => unknown) => codeOf(Promise.resolve().then(run));
    expect(await codeOfTry(() => prepare(call, ANN, benSend))).toBe('NOT_FOUND');
    expect(await codeOfTry(() => prepare(call, ANN, annRecv))).toBe('NOT_FOUND');
    expect(await codeOfTry(() => call.prepare(ANN, annSend, VIDEO(), CAPABILITIES(call)))).toBe(
      'VALIDATION_FAILED',
    );
    expect(await codeOfTry(() => prepare(call, ANN, annSend))).toBe('done');
    expect(await codeOfTry(() => prepare(call, ANN, annSend))).toBe('CONFLICT');
    call.leave(BEN);
    const fresh = await call.open(BEN, 'send');
    expect(await codeOfTry(() => prepare(call, BEN, fresh.id))).toBe('CONFLICT');
    call.close();
  });
});

describe('mute', () => {
  it('is told, and that it is over', async () => {
    const { call, told } = await createCall(workers);
    const { annSend } = await joined(call);
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    await call.pause(ANN, audio);
    expect(told.at(-1)).toEqual({ event: 'paused', userId: ANN, kind: 'audio', paused: true });
    await call.resume(ANN, audio);
    expect(told.at(-1)).toEqual({ event: 'paused', userId: ANN, kind: 'audio', paused: false });
    call.close();
  });
});

describe('a listener on a poor network', { timeout: 30_000 }, () => {
  /** What the worker would say of Ben's network; none of it is there, for nothing is sent. */
  const POOR = [
    { type: 'inbound-rtp', packetsLost: 0, jitter: 0, bitrate: 32_000 },
    { type: 'outbound-rtp', fractionLost: 128, jitter: 0, roundTripTime: 80 },
  ];

  /** A call whose transports and consumers can be got at as mediasoup made them. */
  async function seen() {
    const transports = new Map<string, types.WebRtcTransport>();
    workers.processes[0]!.worker.observer.once('newrouter', (router) =>
      router.observer.on('newtransport', (transport) => {
        transports.set(transport.id, transport as types.WebRtcTransport);
        transport.observer.on('newconsumer', (consumer) => {
          consumer.getStats = async () =>
            POOR.map((stat) => ({ ...stat, packetCount: performance.now() })) as never;
        });
      }),
    );
    const { call, told } = await createCall(workers);
    const { annSend } = await joined(call);
    const audio = await call.produce(ANN, annSend, 'audio', AUDIO());
    const video = await call.produce(ANN, annSend, 'video', VIDEO());
    for (const id of [audio, video]) await call.consume(BEN, id, CAPABILITIES(call));
    const limitBps = async () => (await transports.get(annSend)!.getStats())[0]!.maxIncomingBitrate;
    await until('the picture is reduced', () => told.some(({ event }) => event === 'stepped'), 10_000);
    await eventually(limitBps).toBe(160_000 + 350_000);
    return { call, told, limitBps };
  }

  it('gets all of the picture again with a new connection, and the other is not held back for the old one', async () => {
    const [back, gone] = [await seen(), await seen()];
    await back.call.open(BEN, 'recv');
    gone.call.leave(BEN);
    for (const { call, told, limitBps } of [back, gone]) {
      await eventually(limitBps).toBe(1_960_000);
      expect(told.filter(({ event }) => event === 'stepped')).toEqual([
        { event: 'stepped', userId: BEN, step: 'reduced' },
      ]);
      call.close();
    }
  });
});

describe('who sends without limit', { timeout: 60_000 }, () => {
  const FLOOD_EVERY_MS = 20;
  /** Some 1.2 Mbit/s, of an SSRC that nobody knows, not even encrypted. */
  const RTP = Buffer.concat([Buffer.from([0x80, 111]), Buffer.alloc(2_998)]);

  /** A client's socket that the transport has taken, through which it then floods. */
  async function flood(port: number, iceParameters: { usernameFragment: string; password: string }) {
    const [near, far] = [createSocket('udp4'), createSocket('udp4')];
    near.bind(0, '127.0.0.1');
    await once(near, 'listening');
    let client = 0;
    near.on('message', (packet, from) => {
      client = from.port;
      far.send(packet, port, '127.0.0.1');
    });
    far.on('message', (packet) => near.send(packet, client, '127.0.0.1'));
    await eventually(() => answersCheck(near.address().port, iceParameters, 1_000)).toBe(true);
    const timer = setInterval(() => far.send(RTP, port, '127.0.0.1'), FLOOD_EVERY_MS);
    return () => {
      clearInterval(timer);
      for (const socket of [near, far]) socket.close();
    };
  }

  it('loses the transports, though nobody listens, and gets no others after the second time', async () => {
    const { call, told } = await createCall(workers, { audio: true, video: false });
    const { port } = workers.processes[0]!;
    const other = await call.open(BEN, 'send');
    for (let time = 1; time <= 2; time += 1) {
      const { id, iceParameters } = await call.open(ANN, 'send');
      const producerId = await call.produce(ANN, id, 'audio', AUDIO());
      const stop = await flood(port, iceParameters);
      await until('the transport is closed', () => !call.has(ANN, id), 20_000);
      stop();
      expect(told.at(-1)).toEqual({ event: 'closed', userId: ANN, producerId, kind: 'audio' });
    }
    call.leave(ANN);
    expect(await codeOf(call.open(ANN, 'send'))).toBe('TOO_MANY_REQUESTS');
    expect(await codeOf(call.open(ANN, 'both'))).toBe('TOO_MANY_REQUESTS');
    expect(call.has(BEN, other.id)).toBe(true);
    call.close();
  });
});

describe('a call of the product’s own client', () => {
  const app = useApp();

  it('begins although one was muted before any sound had come to the other', async () => {
    await using stack = new AsyncDisposableStack();
    const pages = await CallPages.open(app.url);
    stack.defer(() => pages.close());
    const { ann, bob, matchId } = await newMatch(app);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const annPage = await pages.sitWithSdk(ann, call, seat);
    await annPage.do('open');
    await annPage.do('mute', true);
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    await eventually(() => annPage.do('phase')).toBe('connecting');
    // Opening a page takes so long that nobody was there to hear what she sent until her producer was paused.
    const bobPage = await pages.sitWithSdk(bob, answered.call, answered.seat);
    for (const page of [annPage, bobPage]) await eventually(() => page.do('phase')).toBe('active');
    expect(await bobPage.do('received', 'audio')).toMatchObject({ bytes: 0 });
    const heard = async () => ((await bobPage.do('received', 'audio')) as { bytes: number }).bytes;
    await annPage.do('mute', false);
    await eventually(heard).toBeGreaterThan(2_000);
  });
});
