import { randomInt } from 'node:crypto';
import type { types } from 'mediasoup';
import type { Clock, Timer } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { CallMedia } from '../CallMedia.ts';
import type { LiveProducer } from '../PersonMedia.ts';
import { type RtpCapabilities, RtpCapabilities as RtpCapabilitiesSchema } from '../rtpSchemas.ts';
import { type RemoteSection, type RemoteSession, readSession } from './readSession.ts';
import { type LocalEnd, type LocalSection, writeSession } from './writeSession.ts';

export type PlainPeerOptions = {
  media: CallMedia;
  userId: string;
  peerId: string;
  clock: Clock;
  /** Hands a description to the person's client. */
  say(type: 'call:sdp_offer' | 'call:sdp_answer', sdp: string): void;
};

/** The one m-line of a kind that is the client's, and what is known of it beyond its description. */
type ClientSection = Extract<LocalSection, { owner: 'client' }> & {
  /** Whether the client would send if it were let. */
  wantsToSend: boolean;
  producerId: string | null;
};
type ServerSection = Extract<LocalSection, { owner: 'server' }> & {
  producerId: string;
  consumerId: string | null;
};
type Section = ClientSection | ServerSection | Extract<LocalSection, { owner: 'nobody' }>;

type Connection = {
  transportId: string;
  end: LocalEnd;
  /** What tells one RTCPeerConnection of the client's from the next. */
  fingerprint: string;
  ice: string;
  extensions: Map<number, string>;
  sections: Section[];
  id: string;
  version: number;
};

/** How long the client may take to answer an offer. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Changes are gathered for so long before they are offered; also lets the answer before go out first. */
const GATHER_MS = 10;
/** Descriptions of one client's that may wait for their turn. */
const MAX_WAITING = 4;
const SERVER_MID = { audio: 'duet-a', video: 'duet-v' } as const;

/**
 * A person whose client is a bare RTCPeerConnection. It is driven by session descriptions, and drives `CallMedia`
 * with what a mediasoup client would ask for: whose consent and which phase are needed is decided there.
 *
 * Either side may offer. Each m-line carries media one way: the client's own are what it sends, the server adds one
 * for each track of the other person. Of two offers that cross, the server's counts (it is the "impolite" peer of
 * perfect negotiation): the client's is refused with `CONFLICT`, and it rolls back, answers and offers again.
 */
export class PlainPeer {
  readonly #options: PlainPeerOptions;
  #connection: Connection | null = null;
  /** An offer that the client has not answered: what will hold when it does. */
  #offered: { sections: Section[]; timer: Timer } | null = null;
  /** The other's producers that the client refused; not offered again. */
  readonly #refused = new Set<string>();
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #gather: Timer | null = null;
  #closed = false;

  constructor(options: PlainPeerOptions) {
    this.#options = options;
  }

