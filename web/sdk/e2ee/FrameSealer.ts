import { type Bytes, join } from './bytes.ts';
import { clearBytes, type FrameKind } from './clearBytes.ts';
import type { Key } from './keyTypes.ts';
import { SFrameKey } from './sframe.ts';

/** `held`: no frame leaves. `clear`: as the browser made it. `encrypted`: by the key. */
export type SendMode = 'held' | 'clear' | 'encrypted';

/** What happens to the frames of this side before they are sent. Holds everything until it is told otherwise. */
export class FrameSealer {
  #mode: SendMode = 'held';
  #key: SFrameKey | undefined;
  #ctr = 0n;

  get mode(): SendMode {
    return this.#mode;
  }

  set mode(mode: SendMode) {
    this.#mode = mode;
  }

  /** From here on this key, with a counter of its own for audio and video together. */
  async useKey(kid: number, baseKey: Key): Promise<void> {
    this.#key = await SFrameKey.derive(baseKey, BigInt(kid));
    this.#ctr = 0n;
  }

  /** The frame as it may leave; undefined when it may not. */
  async seal(kind: FrameKind, frame: Bytes): Promise<Bytes | undefined> {
    if (this.#mode === 'clear') return frame;
    const key = this.#key;
    if (this.#mode === 'held' || key === undefined) return undefined;
    // Taken before anything is waited for: two frames at a time must not get the same.
    const ctr = this.#ctr++;
    const prefix = frame.slice(0, clearBytes(kind, frame));
    return join(prefix, await key.encrypt(ctr, frame.slice(prefix.length), prefix));
  }
}
