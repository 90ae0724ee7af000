import { randomUUID } from 'node:crypto';
import type { types } from 'mediasoup';
import type { Clock } from '../clock.ts';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CallItems } from './CallItems.ts';
import { CallRouter } from './CallRouter.ts';
import type { CallMediaOptions, CallMediaPort, MediaPolicy } from './callMediaPort.ts';
import { maxIncomingBps } from './codecs.ts';
import { earParameters } from './ear.ts';
import {
  BOTH,
  CallPeople,
  type Direction,
  type Item,
  isProducer,
  Leg,
  type LiveProducer,
} from './PersonMedia.ts';
import { type Quality, QualityMeter } from './QualityMeter.ts';
import {
  assertCodecsAre,
  type DtlsParameters,
  type RtpCapabilities,
  type RtpParameters,
} from './rtpSchemas.ts';
import { TwoWayFlow } from './TwoWayFlow.ts';
import { VideoFit } from './VideoFit.ts';
import type { LostCause, WorkerProcess } from './WorkerProcess.ts';

/** Who was cut off so often for sending too much opens no other transport. */
const MAX_CUT_OFFS = 2;

type Parts = { process: WorkerProcess; router: types.Router; clock: Clock; log: Log; onClose: () => void };

/**
 * Everything that one call has in the SFU: a router, and for each of exactly two people one transport to send and
 * one to receive, one producer a kind, one consumer a kind.
 *
 * The parameters of its methods must have passed `MEDIA_MESSAGES`. Methods throw `DuetError`: `NOT_FOUND` for what
 * is not the acting person's (or, to consume, not the other's), `WRONG_PHASE` before the answer, `FORBIDDEN` for
 * video without consent, `CONFLICT` for a second of what there is one of, `VALIDATION_FAILED` for parameters that
 * fit no codec here, `TOO_MANY_REQUESTS` for who keeps sending too much, `CALL_NOT_ACTIVE` after `close`, `UNAVAILABLE`
 * when the worker is gone or silent.
 */
export class CallMedia {
  readonly #router: CallRouter;
  readonly #port: CallMediaPort;
  readonly #people: CallPeople;
  readonly #items: CallItems;
  readonly #flow: TwoWayFlow;
  readonly #meter: QualityMeter;
  readonly #fit: VideoFit;
  readonly #log: Log;
  readonly #cutOffs = new Map<string, number>();
  readonly #onClose: () => void;
  readonly #forgetWorker: () => void;
  #policy: MediaPolicy;

