import type { types } from 'mediasoup';
import type { Clock } from '../clock.ts';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import { ICE_CONSENT_TIMEOUT_SEC, INITIAL_OUTGOING_BPS, MAX_INCOMING_BPS } from './codecs.ts';
import { type Direction, type Item, isProducer, Leg, type LiveProducer, PersonMedia } from './PersonMedia.ts';
import { type Listening, type Quality, QualityMeter } from './QualityMeter.ts';
import type { DtlsParameters, RtpCapabilities, RtpParameters } from './rtpSchemas.ts';
import { TwoWayFlow } from './TwoWayFlow.ts';
import type { LostCause, WorkerProcess } from './WorkerProcess.ts';

export type { LiveProducer };

/** What may be produced and consumed now. Video without audio does not occur. */
export type MediaPolicy = { audio: boolean; video: boolean };

/** What a call's media tells its room. Called synchronously; must not throw. Silent after `close`. */
export type CallMediaPort = {
  producerAdded(producer: LiveProducer): void;
  producerClosed(producer: LiveProducer): void;
  /** Once: audio has gone through the SFU to both people. */
  flowing(): void;
  /** Whether any of this person's transports is connected (ICE consent and DTLS). */
  connectionChanged(userId: string, connected: boolean): void;
  /** How this person hears the other; every two seconds while audio goes to them. */
  quality(userId: string, quality: Quality): void;
  /** Once: the worker is gone, and everything here with it. Make a new `CallMedia`; this one refuses everything. */
  lost(cause: LostCause): void;
};

