import { randomInt } from 'node:crypto';
import { DuetError } from '../../errors.ts';
import type { CallMedia } from '../CallMedia.ts';
import type { LiveProducer } from '../PersonMedia.ts';
import type { RtpParameters } from '../rtpSchemas.ts';
import { fingerprintOf, invalid, type RemoteSection, type RemoteSession } from './readSession.ts';
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

export type PlainConnectionOptions = {
  media: CallMedia;
  userId: string;
  peerId: string;
};

/**
 * One RTCPeerConnection of a client's: its transport, the m-lines that were agreed on, and what goes through them. It
 * asks of `CallMedia` what a mediasoup client would ask for: whose consent and which phase are needed is decided there.
 * When a description's turn has come is for `PlainPeer` to say: it calls one method at a time.
 *
 * The client's m-lines carry what it sends; the server adds one for each track of the other person (in which a browser
 * may then send as well).
 */
export class PlainConnection {
  readonly #options: PlainConnectionOptions;
  readonly #transportId: string;
  /** What tells one RTCPeerConnection of the client's from the next. */
  readonly #fingerprint: string;
  readonly #id = String(randomInt(2 ** 47));
  #end: LocalEnd;
  #ice: string;
  #sections: Section[] = [];
  /** The other's producers that the client does not take, or cannot play; not offered. */
  readonly #refused = new Set<string>();
  #version = 0;

  private constructor(
    options: PlainConnectionOptions,
    transportId: string,
    end: LocalEnd,
    remote: RemoteSession,
  ) {
    this.#options = options;
    this.#transportId = transportId;
    this.#end = end;
    this.#fingerprint = fingerprintOf(remote);
    this.#ice = remote.ice;
  }

  /** Opens the transport for an RTCPeerConnection's first offer. */
  static async open(options: PlainConnectionOptions, remote: RemoteSession): Promise<PlainConnection> {
    const { media, userId } = options;
    const { id, iceParameters, iceCandidates, dtlsParameters } = await media.open(userId, 'both');
    await media.connect(userId, id, remote.dtls);
    return new PlainConnection(options, id, { iceParameters, iceCandidates, dtlsParameters }, remote);
  }

  /** Whether a description is of this RTCPeerConnection, and its transport is still there. */
  isOf(remote: RemoteSession): boolean {
    const { media, userId } = this.#options;
    return fingerprintOf(remote) === this.#fingerprint && media.has(userId, this.#transportId);
  }

  /**
   * Does what an offer asks for; m-lines that were agreed on keep their places. `before`: what the client goes by, which may
   * be an offer of the server's that lapsed.
   */
  async takeOffer(remote: RemoteSession, before: readonly Section[] = this.#sections): Promise<void> {
    const { media, userId } = this.#options;
    const isKept = (known: Section, index: number) =>
      !isLive(known) || known.mid === remote.sections[index]?.mid;
    if (!this.#sections.every(isKept)) invalid('m-lines must keep their places');
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
      await this.#give(section, one);
      await this.#take(section, one);
      if (up !== null) up.receives = up.producerId !== null;
      sections.push(section);
    }
    const held = sections.flatMap(({ up, down }) => [up?.producerId, down?.consumerId]);
    const made = [
      ...media.producers(userId).map(({ producerId }) => producerId),
      ...before.flatMap(({ down }) => down?.consumerId ?? []),
    ];
    for (const id of made) if (!held.includes(id)) this.#drop(id);
    this.#sections = sections;
  }

