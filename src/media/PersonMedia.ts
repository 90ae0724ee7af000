import type { types } from 'mediasoup';
import { DuetError } from '../errors.ts';
import type { Intake } from './IntakeMeter.ts';
import type { Listening } from './QualityMeter.ts';
import type { RtpCapabilities, RtpParameters } from './rtpSchemas.ts';

export type Direction = 'send' | 'recv';

/** One transport for both directions, as a bare RTCPeerConnection has it; it counts as the transport of each. */
export const BOTH: readonly Direction[] = ['send', 'recv'];

/** What a leg carries, at most one of each kind: producers on a send leg, consumers on a recv leg. */
export type Item = types.Producer | types.Consumer;

export type LiveProducer = { userId: string; producerId: string; kind: types.MediaKind };

/** What a person will send from the answer on: nothing of it exists in the SFU before. */
export type Voice = { producerId: string; transportId: string; rtpParameters: RtpParameters };

/** One person's transport in one direction, with what goes through it. */
export class Leg {
  readonly transport: types.WebRtcTransport;
  readonly direction: Direction;
  readonly items = new Map<types.MediaKind, Item>();
  /** Kinds whose producer or consumer is being made. */
  readonly pending = new Set<types.MediaKind>();
  /** Whether `connect` was asked for: it is allowed once. */
  connectAsked = false;

  constructor(transport: types.WebRtcTransport, direction: Direction) {
    this.transport = transport;
    this.direction = direction;
  }

  /** Makes a producer or consumer: one a kind, also while it is being made. A second one is `CONFLICT`. */
  async make<T extends Item>(kind: types.MediaKind, make: () => Promise<T>): Promise<T> {
    if (this.has(kind)) throw new DuetError('CONFLICT');
    this.pending.add(kind);
    try {
      return await make();
    } finally {
      this.pending.delete(kind);
    }
  }

  /** Whether there is something of a kind, or about to be. */
  has(kind: types.MediaKind): boolean {
    return this.items.has(kind) || this.pending.has(kind);
  }
}

/** What one person has in the SFU, from the first `open` until the person leaves. */
export class PersonMedia {
  readonly userId: string;
  readonly legs = new Map<Direction, Leg>();
  /** Directions whose transport is being made. */
  readonly opening = new Set<Direction>();
  /** What is ready to be sent when the call is answered. */
  voice: Voice | null = null;
  /** How the other will be heard, by a client that is ready for it (`EAR_MID`). */
  ear: RtpCapabilities | null = null;

  constructor(userId: string) {
    this.userId = userId;
  }

  get producers(): types.Producer[] {
    return [...(this.legs.get('send')?.items.values() ?? [])].filter(isProducer);
  }

  get consumers(): types.Consumer[] {
    return [...(this.legs.get('recv')?.items.values() ?? [])].filter(isConsumer);
  }

  leg(transportId: string): Leg | undefined {
    return [...this.legs.values()].find((leg) => leg.transport.id === transportId);
  }

  /** The producer or consumer of that id with its leg. */
  find(id: string): { leg: Leg; item: Item } | undefined {
    for (const leg of this.legs.values()) {
      for (const item of leg.items.values()) if (item.id === id) return { leg, item };
    }
    return undefined;
  }

  describe(producer: types.Producer): LiveProducer {
    return { userId: this.userId, producerId: producer.id, kind: producer.kind };
  }
}

/** The two people of a call; everybody else is not found. */
export class CallPeople {
  readonly #people: Map<string, PersonMedia>;

  constructor(userIds: readonly [string, string]) {
    this.#people = new Map(userIds.map((userId) => [userId, new PersonMedia(userId)]));
  }

  get all(): PersonMedia[] {
    return [...this.#people.values()];
  }

  get(userId: string): PersonMedia {
    return found(this.#people.get(userId));
  }

  other(userId: string): PersonMedia {
    return found(this.all.find((person) => person.userId !== userId));
  }

  leg(userId: string, transportId: string): Leg {
    return found(this.get(userId).leg(transportId));
  }

  item(userId: string, id: string): { leg: Leg; item: Item } {
    return found(this.get(userId).find(id));
  }

  /** Every live consumer, with who listens and who speaks. */
  get listening(): Listening[] {
    return this.all.flatMap(({ userId, consumers }) => {
      const speakerId = this.other(userId).userId;
      return consumers
        .filter(({ closed }) => !closed)
        .map((consumer) => ({ listenerId: userId, speakerId, consumer }));
    });
  }

  /** Every transport, with whose it is. */
  get intakes(): Intake[] {
    return this.all.flatMap(({ userId, legs }) => {
      const transports = new Set([...legs.values()].map(({ transport }) => transport));
      return [...transports].map((transport) => ({ userId, transport }));
    });
  }

  /** Puts a blank person in the place of one; what is still being made for the old one finds itself unwanted. */
  renew(userId: string): void {
    this.#people.set(userId, new PersonMedia(userId));
  }

  /** Whether this is still who it was when something began to be made for them. */
  isCurrent(person: PersonMedia): boolean {
    return this.#people.get(person.userId) === person;
  }
}

export function isProducer(item: Item): item is types.Producer {
  return !isConsumer(item);
}

function isConsumer(item: Item): item is types.Consumer {
  return 'producerId' in item;
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new DuetError('NOT_FOUND');
  return value;
}
