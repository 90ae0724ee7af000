import { type Bytes, join } from './bytes.ts';
import { clearBytes, type FrameKind } from './clearBytes.ts';
import type { Key } from './keyTypes.ts';
import { ReplayWindow } from './ReplayWindow.ts';
import { decodeHeader, SFrameKey } from './sframe.ts';

/** `held`: nothing is played. `clear`: as it came. `encrypted`: what opens with a key. */
export type ReceiveMode = 'held' | 'clear' | 'encrypted';

/** Key with the counters that came; an earlier one for frames that are still on their way. */
type Held = { key: SFrameKey; window: ReplayWindow };

/** How many earlier keys are good still, until they are dropped by time. */
const MAX_KEYS = 4;

/** What happens to the other's frames before they are decoded. Plays nothing until it is told otherwise. */
export class FrameOpener {
  mode: ReceiveMode = 'held';
  /** Frames that were opened and frames that could not be, since the last key. */
  counts = { opened: 0, refused: 0 };
  readonly #keys = new Map<bigint, Held>();

  /** Opens frames of this key as well. It takes the place of an earlier one of the same id. */
  async addKey(kid: number, baseKey: Key): Promise<void> {
    const key = await SFrameKey.derive(baseKey, BigInt(kid));
    this.#keys.delete(key.kid);
    this.#keys.set(key.kid, { key, window: new ReplayWindow() });
    for (const old of [...this.#keys.keys()].slice(0, -MAX_KEYS)) this.#keys.delete(old);
    this.counts = { opened: 0, refused: 0 };
  }

  /** Forgets the keys that came before this one. What came after it is of an agreement that is under way. */
  forgetBefore(kid: number): void {
    const kids = [...this.#keys.keys()];
    for (const old of kids.slice(0, Math.max(0, kids.indexOf(BigInt(kid))))) this.#keys.delete(old);
  }

  /** The frame as it was made; undefined for one that is not the other's, was changed, or came before. */
  async open(kind: FrameKind, frame: Bytes): Promise<Bytes | undefined> {
    if (this.mode === 'clear') return frame;
    if (this.mode === 'held') return undefined;
    const opened = await this.#open(kind, frame);
    if (opened === undefined) this.counts.refused++;
    else this.counts.opened++;
    return opened;
  }

  async #open(kind: FrameKind, frame: Bytes): Promise<Bytes | undefined> {
    const prefix = frame.slice(0, clearBytes(kind, frame));
    const sealed = frame.slice(prefix.length);
    const header = decodeHeader(sealed);
    const held = header && this.#keys.get(header.kid);
    if (header === undefined || held === undefined || !held.window.isFresh(header.ctr)) return undefined;
    try {
      const plaintext = await held.key.decrypt(header, sealed, prefix);
      held.window.add(header.ctr);
      return join(prefix, plaintext);
    } catch {
      return undefined;
    }
  }
}