  /** New credentials for new credentials (RFC 8839 section 4.4.3.1.1). */
  async noteIce(remote: RemoteSession): Promise<void> {
    if (remote.ice === this.#ice) return;
    const { media, userId } = this.#options;
    const { iceParameters } = await media.restartIce(userId, this.#transportId);
    this.#end = { ...this.#end, iceParameters };
    this.#ice = remote.ice;
  }

  /** Whether a description of this RTCPeerConnection answers an offer of these m-lines. */
  isAnswer(offered: readonly Section[], remote: RemoteSession): boolean {
    return (
      remote.sections.length === offered.length &&
      remote.sections.every(({ mid }, index) => mid === offered[index]!.mid) &&
      fingerprintOf(remote) === this.#fingerprint
    );
  }

  /** Does what the answer to an offer of these m-lines agrees to. */
  async takeAnswer(offered: Section[], remote: RemoteSession): Promise<void> {
    this.#sections = offered;
    for (const [index, section] of offered.entries()) {
      await this.#take(section, remote.sections[index]!);
      await this.#give(section, remote.sections[index]!);
    }
  }

  /** The m-lines that are to be offered, with what the client is to get from now on; undefined: all is as it should be. */
  async propose(): Promise<Section[] | undefined> {
    const { media } = this.#options;
    const allows = media.allows.bind(media);
    const wanted = this.#wanted();
    if (!isOutdated(this.#sections, wanted, allows)) return undefined;
    const sections = this.#sections.map(({ kind, up, down, ...rest }): Section => {
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
      if (await this.#addTrack(sections, producer)) had.push(producer);
    }
    return isOutdated(this.#sections, had, allows) ? sections : undefined;
  }

  /** The session as a description of the server's; by default with what was agreed on. */
  describe(kind: 'offer' | 'answer', sections: Section[] = this.#sections): string {
    this.#version += 1;
    return writeSession({ kind, id: this.#id, version: this.#version, end: this.#end, sections });
  }

  /** Makes, keeps or closes the producer of what the client sends in a section. */
  async #take(section: Section, remote: RemoteSection): Promise<void> {
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
      up.producerId = await media.produce(userId, this.#transportId, kind, rtp);
    } catch (error) {
      // Consent was withdrawn meanwhile: the section is answered as inactive.
      if (!(error instanceof DuetError) || !['FORBIDDEN', 'WRONG_PHASE'].includes(error.code)) throw error;
    }
  }

  /** Starts what the server sends in a section, once the client has said that it takes it. */
  async #give(section: Section, remote: RemoteSection): Promise<void> {
    const { down } = section;
    if (down === null) return;
    const { media, userId } = this.#options;
    if (!down.sends) {
      // It may have been on hold: it is offered again.
      if (remote.receives) this.#refused.delete(down.producerId);
    } else if (remote.receives) {
      // The other may have stopped in the meantime.
      await media.resume(userId, down.consumerId).catch(() => undefined);
    } else {
      this.#refused.add(down.producerId);
      this.#drop(down.consumerId);
      down.sends = false;
    }
    // Stopped: it is rejected from now on (RFC 8829 section 5.3.1).
    if (!remote.live) section.down = null;
  }

  /** The other's producers that this client is to get. */
  #wanted(): LiveProducer[] {
    const { media, peerId } = this.#options;
    return media.producers(peerId).filter(({ producerId }) => !this.#refused.has(producerId));
  }

  /** Puts a track of the other person's in the section of its kind; → whether it is there. */
  async #addTrack(sections: Section[], { producerId, kind }: LiveProducer): Promise<boolean> {
    const { media, userId } = this.#options;
    const present = sections.find((one) => one.kind === kind && one.down !== null);
    if (present?.down?.sends && present.down.producerId === producerId) return true;
    const mid = present?.mid ?? freshMid(sections, kind);
    const consumed = await media
      .consume(userId, producerId, playable(media.rtpCapabilities), mid)
      .catch((error: unknown) => {
        // Anything else passes: it is tried again with the next change.
        if (error instanceof DuetError && error.code === 'VALIDATION_FAILED') this.#refused.add(producerId);
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
}

/** What the worker knows a producer's packets by. */
function streamsOf({ codecs, encodings }: RtpParameters): string {
  return JSON.stringify([codecs.map(({ payloadType }) => payloadType), encodings]);
}
