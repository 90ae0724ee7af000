import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { CallMedia } from '../CallMedia.ts';
import type { LiveProducer } from '../PersonMedia.ts';
import type { RtpParameters } from '../rtpSchemas.ts';
import {
  fingerprintOf,
  invalid,
  type RemoteSection,
  type RemoteSession,
  readSession,
} from './readSession.ts';
import {
  freshMid,
  isLive,
  isOutdated,
  isServerMid,
  playable,
  type Section,
  type Up,
  uplinkOf,
} from './sections.ts';
import { type LocalEnd, writeSession } from './writeSession.ts';

export type PlainPeerOptions = {
  media: CallMedia;
  userId: string;
  peerId: string;
  clock: Clock;
  /** Hands a description to the person's client. */
  say(type: 'call:sdp_offer' | 'call:sdp_answer', sdp: string): void;
};

type Connection = {
  transportId: string;
  end: LocalEnd;
  /** What tells one RTCPeerConnection of the client's from the next. */
  fingerprint: string;
  ice: string;
  sections: Section[];
  /** The other's producers that the client does not take, or cannot play; not offered. */
  refused: Set<string>;
  id: string;
  version: number;
};

/** For how long an offer that is not answered keeps the client's own out. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Changes are gathered for so long before they are offered; also lets the answer before go out first. */
const GATHER_MS = 10;
/** Descriptions of one client's that may wait for their turn. */
const MAX_WAITING = 4;

/**
 * A person whose client is a bare RTCPeerConnection. It is driven by session descriptions, and drives `CallMedia`
 * with what a mediasoup client would ask for: whose consent and which phase are needed is decided there.
 *
 * Either side may offer. The client's m-lines carry what it sends; the server adds one for each track of the other
 * person (in which a browser may then send as well). Of two offers that cross, the server's counts (it is the "impolite" peer of
 * perfect negotiation): the client's is refused with `CONFLICT`, and it rolls back, answers and offers again.
 */
