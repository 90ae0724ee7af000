import type { DeviceTrust, KnownDevices } from './KnownDevices.ts';

/** The devices that the other has come with in one call: what is known of them, and whose words were compared. */
export class PeerDevices {
  readonly #known: KnownDevices;
  readonly #peerId: string;
  /** Those whose words were not the same, in this call or another. */
  #differed = new Set<string>();
  /** What the words said in this call: an agreement may come about while that is still being written down. */
  readonly #compared = new Map<string, DeviceTrust>();
  /** Whose words they are, of each agreement of this call: they may be compared while another one comes about. */
  readonly #deviceOfWords = new Map<string, string>();

  constructor(known: KnownDevices, peerId: string) {
    this.#known = known;
    this.#peerId = peerId;
  }

  /** Reads what is remembered of earlier calls. */
  async load(): Promise<void> {
    this.#differed = new Set(await this.#known.differed(this.#peerId));
  }

  /** Whether the other was ever heard encrypted. */
  hasAny(): Promise<boolean> {
    return this.#known.hasAny(this.#peerId);
  }

  /** Whether nothing is to be sent to a device, for its words were not the same. */
  hasDiffered(device: string): boolean {
    return this.#differed.has(device);
  }

  /** An agreement with a device came about. */
  async meet(device: string, words: readonly string[]): Promise<DeviceTrust> {
    const trust = await this.#known.meet(this.#peerId, device);
    this.#deviceOfWords.set(words.join(' '), device);
    return this.#compared.get(device) ?? trust;
  }

  /** The device that these words were agreed on with, whoever is in its place by now. */
  deviceOf(words: readonly string[]): string | undefined {
    return this.#deviceOfWords.get(words.join(' '));
  }

  /** A device's words were compared. */
  async noteWords(device: string, areSame: boolean): Promise<void> {
    if (areSame) this.#differed.delete(device);
    else this.#differed.add(device);
    this.#compared.set(device, areSame ? 'verified' : 'differed');
    await this.#known.noteWords(this.#peerId, device, areSame);
  }
}
