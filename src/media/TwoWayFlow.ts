import type { types } from 'mediasoup';

/** What a person is to hear, and by which transport. */
type Watched = { consumer: types.Consumer; transport: types.WebRtcTransport };

/**
 * Notices when audio has gone through the SFU to both people: the moment from which they can hear each other.
 * A consumer's trace tells of the first packet that left for a connected transport; it is switched off right after.
 * Whoever is muted sends none: then it is enough that the listener's transport is connected.
 */
export class TwoWayFlow {
  readonly #heard = new Set<string>();
  readonly #watched = new Map<string, Watched>();
  readonly #trace: (consumer: types.Consumer, on: boolean) => void;
  readonly #onBothHear: () => void;

  /** `trace` switches the `rtp` trace of a consumer on or off; `onBothHear` is called once. */
  constructor(trace: (consumer: types.Consumer, on: boolean) => void, onBothHear: () => void) {
    this.#trace = trace;
    this.#onBothHear = onBothHear;
  }

  /** Watches what `userId` is to hear; only audio counts, and only until it was heard once. */
  watch(userId: string, consumer: types.Consumer, transport: types.WebRtcTransport): void {
    if (consumer.kind !== 'audio' || this.#heard.has(userId)) return;
    this.#watched.set(userId, { consumer, transport });
    consumer.on('trace', ({ type }) => {
      if (type === 'rtp') this.#reached(userId, consumer);
    });
    consumer.on('producerpause', () => this.look(userId));
    this.#trace(consumer, true);
    this.look(userId);
  }

  /** Somebody's connection is gone or another: what was heard over the old one says nothing of the new. */
  renew(userId: string): void {
    if (this.#heard.size < 2) this.#heard.delete(userId);
    this.#watched.delete(userId);
  }

  /** The transport of what a person is to hear may be connected. */
  look(userId: string): void {
    const { consumer, transport } = this.#watched.get(userId) ?? {};
    if (consumer?.producerPaused && transport?.dtlsState === 'connected') this.#reached(userId, consumer);
  }

  #reached(userId: string, consumer: types.Consumer): void {
    if (consumer.closed || this.#watched.get(userId)?.consumer !== consumer) return;
    this.#watched.delete(userId);
    this.#trace(consumer, false);
    this.#heard.add(userId);
    if (this.#heard.size === 2) this.#onBothHear();
  }
}