export class PlainPeer {
  readonly #options: PlainPeerOptions;
  #connection: Connection | null = null;
  /** An offer that the client has not answered: what will hold when it does, however late, or offers itself. */
  #offered: { sections: Section[]; lapsesAtMs: number } | null = null;
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
    return this.#described(async () => {
      const connection = await this.#connect(remote);
      const lapsesAtMs = this.#offered?.lapsesAtMs ?? 0;
      if (this.#options.clock.now() < lapsesAtMs) throw new DuetError('CONFLICT');
      connection.sections = await this.#settleOffer(connection, remote);
      this.#offered = null;
      await this.#noteIce(connection, remote);
      this.#say('answer', connection, connection.sections);
      this.changed();
    });
  }

  /** The client's answer to the last offer. Throws `CONFLICT` when there is none, `VALIDATION_FAILED`. */
  answer(sdp: string): Promise<void> {
    const remote = readSession(sdp);
    return this.#described(async () => {
      const [connection, offered] = [this.#connection, this.#offered];
      if (connection === null || offered === null) throw new DuetError('CONFLICT');
      const fits =
        remote.sections.length === offered.sections.length &&
        remote.sections.every(({ mid }, index) => mid === offered.sections[index]!.mid) &&
        fingerprintOf(remote) === connection.fingerprint;
      if (!fits) invalid('does not answer the offer');
      this.#offered = null;
      connection.sections = offered.sections;
      for (const [index, section] of offered.sections.entries()) {
        await this.#take(connection, section, remote.sections[index]!);
        await this.#give(connection, section, remote.sections[index]!);
      }
      this.changed();
    });
  }

  /** Something changed that may have to be offered: the other's producers, or what may flow. */
  changed(): void {
    if (this.#closed || this.#connection === null || this.#gather !== null) return;
    this.#gather = this.#options.clock.after(GATHER_MS, () => {
      // A worker that is lost meanwhile takes this peer with it; anything else is tried at the next change.
      this.#inTurn(() => {
        this.#gather = null;
        return this.#offerIfNeeded();
      }).catch(() => undefined);
    });
  }

  /** Forgets everything; what is in `CallMedia` is closed by `CallMedia.leave`. */
  close(): void {
    this.#closed = true;
    this.#gather?.cancel();
    this.#connection = null;
  }

  /** What a description of the client's asks for, in its turn. */
  #described(run: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(new DuetError('CONFLICT'));
    this.#waiting += 1;
    return this.#inTurn(run).finally(() => {
      this.#waiting -= 1;
    });
  }

  /**
   * One description at a time: each depends on what the one before has made. Of the server's own at most one waits,
   * whatever the client sends.
   */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => {
      if (this.#closed) throw new DuetError('CONFLICT');
      return run();
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
      return present;
    }
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
      sections: [],
      refused: new Set(),
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
    const { media, userId } = this.#options;
    const isKept = (known: Section, index: number) =>
      !isLive(known) || known.mid === remote.sections[index]?.mid;
    if (!connection.sections.every(isKept)) invalid('m-lines must keep their places');
    // Of an offer that lapsed the client may know, or not.
    const before = this.#offered?.sections ?? connection.sections;
    const uplinks = [uplinkOf(remote.sections, 'audio'), uplinkOf(remote.sections, 'video')];
    // The first m-line carries the bundle: Chromium gives up the transport of all when it is rejected.
    const carrier = remote.sections.find(({ live }) => live);
    const sections: Section[] = [];
    for (const [index, one] of remote.sections.entries()) {
      const { mid, kind, line, rtp, sends } = one;
      const known = before[index]?.mid === mid ? before[index] : undefined;
      if (known === undefined && isServerMid(mid)) invalid(`mid ${mid} is not the client's`);
      const receives = uplinks.includes(one);
      const up: Up | null =
        rtp !== null && (receives || one === carrier)
          ? { ...(known?.up ?? { rtp, producerId: null }), receives, wantsToSend: receives && sends }
          : null;
      const section = { mid, kind, line, up, down: known?.down ?? null };
      await this.#give(connection, section, one);
      await this.#take(connection, section, one);
      if (up !== null) up.receives = up.producerId !== null;
      sections.push(section);
    }
    const held = sections.flatMap(({ up, down }) => [up?.producerId, down?.consumerId]);
    const made = [
      ...media.producers(userId).map(({ producerId }) => producerId),
      ...before.flatMap(({ down }) => down?.consumerId ?? []),
    ];
    for (const id of made) if (!held.includes(id)) this.#drop(id);
    return sections;
  }

  /** Makes, keeps or closes the producer of what the client sends in a section. */
  async #take(connection: Connection, section: Section, remote: RemoteSection): Promise<void> {
    const { kind, up } = section;
    if (up === null || kind === 'other') return;
    const { media, userId } = this.#options;
    const live = media.producers(userId).filter((one) => one.kind === kind);
    if (!live.some(({ producerId }) => producerId === up.producerId)) up.producerId = null;
    if (up.receives) up.wantsToSend = remote.sends;
    const { rtp } = remote;
    const mayFlow = up.receives && remote.sends && media.allows(kind) && rtp !== null;
    const isSame = rtp !== null && streamsOf(rtp) === streamsOf(up.rtp);
    up.rtp = rtp ?? up.rtp;
    if (mayFlow && isSame && up.producerId !== null) return;
    this.#drop(up.producerId);
    up.producerId = null;
    if (!remote.live) section.up = null;
    if (!mayFlow) return;
    // One of another m-line, or left behind by a description that failed half way, would be in the way.
    for (const { producerId } of live) this.#drop(producerId);
    try {
      up.producerId = await media.produce(userId, connection.transportId, kind, rtp);
    } catch (error) {
      // Consent was withdrawn meanwhile: the section is answered as inactive.
      if (!(error instanceof DuetError) || !['FORBIDDEN', 'WRONG_PHASE'].includes(error.code)) throw error;
    }
  }

  /** Starts what the server sends in a section, once the client has said that it takes it. */
  async #give({ refused }: Connection, section: Section, remote: RemoteSection): Promise<void> {
    const { down } = section;
    if (down === null) return;
    const { media, userId } = this.#options;
    if (!down.sends) {
      // It may have been on hold: it is offered again.
      if (remote.receives) refused.delete(down.producerId);
    } else if (remote.receives) {
      // The other may have stopped in the meantime.
      await media.resume(userId, down.consumerId).catch(() => undefined);
    } else {
      refused.add(down.producerId);
      this.#drop(down.consumerId);
      down.sends = false;
    }
    // Stopped: it is rejected from now on (RFC 8829 section 5.3.1).
    if (!remote.live) section.down = null;
  }

  /** The other's producers that this client is to get. */
  #wanted({ refused }: Connection): LiveProducer[] {
    const { media, peerId } = this.#options;
    return media.producers(peerId).filter(({ producerId }) => !refused.has(producerId));
  }

  async #offerIfNeeded(): Promise<void> {
    const connection = this.#connection;
    const { media, clock } = this.#options;
    const allows = media.allows.bind(media);
    if (connection === null || this.#offered !== null) return;
    const wanted = this.#wanted(connection);
    if (!isOutdated(connection.sections, wanted, allows)) return;
    const sections = connection.sections.map(({ kind, up, down, ...rest }): Section => {
      const isOn = wanted.some(({ producerId }) => producerId === down?.producerId);
      return {
        ...rest,
        kind,
        up: up && { ...up, receives: up.wantsToSend && kind !== 'other' && allows(kind) },
        down: down && { ...down, sends: down.sends && isOn },
      };
    });
    const had: LiveProducer[] = [];
    for (const producer of wanted) {
      if (await this.#addTrack(connection, sections, producer)) had.push(producer);
    }
    if (this.#closed || this.#connection !== connection) return;
    if (!isOutdated(connection.sections, had, allows)) return;
    this.#offered = { sections, lapsesAtMs: clock.now() + ANSWER_TIMEOUT_MS };
    this.#say('offer', connection, sections);
  }

  /** Puts a track of the other person's in the section of its kind; → whether it is there. */
  async #addTrack(
    { refused }: Connection,
    sections: Section[],
    { producerId, kind }: LiveProducer,
  ): Promise<boolean> {
    const { media, userId } = this.#options;
    const present = sections.find((one) => one.kind === kind && one.down !== null);
    if (present?.down?.sends && present.down.producerId === producerId) return true;
    const mid = present?.mid ?? freshMid(sections, kind);
    const consumed = await media
      .consume(userId, producerId, playable(media.rtpCapabilities), mid)
      .catch((error: unknown) => {
        // Anything else passes: it is tried again with the next change.
        if (error instanceof DuetError && error.code === 'VALIDATION_FAILED') refused.add(producerId);
      });
    if (!consumed) return false;
    const { consumerId, rtpParameters: rtp } = consumed;
    const down = { rtp, sends: true, producerId, consumerId };
    const line = { type: kind, protocol: 'UDP/TLS/RTP/SAVPF', payload: '0' };
    const vacant = sections.findIndex((one) => one.kind === kind && !isLive(one));
    if (present !== undefined) present.down = down;
    else sections.splice(vacant < 0 ? sections.length : vacant, 1, { mid, kind, line, up: null, down });
    return true;
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

/** What the worker knows a producer's packets by. */
function streamsOf({ codecs, encodings }: RtpParameters): string {
  return JSON.stringify([codecs.map(({ payloadType }) => payloadType), encodings]);
}
