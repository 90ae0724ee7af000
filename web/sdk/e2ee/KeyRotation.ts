import { type FrameCrypto, kidOf } from './FrameCrypto.ts';
import type { Agreement, EarlyKeys } from './KeyAgreement.ts';

/**
 * Which keys the frames of a call go by. A new one is received with at once, and sent with when the other is known to
 * have it: nothing that is under way is lost.
 */
export class KeyRotation {
  readonly #frames: FrameCrypto;
  #hasEarly = false;
  /** The last keys, and whether they are sent with: the caller waits until the other is known to have them. */
  #last: { agreed: Agreement; isSent: boolean } | undefined;

  constructor(frames: FrameCrypto) {
    this.#frames = frames;
  }

  /** Whether there are keys to send with while the agreement is under way. */
  get hasEarly(): boolean {
    return this.#hasEarly;
  }

  /** Whether keys were agreed on. */
  get hasAgreed(): boolean {
    return this.#last !== undefined;
  }

  /** Keys until there are better ones: where there are, they are not sent with. */
  early({ epoch, sendKey, receiveKey }: EarlyKeys): void {
    const kid = kidOf(epoch, true);
    this.#frames.addEarlyKey(kid, receiveKey);
    if (this.hasAgreed) return;
    this.#frames.useSendKey(kid, sendKey);
    this.#hasEarly = true;
  }

  /** Keys are there. They are sent with when the other has them, or when there are no others. */
  agreed(agreed: Agreement): void {
    const isSent = agreed.confirmed || !(this.hasAgreed || this.#hasEarly);
    const kid = kidOf(agreed.epoch);
    this.#frames.addReceiveKey(kid, agreed.receiveKey);
    if (isSent) this.#frames.useSendKey(kid, agreed.sendKey);
    this.#last = { agreed, isSent };
  }

  /** The other has the keys of an agreement. → that agreement, where it is the last one. */
  confirmed(epoch: number): Agreement | undefined {
    if (this.#last?.agreed.epoch !== epoch) return undefined;
    const { agreed, isSent } = this.#last;
    if (!isSent) this.#frames.useSendKey(kidOf(epoch), agreed.sendKey);
    this.#last = { agreed, isSent: true };
    return agreed;
  }
}
