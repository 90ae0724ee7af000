import { randomUUID } from 'node:crypto';
import type { types } from 'mediasoup';
import type { Clock } from '../clock.ts';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CallRouter } from './CallRouter.ts';
import type { CallMediaOptions, CallMediaPort, MediaPolicy } from './callMediaPort.ts';
import { EAR_MID, earParameters } from './ear.ts';
import {
  BOTH,
  CallPeople,
  type Direction,
  type Item,
  isProducer,
  Leg,
  type LiveProducer,
  type PersonMedia,
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

export type { CallMediaOptions, CallMediaPort, LiveProducer, MediaPolicy, Quality };

type Parts = { process: WorkerProcess; router: types.Router; clock: Clock; log: Log; onClose: () => void };

/**
 * Everything that one call has in the SFU: a router, and for each of exactly two people one transport to send and
 * one to receive, one producer a kind, one consumer a kind.
 *
 * The parameters of its methods must have passed `MEDIA_MESSAGES`. Methods throw `DuetError`: `NOT_FOUND` for what
 * is not the acting person's (or, to consume, not the other's), `WRONG_PHASE` before the answer, `FORBIDDEN` for
 * video without consent, `CONFLICT` for a second of what there is one of, `VALIDATION_FAILED` for parameters that
 * fit no codec here, `CALL_NOT_ACTIVE` after `close`, `UNAVAILABLE` when the worker is gone or silent.
 */
export class CallMedia {
  readonly #router: CallRouter;
  readonly #port: CallMediaPort;
  readonly #log: Log;
  readonly #people: CallPeople;
  readonly #flow: TwoWayFlow;
  readonly #meter: QualityMeter;
  readonly #fit: VideoFit;
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
      overLimit: (producerId) => this.#cutOff(producerId),
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
    const directions = direction === 'both' ? BOTH : [direction as Direction];
    if (directions.some((one) => person.opening.has(one))) throw new DuetError('CONFLICT');
    for (const one of directions) this.#closeLeg(person, one);
    for (const one of directions) person.opening.add(one);
    try {
      const transport = await this.#router.openTransport(() => this.#people.isCurrent(person));
      const changed = () => this.#connectionMayHaveChanged(person);
      for (const one of directions) person.legs.set(one, new Leg(transport, one, changed));
      if (direction !== 'recv') this.#fit.limit(person);
      const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
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
    if (this.#policy.audio) this.#startPrepared();
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
    return this.#produce(person, leg, { kind, rtpParameters });
  }

  /** Starts receiving one of the other person's producers; paused until `resume`. `mid`: default the next number. */
  async consume(userId: string, producerId: string, rtpCapabilities: RtpCapabilities, mid?: string) {
    const person = this.#usable.get(userId);
    this.#assertAllowed('audio');
    const producer = this.#people.other(userId).producers.find((one) => one.id === producerId);
    if (producer === undefined) throw new DuetError('NOT_FOUND');
    const consumer = await this.#consume(person, producer, {
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
      this.#closeProducer(this.#people.get(userId), item);
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
        if (!policy[producer.kind]) this.#closeProducer(person, producer);
      }
    }
    this.#fit.setPolicy(policy);
    if (policy.audio) this.#startPrepared();
  }

  /** Closes everything of one person, who may come back with `open`. */
  leave(userId: string): void {
    if (this.#router.over) return;
    const person = this.#people.get(userId);
    this.#people.renew(userId);
    for (const direction of [...person.legs.keys()]) this.#closeLeg(person, direction);
    if (person.connected) this.#port.connectionChanged(userId, false);
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

  #assertAllowed(kind: types.MediaKind): void {
    if (!this.#policy.audio) throw new DuetError('WRONG_PHASE');
    if (!this.#policy[kind]) throw new DuetError('FORBIDDEN');
  }

  #sendLeg(userId: string, transportId: string): Leg {
    const leg = this.#usable.leg(userId, transportId);
    if (leg.direction !== 'send') throw new DuetError('NOT_FOUND');
    return leg;
  }

  #make<T extends Item>(leg: Leg, kind: types.MediaKind, what: string, make: () => Promise<T>): Promise<T> {
    return leg.make(kind, () => this.#router.make(what, make, () => !leg.transport.closed));
  }

  async #produce(person: PersonMedia, leg: Leg, options: types.ProducerOptions): Promise<string> {
    const { kind } = options;
    const producer = await this.#make(leg, kind, 'produce', () => leg.transport.produce(options));
    if (!this.#policy[kind]) {
      this.#router.drop(producer);
      this.#assertAllowed(kind);
    }
    leg.items.set(kind, producer);
    const listener = this.#people.other(person.userId);
    const heard =
      kind === 'audio' && listener.ear !== null ? await this.#fillEar(listener, producer) : undefined;
    if (!producer.closed) this.#port.producerAdded(person.describe(producer), heard?.id);
    return producer.id;
  }

  async #consume(
    person: PersonMedia,
    producer: types.Producer,
    options: Omit<types.ConsumerOptions, 'producerId'>,
  ): Promise<types.Consumer> {
    const { id: producerId, kind } = producer;
    const leg = person.legs.get('recv');
    if (leg === undefined) throw new DuetError('CONFLICT');
    const consumer = await this.#make(leg, kind, 'consume', () =>
      leg.transport.consume({ ...options, producerId }),
    );
    if (producer.closed) {
      this.#router.drop(consumer);
      throw new DuetError('NOT_FOUND');
    }
    leg.items.set(kind, consumer);
    this.#flow.watch(person.userId, consumer);
    this.#meter.start();
    return consumer;
  }

  /** Everybody who is ready sends. */
  #startPrepared(): void {
    for (const person of this.#people.all) {
      const { voice } = person;
      const leg = person.legs.get('send');
      person.voice = null;
      if (voice === null || leg?.transport.id !== voice.transportId) continue;
      const { producerId: id, rtpParameters } = voice;
      this.#produce(person, leg, { id, kind: 'audio', rtpParameters }).catch((err: unknown) => {
        // The person left, the call ended or the worker is gone: all of them are told otherwise.
        this.#log.debug({ err, userId: person.userId }, 'What was prepared could not be started.');
      });
    }
  }

  /** Lets a client that is ready for it hear the other at once; undefined where that fails: it is told as usual. */
  async #fillEar(listener: PersonMedia, producer: types.Producer): Promise<types.Consumer | undefined> {
    const rtpCapabilities = listener.ear!;
    listener.ear = null;
    const options = { rtpCapabilities, mid: EAR_MID, paused: false };
    const consumer = await this.#consume(listener, producer, options).catch(() => undefined);
    if (consumer !== undefined) this.#fit.resumed(listener.userId, consumer);
    return consumer;
  }

  #closeLeg(person: PersonMedia, direction: Direction): void {
    const leg = person.legs.get(direction);
    if (leg === undefined) return;
    if (direction === 'send') for (const producer of person.producers) this.#closeProducer(person, producer);
    person.legs.delete(direction);
    if (direction === 'send') person.voice = null;
    else person.ear = null;
    // The other direction may go through the same transport.
    for (const [other, { transport }] of person.legs) {
      if (transport === leg.transport) this.#closeLeg(person, other);
    }
    this.#router.drop(leg.transport);
  }

  #closeProducer(person: PersonMedia, producer: types.Producer): void {
    person.legs.get('send')?.items.delete(producer.kind);
    // The worker closes the consumers of a closed producer; they are forgotten at once, so that the place is free.
    const other = this.#people.other(person.userId);
    const consumer = other.consumers.find((one) => one.producerId === producer.id);
    if (consumer !== undefined) other.legs.get('recv')?.items.delete(consumer.kind);
    this.#router.drop(producer);
    this.#port.producerClosed(person.describe(producer));
  }

  #cutOff(producerId: string): void {
    const person = this.#people.all.find((one) => one.find(producerId) !== undefined);
    const producer = person?.producers.find(({ id }) => id === producerId);
    if (person === undefined || producer === undefined) return;
    this.#log.warn(
      { userId: person.userId, kind: producer.kind },
      'A producer ignored its bitrate limit; closed.',
    );
    this.#closeProducer(person, producer);
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

  #connectionMayHaveChanged(person: PersonMedia): void {
    const connected = person.reachable;
    if (this.#router.over || connected === person.connected || !this.#people.isCurrent(person)) return;
    person.connected = connected;
    this.#port.connectionChanged(person.userId, connected);
  }

  #workerLost(cause: LostCause): void {
    if (this.closed) return;
    this.#meter.stop();
    this.#onClose();
    this.#port.lost(cause);
  }
}
