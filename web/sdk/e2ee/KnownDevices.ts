import type { Vault } from './Vault.ts';

/**
 * What is known of the device that the other person calls from: `new` is the first of this person's ever, `changed`
 * is one that was not seen before of a person who had others, `verified` is one whose words were compared and were the
 * same, `differed` one whose words were not.
 */
export type DeviceTrust = 'new' | 'changed' | 'known' | 'verified' | 'differed';

type Known = { device: string; verified: boolean; differed?: boolean };

/** A person has a few devices; the longest unseen is forgotten, but none whose words were compared before another. */
const MAX_DEVICES = 16;

/** The devices of others as one person's device remembers them: trust on first use. */
export class KnownDevices {
  readonly userId: string;
  readonly #vault: Vault;
  /** What is read and then written is done one after the other: a device that is just met would undo what its words said. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(vault: Vault, userId: string) {
    this.#vault = vault;
    this.userId = userId;
  }

  /** Whether a person was ever heard encrypted: then their client can, and one that cannot is worth a question. */
  async hasAny(peerId: string): Promise<boolean> {
    return (await this.#read(peerId)).length > 0;
  }

  /** The devices of a person whose words were not the same. */
  async differed(peerId: string): Promise<string[]> {
    return (await this.#read(peerId)).filter((one) => one.differed).map((one) => one.device);
  }

  /** What is known of a device, and remembers it. */
  meet(peerId: string, device: string): Promise<DeviceTrust> {
    return this.#change(async () => {
      const known = await this.#read(peerId);
      const found = known.find((one) => one.device === device);
      const met = found ?? { device, verified: false };
      await this.#write(peerId, [met, ...known.filter((one) => one !== found)]);
      if (found?.differed) return 'differed';
      if (found) return found.verified ? 'verified' : 'known';
      return known.length === 0 ? 'new' : 'changed';
    });
  }

  /** The words were compared, and were or were not the same. */
  noteWords(peerId: string, device: string, areSame: boolean): Promise<void> {
    return this.#change(async () => {
      const others = (await this.#read(peerId)).filter((one) => one.device !== device);
      await this.#write(peerId, [{ device, verified: areSame, differed: !areSame }, ...others]);
    });
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  async #read(peerId: string): Promise<Known[]> {
    return (await this.#vault.get<Known[]>(this.#name(peerId))) ?? [];
  }

  async #write(peerId: string, known: Known[]): Promise<void> {
    const isCompared = (one: Known) => one.verified || one.differed;
    const compared = known.filter(isCompared).slice(0, MAX_DEVICES);
    const others = known.filter((one) => !isCompared(one)).slice(0, MAX_DEVICES - compared.length);
    await this.#vault.set(this.#name(peerId), [...compared, ...others]);
  }

  #name(peerId: string): string {
    return `devices/${this.userId}/${peerId}`;
  }
}
