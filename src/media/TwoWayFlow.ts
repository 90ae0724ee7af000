import type { types } from 'mediasoup';

/**
 * Notices when audio has gone through the SFU to both people: the moment from which they can hear each other.
 * A consumer's trace tells of the first packet that left for a connected transport; it is switched off right after.
 */
export class TwoWayFlow {
  readonly #heard = new Set<string>();
  readonly #watched = new Set<string>();
  readonly #trace: (consumer: types.Consumer, on: boolean) => void;
  readonly #onBothHear: () => void;

  /** `trace` switches the `rtp` trace of a consumer on or off; `onBothHear` is called once. */
  constructor(trace: (consumer: types.Consumer, on: boolean) => void, onBothHear: () => void) {
    this.#trace = trace;
    this.#onBothHear = onBothHear;
  }

  /** Watches what `userId` is to hear; only audio counts, and only until it was heard once. */
  watch(userId: string, consumer: types.Consumer): void {
    if (consumer.kind !== 'audio' || this.#heard.has(userId) || this.#watched.has(consumer.id)) return;
    this.#watched.add(consumer.id);
    consumer.on('trace', (trace) => {
      if (trace.type !== 'rtp' || !this.#watched.delete(consumer.id)) return;
      if (!consumer.closed) this.#trace(consumer, false);
      if (this.#heard.has(userId)) return;
      this.#heard.add(userId);
      if (this.#heard.size === 2) this.#onBothHear();
    });
    this.#trace(consumer, true);
  }
}
