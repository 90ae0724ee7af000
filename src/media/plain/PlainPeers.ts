import type { Clock } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { CallMedia } from '../CallMedia.ts';
import { PlainPeer, type SdpMessage } from './PlainPeer.ts';

export type PlainPeersOptions = {
  media: CallMedia;
  people: readonly [string, string];
  clock: Clock;
  /** Hands a description to a person's client; must not throw. */
  say(userId: string, type: SdpMessage, sdp: string): void;
};

/** Those of a call's two people who use a bare RTCPeerConnection. Lives as long as the `CallMedia` that it drives. */
export class PlainPeers {
  readonly #options: PlainPeersOptions;
  readonly #peers = new Map<string, PlainPeer>();

  constructor(options: PlainPeersOptions) {
    this.#options = options;
  }

  /** An offer of this person's client. Throws `NOT_FOUND` for strangers, else as `PlainPeer.offer`. */
  offer(userId: string, sdp: string): Promise<void> {
    return this.#peer(userId).offer(sdp);
  }

  /** An answer of this person's client. Throws `CONFLICT` when nothing was offered. */
  answer(userId: string, sdp: string): Promise<void> {
    const peer = this.#peers.get(userId);
    if (peer === undefined) throw new DuetError('CONFLICT');
    return peer.answer(sdp);
  }

  /** Producers came or went, or what may flow changed. */
  changed(): void {
    for (const peer of this.#peers.values()) peer.changed();
  }

  /** The person's client is gone. */
  leave(userId: string): void {
    this.#peers.get(userId)?.close();
    this.#peers.delete(userId);
  }

  close(): void {
    for (const userId of [...this.#peers.keys()]) this.leave(userId);
  }

  #peer(userId: string): PlainPeer {
    const known = this.#peers.get(userId);
    if (known !== undefined) return known;
    const { media, people, clock, say } = this.#options;
    const peerId = people.find((one) => one !== userId);
    if (!people.includes(userId) || peerId === undefined) throw new DuetError('NOT_FOUND');
    const peer = new PlainPeer({ media, userId, peerId, clock, say: (type, sdp) => say(userId, type, sdp) });
    this.#peers.set(userId, peer);
    return peer;
  }
}
