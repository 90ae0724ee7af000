import type { types } from 'mediasoup';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { CallRouter } from './CallRouter.ts';
import type { CallMediaPort } from './callMediaPort.ts';
import { EAR_MID } from './ear.ts';
import type { CallPeople, Direction, Item, Leg, PersonMedia } from './PersonMedia.ts';

type Parts = {
  router: CallRouter;
  people: CallPeople;
  port: Pick<CallMediaPort, 'producerAdded' | 'producerClosed'>;
  log: Log;
  /** Throws when a kind may not flow now. */
  assertAllowed(kind: types.MediaKind): void;
  /** A person gets something of the other's; `atOnce`: with no `resume` of the client's. */
  consumed(userId: string, consumer: types.Consumer, leg: Leg, atOnce: boolean): void;
  /** Called before a person's transport is closed. */
  closing(userId: string, transport: types.WebRtcTransport): void;
};

/** A call's producers and consumers: how they are made and closed, and that the other's client is told. */
export class CallItems {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async produce(person: PersonMedia, leg: Leg, options: types.ProducerOptions): Promise<string> {
    const { people, port, router, assertAllowed } = this.#parts;
    const { kind } = options;
    const producer = await this.#make(leg, kind, 'produce', () => leg.transport.produce(options));
    try {
      assertAllowed(kind);
    } catch (error) {
      router.drop(producer);
      throw error;
    }
    leg.items.set(kind, producer);
    const listener = people.other(person.userId);
    const isAwaited = kind === 'audio' && listener.ear !== null;
    const heard = isAwaited ? await this.#fillEar(listener, producer) : undefined;
    if (!producer.closed) port.producerAdded(person.describe(producer), heard?.id);
    return producer.id;
  }

  async consume(
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
      this.#parts.router.drop(consumer);
      throw new DuetError('NOT_FOUND');
    }
    leg.items.set(kind, consumer);
    this.#parts.consumed(person.userId, consumer, leg, options.paused === false);
    return consumer;
  }

  /** Everybody who is ready sends. */
  startPrepared(): void {
    for (const person of this.#parts.people.all) {
      const { voice } = person;
      const leg = person.legs.get('send');
      person.voice = null;
      if (voice === null || leg?.transport.id !== voice.transportId) continue;
      const { producerId: id, rtpParameters } = voice;
      this.produce(person, leg, { id, kind: 'audio', rtpParameters }).catch((err: unknown) => {
        // The person left, the call ended or the worker is gone: all of them are told otherwise.
        this.#parts.log.debug({ err, userId: person.userId }, 'What was prepared could not be started.');
      });
    }
  }

  closeProducer(person: PersonMedia, producer: types.Producer): void {
    const { people, port, router } = this.#parts;
    person.legs.get('send')?.items.delete(producer.kind);
    // The worker closes the consumers of a closed producer; they are forgotten at once, so that the place is free.
    const other = people.other(person.userId);
    const consumer = other.consumers.find((one) => one.producerId === producer.id);
    if (consumer !== undefined) other.legs.get('recv')?.items.delete(consumer.kind);
    router.drop(producer);
    port.producerClosed(person.describe(producer));
  }

  /** Closes a transport with all that is on it. */
  closeLeg(person: PersonMedia, direction: Direction): void {
    const leg = person.legs.get(direction);
    if (leg === undefined) return;
    if (direction === 'send') for (const producer of person.producers) this.closeProducer(person, producer);
    person.legs.delete(direction);
    if (direction === 'send') person.voice = null;
    else person.ear = null;
    // The other direction may go through the same transport.
    for (const [other, { transport }] of person.legs) {
      if (transport === leg.transport) this.closeLeg(person, other);
    }
    if (!leg.transport.closed) this.#parts.closing(person.userId, leg.transport);
    this.#parts.router.drop(leg.transport);
  }

  /** Lets a client that is ready for it hear the other at once; undefined where that fails: it is told as usual. */
  async #fillEar(listener: PersonMedia, producer: types.Producer): Promise<types.Consumer | undefined> {
    const rtpCapabilities = listener.ear!;
    listener.ear = null;
    const options = { rtpCapabilities, mid: EAR_MID, paused: false };
    return this.consume(listener, producer, options).catch(() => undefined);
  }

  #make<T extends Item>(leg: Leg, kind: types.MediaKind, what: string, make: () => Promise<T>): Promise<T> {
    return leg.make(kind, () => this.#parts.router.make(what, make, () => !leg.transport.closed));
  }
}