  constructor(options: CallMediaOptions, parts: Parts) {
    this.#router = new CallRouter(parts.process, parts.router);
    this.#port = options.port;
    this.#log = parts.log;
    this.#onClose = parts.onClose;
    this.#policy = options.policy ?? { audio: false, video: false };
    this.#people = new CallPeople(options.people);
    this.#fit = new VideoFit(this.#people, this.#router, options.port);
    this.#fit.setPolicy(this.#policy);
    this.#flow = new TwoWayFlow(
      (consumer, on) => this.#router.tell('trace', () => consumer.enableTraceEvent(on ? ['rtp'] : [])),
      () => this.closed || this.#port.flowing(),
    );
    this.#meter = new QualityMeter(parts.clock, {
      listening: () => (this.#router.over ? [] : this.#people.listening),
      stats: (consumer) =>
        this.#router.process.ask('stats', () => consumer.getStats(), { refusedAs: 'NOT_FOUND' }),
      report: (userId, quality) => this.#judged(userId, quality),
      unheard: (userId, way) => this.#fit.judge(userId, way),
      intakes: () => (this.#router.over ? [] : this.#people.intakes),
      intakeStats: (transport) =>
        this.#router.process.ask('stats', () => transport.getStats(), { refusedAs: 'NOT_FOUND' }),
      limitBps: () => maxIncomingBps(this.#policy),
      overLimit: (userId) => this.#cutOff(userId),
    });
    this.#items = new CallItems({
      router: this.#router,
      people: this.#people,
      port: options.port,
      log: parts.log,
      assertAllowed: (kind) => this.#assertAllowed(kind),
      consumed: (userId, consumer, { transport }, atOnce) => {
        this.#flow.watch(userId, consumer, transport);
        if (atOnce) this.#fit.resumed(userId, consumer);
      },
      closing: (userId, transport) => void this.#meter.closing({ userId, transport }),
    });
    this.#forgetWorker = parts.process.onLost((cause) => this.#workerLost(cause));
  }

  /** What the router can carry, for `media:capabilities`. */
  get rtpCapabilities(): types.RtpCapabilities {
    return this.#router.rtpCapabilities;
  }

  get closed(): boolean {
    return this.#router.closed;
  }

  /** The live producers, of one person or of both. */
  producers(userId?: string): LiveProducer[] {
    return this.#people.all
      .filter((person) => userId === undefined || person.userId === userId)
      .flatMap((person) => person.producers.map((producer) => person.describe(producer)));
  }

  /** Whether a kind may flow now. */
  allows(kind: types.MediaKind): boolean {
    return this.#policy[kind];
  }

  /** Whether this is a live transport, producer or consumer of the person's. */
  has(userId: string, id: string): boolean {
    const person = this.#people.get(userId);
    return !this.#router.over && (person.leg(id) ?? person.find(id)) !== undefined;
  }

  /**
   * Opens a transport, for one direction or (a bare RTCPeerConnection) for both. An earlier one of the same person
   * and direction is closed first: the person came back.
   */
  async open<T extends Direction | 'both'>(userId: string, direction: T) {
    const person = this.#usable.get(userId);
    if ((this.#cutOffs.get(userId) ?? 0) >= MAX_CUT_OFFS) throw new DuetError('TOO_MANY_REQUESTS');
    const directions = direction === 'both' ? BOTH : [direction as Direction];
    if (directions.some((one) => person.opening.has(one))) throw new DuetError('CONFLICT');
    for (const one of directions) this.#items.closeLeg(person, one);
    if (direction !== 'send') this.#renewEar(userId);
    for (const one of directions) person.opening.add(one);
    try {
      const transport = await this.#router.openTransport(() => this.#people.isCurrent(person));
      for (const one of directions) person.legs.set(one, new Leg(transport, one));
      transport.on('dtlsstatechange', () => this.#flow.look(userId));
      this.#meter.start();
      if (direction !== 'recv') this.#fit.limit(person);
      const { id, iceParameters, dtlsParameters } = transport;
      const iceCandidates = this.#router.candidatesOf(transport);
      return { id, direction, iceParameters, iceCandidates, dtlsParameters };
    } finally {
      for (const one of directions) person.opening.delete(one);
    }
  }

  /** Gives the transport the client's DTLS fingerprint; once. */
  async connect(userId: string, transportId: string, dtlsParameters: DtlsParameters): Promise<void> {
    const leg = this.#usable.leg(userId, transportId);
    if (leg.connectAsked) throw new DuetError('CONFLICT');
    leg.connectAsked = true;
    await this.#router.process.ask('connect', () => leg.transport.connect({ dtlsParameters }), {
      refusedAs: 'VALIDATION_FAILED',
    });
  }

  /**
   * Takes what a person will send and how they will hear the other, for when audio is allowed (at once, if it is): both
   * then start with no more words between client and server. Until then none of it exists in the SFU, and what the
   * client sends is dropped there. → the coming producer's id, and the parameters of what will be heard.
   */
  prepare(
    userId: string,
    transportId: string,
    rtpParameters: RtpParameters,
    rtpCapabilities: RtpCapabilities,
  ): { producerId: string; rtpParameters: types.RtpParameters } {
    const person = this.#usable.get(userId);
    const send = this.#sendLeg(userId, transportId);
    const recv = person.legs.get('recv');
    if (person.voice !== null || send.has('audio') || recv === undefined || recv.has('audio')) {
      throw new DuetError('CONFLICT');
    }
    assertCodecsAre('audio', rtpParameters);
    const willHear = earParameters(this.rtpCapabilities, rtpCapabilities);
    const producerId = randomUUID();
    person.voice = { producerId, transportId, rtpParameters };
    person.ear = rtpCapabilities;
    if (this.#policy.audio) this.#items.startPrepared();
    return { producerId, rtpParameters: willHear };
  }

  /** Starts sending one kind; → the producer's id. The other person is told through `producerAdded`. */
  async produce(
    userId: string,
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: RtpParameters,
  ): Promise<string> {
    const person = this.#usable.get(userId);
    this.#assertAllowed(kind);
    const leg = this.#sendLeg(userId, transportId);
    assertCodecsAre(kind, rtpParameters);
    return this.#items.produce(person, leg, { kind, rtpParameters });
  }

  /** Starts receiving one of the other person's producers; paused until `resume`. `mid`: default the next number. */
  async consume(userId: string, producerId: string, rtpCapabilities: RtpCapabilities, mid?: string) {
    const person = this.#usable.get(userId);
    this.#assertAllowed('audio');
    const producer = this.#people.other(userId).producers.find((one) => one.id === producerId);
    if (producer === undefined) throw new DuetError('NOT_FOUND');
    const consumer = await this.#items.consume(person, producer, {
      rtpCapabilities,
      paused: true,
      ...(mid !== undefined && { mid }),
    });
    const { kind, rtpParameters } = consumer;
    return { consumerId: consumer.id, producerId, kind, rtpParameters };
  }

  /** Pauses an own producer (mute) or consumer. */
  async pause(userId: string, id: string): Promise<void> {
    const { item } = this.#usable.item(userId, id);
    if (!isProducer(item)) this.#fit.paused(item);
    await this.#router.process.ask('pause', () => item.pause(), { refusedAs: 'NOT_FOUND' });
    this.#tellPaused(userId, item);
  }

  async resume(userId: string, id: string): Promise<void> {
    const { item } = this.#usable.item(userId, id);
    // It stays off while the network does not carry it, and comes back by itself.
    if (!isProducer(item) && !this.#fit.resumed(userId, item)) return;
    await this.#router.process.ask('resume', () => item.resume(), { refusedAs: 'NOT_FOUND' });
    this.#tellPaused(userId, item);
  }

  /** Closes an own producer or consumer. */
  closeItem(userId: string, id: string): void {
    const { leg, item } = this.#usable.item(userId, id);
    if (isProducer(item)) {
      this.#items.closeProducer(this.#people.get(userId), item);
    } else {
      leg.items.delete(item.kind);
      this.#router.drop(item);
    }
  }

  /** New ICE credentials for a transport whose client changed its network. */
  async restartIce(userId: string, transportId: string): Promise<{ iceParameters: types.IceParameters }> {
    const leg = this.#usable.leg(userId, transportId);
    const restart = () => leg.transport.restartIce();
    return {
      iceParameters: await this.#router.process.ask('restart_ice', restart, { refusedAs: 'NOT_FOUND' }),
    };
  }

  /**
   * Says what may flow from now on. What is no longer allowed is closed before this returns; what is being made
   * while it is called is closed instead of handed out.
   */
  setPolicy(policy: MediaPolicy): void {
    this.#policy = { ...policy };
    if (this.#router.over) return;
    for (const person of this.#people.all) {
      for (const producer of person.producers) {
        if (!policy[producer.kind]) this.#items.closeProducer(person, producer);
      }
    }
    this.#fit.setPolicy(policy);
    if (policy.audio) this.#items.startPrepared();
  }

  /** Closes everything of one person, who may come back with `open`. */
  leave(userId: string): void {
    if (this.#router.over) return;
    const person = this.#people.get(userId);
    this.#people.renew(userId);
    for (const direction of [...person.legs.keys()]) this.#items.closeLeg(person, direction);
    this.#renewEar(userId);
  }

  /** Closes everything; the port hears nothing more. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.#router.close();
    this.#meter.stop();
    this.#forgetWorker();
    this.#onClose();
  }

  /** The people, while anything can be done for them. */
  get #usable(): CallPeople {
    this.#router.assertUsable();
    return this.#people;
  }

  /** What was measured of how somebody hears the other is of a connection that is gone. */
  #renewEar(userId: string): void {
    this.#fit.renew(userId);
    this.#flow.renew(userId);
  }

  #assertAllowed(kind: types.MediaKind): void {
    if (!this.#policy.audio) throw new DuetError('WRONG_PHASE');
    if (!this.#policy[kind]) throw new DuetError('FORBIDDEN');
  }

  #sendLeg(userId: string, transportId: string): Leg {
    const leg = this.#usable.leg(userId, transportId);
    if (leg.direction !== 'send') throw new DuetError('NOT_FOUND');
    return leg;
  }

  #tellPaused(userId: string, item: Item): void {
    if (!isProducer(item) || item.closed) return;
    this.#port.producerPaused(this.#people.get(userId).describe(item), item.paused);
  }

  #judged(userId: string, quality: Quality): void {
    if (this.closed) return;
    this.#port.quality(userId, quality);
    this.#fit.judge(userId, quality);
  }

  /** Packets to a transport that is closed are dropped unread. */
  #cutOff(userId: string): void {
    const cutOffs = (this.#cutOffs.get(userId) ?? 0) + 1;
    this.#cutOffs.set(userId, cutOffs);
    this.#log.warn({ userId, cutOffs }, 'A person ignored the bitrate limit; the transports are closed.');
    this.leave(userId);
  }

  #workerLost(cause: LostCause): void {
    if (this.closed) return;
    this.#meter.stop();
    this.#onClose();
    this.#port.lost(cause);
  }
}