  /** An offer of the client's; answered with `call:sdp_answer`. Throws `VALIDATION_FAILED`, `CONFLICT`. */
  offer(sdp: string): Promise<void> {
    const remote = readSession(sdp);
    return this.#inTurn(async () => {
      const connection = await this.#connect(remote);
      if (this.#offered !== null) throw new DuetError('CONFLICT');
      connection.sections = await this.#settleOffer(connection, remote);
      await this.#noteIce(connection, remote);
      this.#say('answer', connection, connection.sections);
      this.changed();
    });
  }

  /** The client's answer to the last offer. Throws `CONFLICT` when there is none, `VALIDATION_FAILED`. */
  answer(sdp: string): Promise<void> {
    const remote = readSession(sdp);
    return this.#inTurn(async () => {
      const [connection, offered] = [this.#connection, this.#offered];
      if (connection === null || offered === null) throw new DuetError('CONFLICT');
      const fits =
        remote.sections.length === offered.sections.length &&
        remote.sections.every(({ mid }, index) => mid === offered.sections[index]!.mid) &&
        fingerprintOf(remote) === connection.fingerprint;
      if (!fits) invalid('does not answer the offer');
      offered.timer.cancel();
      this.#offered = null;
      connection.sections = offered.sections;
      for (const [index, section] of offered.sections.entries()) {
        if (section.owner === 'client') await this.#take(connection, section, remote.sections[index]!);
        if (section.owner === 'server') await this.#give(section, remote.sections[index]!);
      }
      this.changed();
    });
  }

  /** Something changed that may have to be offered: the other's producers, or what may flow. */
  changed(): void {
    if (this.#closed || this.#connection === null || this.#gather !== null) return;
    this.#gather = this.#options.clock.after(GATHER_MS, () => {
      this.#gather = null;
      // A worker that is lost meanwhile takes this peer with it; anything else is tried at the next change.
      this.#inTurn(() => this.#offerIfNeeded()).catch(() => undefined);
    });
  }

  /** Forgets everything; what is in `CallMedia` is closed by `CallMedia.leave`. */
  close(): void {
    this.#closed = true;
    this.#gather?.cancel();
    this.#offered?.timer.cancel();
    this.#connection = null;
  }

  /** One description at a time: each depends on what the one before has made. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(new DuetError('CONFLICT'));
    this.#waiting += 1;
    const turn = this.#queue.then(async () => {
      try {
        if (this.#closed) throw new DuetError('CONFLICT');
        await run();
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** The transport of this RTCPeerConnection; another fingerprint is another one, which replaces it. */
  async #connect(remote: RemoteSession): Promise<Connection> {
    const { media, userId } = this.#options;
    const fingerprint = fingerprintOf(remote);
    const present = this.#connection;
    if (present?.fingerprint === fingerprint && media.has(userId, present.transportId)) {
      present.extensions = remote.extensions;
      return present;
    }
    this.#offered?.timer.cancel();
    this.#offered = null;
    this.#connection = null;
    const { id, iceParameters, iceCandidates, dtlsParameters } = await media.open(userId, 'both');
    await media.connect(userId, id, remote.dtls);
    if (this.#closed) throw new DuetError('CONFLICT');
    this.#connection = {
      transportId: id,
      end: { iceParameters, iceCandidates, dtlsParameters },
      fingerprint,
      ice: remote.ice,
      extensions: remote.extensions,
      sections: [],
      id: String(randomInt(2 ** 47)),
      version: 0,
    };
    return this.#connection;
  }

  /** New credentials for new credentials (RFC 8839 section 4.4.3.1.1). */
  async #noteIce(connection: Connection, remote: RemoteSession): Promise<void> {
    if (remote.ice === connection.ice) return;
    const { media, userId } = this.#options;
    const { iceParameters } = await media.restartIce(userId, connection.transportId);
    connection.end = { ...connection.end, iceParameters };
    connection.ice = remote.ice;
  }

  /** What an offer makes of the sections. Those that were agreed on keep their places. */
  async #settleOffer(connection: Connection, remote: RemoteSession): Promise<Section[]> {
    const before = connection.sections;
    const keeps = before.every(
      ({ mid, owner }, index) => owner === 'nobody' || mid === remote.sections[index]?.mid,
    );
    if (!keeps) invalid('m-lines must keep their places');
    const sections: Section[] = [];
    const taken = new Set<string>();
    for (const [index, one] of remote.sections.entries()) {
      const known = before[index];
      if (known?.owner === 'server') {
        await this.#give(known, one);
        sections.push(known);
        continue;
      }
      const isServers = Object.values(SERVER_MID).some((mid) => mid === one.mid);
      if (isServers) invalid(`mid ${one.mid} is not the client's`);
      const section = this.#clientSection(known, one, taken);
      if (section.owner === 'client') {
        await this.#take(connection, section, one);
        section.receives = section.producerId !== null;
      } else if (known?.owner === 'client') {
        this.#drop(known.producerId);
      }
      sections.push(section);
    }
    return sections;
  }

  /** The first usable section of a kind is taken; all others are rejected. */
  #clientSection(
    known: Section | undefined,
    { mid, kind, live, rtp, line, sends }: RemoteSection,
    taken: Set<string>,
  ) {
    if (kind === 'other' || !live || rtp === null || taken.has(kind)) {
      return { owner: 'nobody' as const, mid, line };
    }
    taken.add(kind);
    const producerId = known?.owner === 'client' && known.mid === mid ? known.producerId : null;
    const section: ClientSection = {
      owner: 'client',
      mid,
      kind,
      rtp,
      wantsToSend: sends,
      receives: true,
      producerId,
    };
    return section;
  }

  /** Makes, keeps or closes the producer of a client's section. */
  async #take(connection: Connection, section: ClientSection, remote: RemoteSection): Promise<void> {
    const { media, userId } = this.#options;
    const live = media.producers(userId).filter(({ kind }) => kind === section.kind);
    // One that was left behind by a description that failed half way would be in the way.
    for (const { producerId } of live) if (producerId !== section.producerId) this.#drop(producerId);
    if (!live.some(({ producerId }) => producerId === section.producerId)) section.producerId = null;
    if (section.receives) section.wantsToSend = remote.sends;
    const mayFlow = section.receives && remote.sends && media.allows(section.kind);
    const isSame = JSON.stringify(remote.rtp) === JSON.stringify(section.rtp);
    if (!mayFlow || remote.rtp === null || !isSame) this.#drop(section.producerId);
    if (!mayFlow || remote.rtp === null) {
      section.producerId = null;
      return;
    }
    if (section.producerId !== null && isSame) return;
    section.rtp = remote.rtp;
    section.producerId = null;
    try {
      section.producerId = await media.produce(userId, connection.transportId, section.kind, remote.rtp);
    } catch (error) {
      // Consent was withdrawn meanwhile: the section is answered as inactive.
      if (!(error instanceof DuetError) || !['FORBIDDEN', 'WRONG_PHASE'].includes(error.code)) throw error;
    }
  }

  /** Starts what the server sends, once the client has said that it takes it. */
  async #give(section: ServerSection, remote: RemoteSection): Promise<void> {
    const { media, userId } = this.#options;
    if (section.consumerId === null || !section.sends) return;
    if (remote.receives) {
      // The other may have stopped in the meantime.
      await media.resume(userId, section.consumerId).catch(() => undefined);
      return;
    }
    this.#refused.add(section.producerId);
    this.#drop(section.consumerId);
    section.consumerId = null;
    section.sends = false;
  }

  async #offerIfNeeded(): Promise<void> {
    const connection = this.#connection;
    if (connection === null || this.#offered !== null || !this.#isNeeded(connection)) return;
    const { media, peerId } = this.#options;
    const producers = media.producers(peerId);
    const sections = connection.sections.map((section): Section => {
      if (section.owner === 'client') {
        return { ...section, receives: section.wantsToSend && media.allows(section.kind) };
      }
      if (section.owner === 'nobody') return section;
      const isOn = producers.some(({ producerId }) => producerId === section.producerId);
      return { ...section, sends: section.sends && isOn };
    });
    for (const producer of producers) await this.#addTrack(connection, sections, producer);
    if (this.#closed || this.#connection !== connection) return;
    this.#offered = {
      sections,
      timer: this.#options.clock.after(ANSWER_TIMEOUT_MS, () => this.#giveUp()),
    };
    this.#say('offer', connection, sections);
  }

  /** Whether what was agreed on is not what is. */
  #isNeeded({ sections }: Connection): boolean {
    const { media, peerId } = this.#options;
    const producers = media.producers(peerId);
    const isGiven = ({ producerId }: LiveProducer) =>
      this.#refused.has(producerId) ||
      sections.some((one) => one.owner === 'server' && one.sends && one.producerId === producerId);
    return (
      !producers.every(isGiven) ||
      sections.some((section) => {
        if (section.owner === 'nobody') return false;
        if (section.owner === 'client') {
          return section.wantsToSend && section.receives !== media.allows(section.kind);
        }
        return section.sends && !producers.some(({ producerId }) => producerId === section.producerId);
      })
    );
  }

  /** Puts a track of the other person's in the section of its kind. */
  async #addTrack(connection: Connection, sections: Section[], { producerId, kind }: LiveProducer) {
    const { media, userId } = this.#options;
    const index = sections.findIndex((one) => one.owner === 'server' && one.kind === kind);
    const present = sections[index];
    const isIn = present?.owner === 'server' && present.sends && present.producerId === producerId;
    if (isIn || this.#refused.has(producerId)) return;
    const mid = SERVER_MID[kind];
    const capabilities = capabilitiesOf(media.rtpCapabilities, connection.extensions);
    const consumed = await media.consume(userId, producerId, capabilities, mid).catch(() => undefined);
    if (consumed === undefined) {
      // It is gone again, or cannot be had: not tried for ever.
      this.#refused.add(producerId);
      return;
    }
    const section: ServerSection = {
      owner: 'server',
      mid,
      kind,
      rtp: consumed.rtpParameters,
      sends: true,
      producerId,
      consumerId: consumed.consumerId,
    };
    if (index === -1) sections.push(section);
    else sections[index] = section;
  }

  /** The client did not answer: what was offered is as if it had not been, and the client may offer again. */
  #giveUp(): void {
    const agreed = this.#connection?.sections ?? [];
    for (const section of this.#offered?.sections ?? []) {
      if (section.owner !== 'server') continue;
      const isAgreed = agreed.some((one) => one.owner === 'server' && one.consumerId === section.consumerId);
      if (!isAgreed) this.#drop(section.consumerId);
    }
    this.#offered = null;
  }

  /** Closes a producer or consumer of this person's, if it is still there. */
  #drop(id: string | null): void {
    const { media, userId } = this.#options;
    if (id !== null && media.has(userId, id)) media.closeItem(userId, id);
  }

  #say(kind: 'offer' | 'answer', connection: Connection, sections: Section[]): void {
    connection.version += 1;
    const { id, version, end } = connection;
    this.#options.say(`call:sdp_${kind}`, writeSession({ kind, id, version, end, sections }));
  }
}

function fingerprintOf({ dtls }: RemoteSession): string {
  return dtls.fingerprints.map(({ value }) => value).join(' ');
}

/**
 * What a browser plays, without retransmission streams (NACKs are answered in the stream itself), and with those of
 * the SFU's header extensions whose ids mean nothing else in the client's bundle. The worker's ids are fixed.
 */
function capabilitiesOf(router: types.RtpCapabilities, extensions: Map<number, string>): RtpCapabilities {
  const uris = new Map([...extensions].map(([id, uri]) => [uri, id]));
  return RtpCapabilitiesSchema.parse({
    codecs: (router.codecs ?? []).filter(({ mimeType }) => !mimeType.endsWith('/rtx')),
    headerExtensions: (router.headerExtensions ?? []).filter(
      ({ uri, preferredId }) =>
        (extensions.get(preferredId) ?? uri) === uri && (uris.get(uri) ?? preferredId) === preferredId,
    ),
  });
}

function invalid(what: string): never {
  throw new DuetError('VALIDATION_FAILED', { details: [{ path: 'sdp', message: what }] });
}
