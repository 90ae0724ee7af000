import { Emitter } from '../Emitter.ts';
import type { FrameCrypto } from '../e2ee/FrameCrypto.ts';
import type { RoomPayload } from './callEvents.ts';
import { type CallStats, receivedStats } from './callStats.ts';
import type { Kind } from './LocalTracks.ts';
import { type Ask, MediaLink } from './MediaLink.ts';

type Options = {
  /** Asks the call's room. */
  ask: Ask;
  iceServers: () => Promise<RTCIceServer[]>;
  /** What everything goes through that is sent or received; undefined for nothing. */
  frames: Promise<FrameCrypto | undefined>;
};

type CallMediaEvents = {
  /** The other's track of a kind came, or went (null). */
  remote: { kind: Kind; track: MediaStreamTrack | null };
  /** The transports cannot be used any more. */
  broken: undefined;
};

/** The media of a call over the lives of its transports, which are made anew with every seat and when the server asks. */
export class CallMedia extends Emitter<CallMediaEvents> {
  /** The other's tracks; the streams stay the same objects, tracks come and go in them. */
  readonly remote: Record<Kind, MediaStream> = { audio: new MediaStream(), video: new MediaStream() };
  readonly #options: Options;
  #link: MediaLink | undefined;

  constructor(options: Options) {
    super();
    this.#options = options;
  }

  /** The transports of the moment. */
  get link(): MediaLink | undefined {
    return this.#link;
  }

  /** New transports. `isAllowed`: the call was answered. */
  open(isAllowed: boolean): void {
    this.close();
    const { ask, iceServers, frames } = this.#options;
    const link = new MediaLink(ask, iceServers(), frames);
    this.#link = link;
    link.on('remote', ({ kind, track }) => this.#takeRemote(kind, track));
    link.on('broken', () => this.emit('broken', undefined));
    if (isAllowed) link.allow();
  }

  /** What the room says of the other's producers. */
  hear(type: string, { producerId, consumerId }: RoomPayload): void {
    if (type === 'media:producer') {
      void this.#link?.consume(String(producerId), consumerId).catch(() => undefined);
    } else if (type === 'media:producer_closed') {
      this.#link?.drop(String(producerId));
    }
  }

  /** What the browser counted so far. */
  async stats(): Promise<CallStats> {
    return (await this.#link?.stats()) ?? receivedStats();
  }

  close(): void {
    this.#link?.close();
    this.#link = undefined;
    for (const kind of ['audio', 'video'] as const) {
      if (this.remote[kind].getTracks().length > 0) this.#takeRemote(kind, null);
    }
  }

  #takeRemote(kind: Kind, track: MediaStreamTrack | null): void {
    const stream = this.remote[kind];
    // Told again of what is heard already.
    if (track !== null && stream.getTracks().includes(track)) return;
    for (const old of stream.getTracks()) stream.removeTrack(old);
    if (track) stream.addTrack(track);
    this.emit('remote', { kind, track });
  }
}