export type CallMediaOptions = {
  /** The two people of the call; nobody else gets anything. */
  people: readonly [string, string];
  port: CallMediaPort;
  /** Default: nothing may be produced yet. */
  policy?: MediaPolicy;
};

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
  readonly #process: WorkerProcess;
  readonly #router: types.Router;
  readonly #port: CallMediaPort;
  readonly #log: Log;
  readonly #people: Map<string, PersonMedia>;
  readonly #flow: TwoWayFlow;
  readonly #meter: QualityMeter;
  readonly #onClose: () => void;
  readonly #forgetWorker: () => void;
  #policy: MediaPolicy;
  #closed = false;

  constructor(options: CallMediaOptions, parts: Parts) {
    this.#process = parts.process;
    this.#router = parts.router;
    this.#port = options.port;
    this.#log = parts.log;
    this.#onClose = parts.onClose;
    this.#policy = options.policy ?? { audio: false, video: false };
    this.#people = new Map(options.people.map((userId) => [userId, new PersonMedia(userId)]));
    this.#flow = new TwoWayFlow(
      (consumer, on) => this.#unawaited('trace', () => consumer.enableTraceEvent(on ? ['rtp'] : [])),
      () => this.#closed || this.#port.flowing(),
    );
    this.#meter = new QualityMeter(parts.clock, {
      listening: () => this.#listening(),
      stats: (consumer) => this.#process.ask('stats', () => consumer.getStats()),
      report: (userId, quality) => this.#closed || this.#port.quality(userId, quality),
      overLimit: (producerId) => this.#cutOff(producerId),
    });
    this.#forgetWorker = this.#process.onLost((cause) => this.#workerLost(cause));
  }

  /** What the router can carry, for `media:capabilities`. */
  get rtpCapabilities(): types.RtpCapabilities {
    return this.#router.rtpCapabilities;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The live producers, of one person or of both. */
  producers(userId?: string): LiveProducer[] {
    return [...this.#people.values()]
      .filter((person) => userId === undefined || person.userId === userId)
      .flatMap((person) => person.producers.map((producer) => person.describe(producer)));
  }

  /** Opens a transport. An earlier one of the same person and direction is closed first: the person came back. */
  async open(userId: string, direction: Direction) {
    const person = this.#person(userId);
    if (person.opening.has(direction)) throw new DuetError('CONFLICT');
    this.#closeLeg(person, direction);
    person.opening.add(direction);
    try {
      const transport = await this.#make(
        'open',
        () =>
          this.#router.createWebRtcTransport({
            webRtcServer: this.#process.server,
            enableUdp: true,
            enableTcp: true,
            preferUdp: true,
            enableSctp: false,
            iceConsentTimeout: ICE_CONSENT_TIMEOUT_SEC,
            initialAvailableOutgoingBitrate: INITIAL_OUTGOING_BPS,
          }),
        () => this.#people.get(userId) === person,
      );
      person.legs.set(direction, new Leg(transport, direction, () => this.#connectionMayHaveChanged(person)));
      if (direction === 'send') this.#limitIncoming(transport);
      const { id, iceParameters, iceCandidates, dtlsParameters } = transport;
      return { id, direction, iceParameters, iceCandidates, dtlsParameters };
    } finally {
      person.opening.delete(direction);
    }
  }

  /** Gives the transport the client's DTLS fingerprint; once. */
  async connect(userId: string, transportId: string, dtlsParameters: DtlsParameters): Promise<void> {
    const leg = this.#leg(userId, transportId);
    if (leg.connectAsked) throw new DuetError('CONFLICT');
    leg.connectAsked = true;
    await this.#process.ask('connect', () => leg.transport.connect({ dtlsParameters }), {
      refusedAs: 'VALIDATION_FAILED',
    });
  }

  /** Starts sending one kind; → the producer's id. The other person is told through `producerAdded`. */
  async produce(
    userId: string,
    transportId: string,
    kind: types.MediaKind,
    rtpParameters: RtpParameters,
  ): Promise<string> {
    const person = this.#person(userId);
    this.#assertAllowed(kind);
    const leg = this.#leg(userId, transportId);
    if (leg.direction !== 'send') throw new DuetError('NOT_FOUND');
    // mediasoup takes VP8 on an audio producer: video without consent, were it not for this.
    if (rtpParameters.codecs.some((codec) => !codec.mimeType.startsWith(`${kind}/`))) throw notOfKind(kind);
    const producer = await this.#makeItem(leg, kind, 'produce', () =>
      leg.transport.produce({ kind, rtpParameters }),
    );
    if (!this.#policy[kind]) {
      this.#process.drop(producer);
      this.#assertAllowed(kind);
    }
    leg.items.set(kind, producer);
    this.#port.producerAdded(person.describe(producer));
    return producer.id;
  }

  /** Starts receiving one of the other person's producers; paused until `resume`. */
  async consume(userId: string, producerId: string, rtpCapabilities: RtpCapabilities) {
    const person = this.#person(userId);
    this.#assertAllowed('audio');
    const other = this.#other(person);
    const producer = other.producers.find((one) => one.id === producerId);
    if (producer === undefined) throw new DuetError('NOT_FOUND');
    const { kind } = producer;
    const leg = person.legs.get('recv');
    if (leg === undefined) throw new DuetError('CONFLICT');
    const consumer = await this.#makeItem(leg, kind, 'consume', () =>
      leg.transport.consume({ producerId, rtpCapabilities, paused: true }),
    );
    if (producer.closed) {
      this.#process.drop(consumer);
      throw new DuetError('NOT_FOUND');
    }
    leg.items.set(kind, consumer);
    this.#flow.watch(userId, consumer);
    this.#meter.start();
    return { consumerId: consumer.id, producerId, kind, rtpParameters: consumer.rtpParameters };
  }

  /** Pauses an own producer (mute) or consumer. */
  async pause(userId: string, id: string): Promise<void> {
    const { item } = this.#item(userId, id);
    await this.#process.ask('pause', () => item.pause());
  }

  async resume(userId: string, id: string): Promise<void> {
    const { item } = this.#item(userId, id);
    await this.#process.ask('resume', () => item.resume());
  }

  /** Closes an own producer or consumer. */
  closeItem(userId: string, id: string): void {
    const { person, leg, item } = this.#item(userId, id);
    if (isProducer(item)) {
      this.#closeProducer(person, item);
    } else {
      leg.items.delete(item.kind);
      this.#process.drop(item);
    }
  }

  /** New ICE credentials for a transport whose client changed its network. */
  async restartIce(userId: string, transportId: string): Promise<{ iceParameters: types.IceParameters }> {
    const leg = this.#leg(userId, transportId);
    return { iceParameters: await this.#process.ask('restart_ice', () => leg.transport.restartIce()) };
  }

  /**
   * Says what may flow from now on. What is no longer allowed is closed before this returns; what is being made
   * while it is called is closed instead of handed out.
   */
  setPolicy(policy: MediaPolicy): void {
    this.#policy = { ...policy };
    if (this.#over) return;
    for (const person of this.#people.values()) {
      for (const producer of person.producers) {
        if (!policy[producer.kind]) this.#closeProducer(person, producer);
      }
      const leg = person.legs.get('send');
      if (leg !== undefined) this.#limitIncoming(leg.transport);
    }
  }

  /** Closes everything of one person, who may come back with `open`. */
  leave(userId: string): void {
    const person = this.#people.get(userId);
    if (person === undefined || this.#over) return;
    // What is being opened for the person who left finds that it is no longer wanted.
    this.#people.set(userId, new PersonMedia(userId));
    for (const direction of [...person.legs.keys()]) this.#closeLeg(person, direction);
    if (person.connected) this.#port.connectionChanged(userId, false);
  }

  /** Closes everything; the port hears nothing more. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#meter.stop();
    this.#forgetWorker();
    this.#process.drop(this.#router);
    this.#onClose();
  }

  get #over(): boolean {
    return this.#closed || !this.#process.alive;
  }

  #assertUsable(): void {
    if (this.#closed) throw new DuetError('CALL_NOT_ACTIVE');
    if (!this.#process.alive) throw new DuetError('UNAVAILABLE');
  }

  #assertAllowed(kind: types.MediaKind): void {
    if (!this.#policy.audio) throw new DuetError('WRONG_PHASE');
    if (!this.#policy[kind]) throw new DuetError('FORBIDDEN');
  }

  #person(userId: string): PersonMedia {
    this.#assertUsable();
    const person = this.#people.get(userId);
    if (person === undefined) throw new DuetError('NOT_FOUND');
    return person;
  }

  #other(person: PersonMedia): PersonMedia {
    const other = [...this.#people.values()].find((one) => one.userId !== person.userId);
    if (other === undefined) throw new DuetError('NOT_FOUND');
    return other;
  }

  #leg(userId: string, transportId: string): Leg {
    const leg = this.#person(userId).leg(transportId);
    if (leg === undefined) throw new DuetError('NOT_FOUND');
    return leg;
  }

  #item(userId: string, id: string): { person: PersonMedia; leg: Leg; item: Item } {
    const person = this.#person(userId);
    const found = person.find(id);
    if (found === undefined) throw new DuetError('NOT_FOUND');
    return { person, ...found };
  }

  /** Asks the worker for something; closes it again when it is no longer wanted by the time that it is there. */
  async #make<T extends { close(): void }>(
    what: string,
    make: () => Promise<T>,
    wanted: () => boolean,
  ): Promise<T> {
    const made = await this.#process.ask(what, make, {
      refusedAs: 'VALIDATION_FAILED',
      late: (value) => this.#process.drop(value),
    });
    if (this.#closed || !wanted()) {
      this.#process.drop(made);
      this.#assertUsable();
      throw new DuetError('CONFLICT');
    }
    return made;
  }

  /** Makes a producer or consumer on a leg: one a kind, also while it is being made. */
  async #makeItem<T extends Item>(
    leg: Leg,
    kind: types.MediaKind,
    what: string,
    make: () => Promise<T>,
  ): Promise<T> {
    if (leg.items.has(kind) || leg.pending.has(kind)) throw new DuetError('CONFLICT');
    leg.pending.add(kind);
    try {
      return await this.#make(what, make, () => !leg.transport.closed);
    } finally {
      leg.pending.delete(kind);
    }
  }

  #closeLeg(person: PersonMedia, direction: Direction): void {
    const leg = person.legs.get(direction);
    if (leg === undefined) return;
    if (direction === 'send') for (const producer of person.producers) this.#closeProducer(person, producer);
    person.legs.delete(direction);
    this.#process.drop(leg.transport);
  }

  #closeProducer(person: PersonMedia, producer: types.Producer): void {
    person.legs.get('send')?.items.delete(producer.kind);
    // The worker closes the consumers of a closed producer; they are forgotten at once, so that the place is free.
    const other = this.#other(person);
    const consumer = other.consumers.find((one) => one.producerId === producer.id);
    if (consumer !== undefined) other.legs.get('recv')?.items.delete(consumer.kind);
    this.#process.drop(producer);
    this.#port.producerClosed(person.describe(producer));
  }

  #cutOff(producerId: string): void {
    for (const person of this.#people.values()) {
      const producer = person.producers.find((one) => one.id === producerId);
      if (producer === undefined) continue;
      this.#log.warn(
        { userId: person.userId, kind: producer.kind },
        'A producer ignored its bitrate limit; closed.',
      );
      this.#closeProducer(person, producer);
    }
  }

  #limitIncoming(transport: types.WebRtcTransport): void {
    const bps = MAX_INCOMING_BPS.audio + (this.#policy.video ? MAX_INCOMING_BPS.video : 0);
    this.#unawaited('limit', () => transport.setMaxIncomingBitrate(bps));
  }

  /** A request whose answer nobody waits for. It may find its object closed in the meantime. */
  #unawaited(what: string, request: () => Promise<void>): void {
    this.#process.ask(what, request, { refusedAs: 'NOT_FOUND' }).catch(() => undefined);
  }

  #connectionMayHaveChanged(person: PersonMedia): void {
    const connected = person.reachable;
    if (this.#over || connected === person.connected || this.#people.get(person.userId) !== person) return;
    person.connected = connected;
    this.#port.connectionChanged(person.userId, connected);
  }

  #listening(): Listening[] {
    if (this.#over) return [];
    return [...this.#people.values()].flatMap((person) =>
      person.consumers
        .filter((consumer) => !consumer.closed)
        .map((consumer) => ({ listenerId: person.userId, speakerId: this.#other(person).userId, consumer })),
    );
  }

  #workerLost(cause: LostCause): void {
    if (this.#closed) return;
    this.#meter.stop();
    this.#onClose();
    this.#port.lost(cause);
  }
}

function notOfKind(kind: types.MediaKind): DuetError {
  return new DuetError('VALIDATION_FAILED', {
    details: [{ path: 'rtpParameters.codecs', message: `must all be ${kind} codecs` }],
  });
}
