import { z } from 'zod';
import { DuetError } from '../errors.ts';

const Base64Url = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[A-Za-z0-9_-]+$/);

/**
 * What a device says of its key for end-to-end encryption: public material and nothing else. The server relays it
 * and does not judge it; that the signature is the other device's is for the other client to check.
 */
export const PublicKey = z.strictObject({
  /** Counts up with each new key of this person's in this call; the time in seconds will do. */
  epoch: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
  key: Base64Url,
  signature: Base64Url,
  /** With an offer: a second key, good until the agreement is done. */
  early: Base64Url.optional(),
  /** Where in an agreement this is (docs/e2ee.md). */
  step: z.enum(['offer', 'share', 'reveal', 'confirm']).optional(),
  /** The key that it is signed with: the one that was registered for this sign-in, or `FORBIDDEN`. */
  device: Base64Url.optional(),
});
export type PublicKey = z.output<typeof PublicKey>;

/** What a client says of its frames: whether they are encrypted, and whether it could. */
export const EncryptionClaim = z.strictObject({
  state: z.enum(['off', 'on', 'verified']),
  able: z.boolean().default(false),
});
export type EncryptionClaim = z.output<typeof EncryptionClaim>;

/** Of a client that has not said a word. */
export const NO_CLAIM: EncryptionClaim = { state: 'off', able: false };

/**
 * The public keys and claims of each person of a call; the last key is given to who joins later. Kept in memory, for as
 * long as the client stays: clients say theirs on joining.
 */
export class PublicKeys {
  readonly #said = new Map<string, PublicKey[]>();
  readonly #claims = new Map<string, EncryptionClaim>();

  /** What to tell somebody who joins of the other: the last key that began an agreement. */
  of(userId: string): PublicKey | undefined {
    return this.#said.get(userId)?.findLast(({ step }) => step !== 'reveal' && step !== 'confirm');
  }

  /**
   * Takes a person's key; false when it is known. Throws `CONFLICT` for one of an old epoch, for another one of the same
   * epoch and step, and for an answer to what the other has not offered last.
   */
  take(userId: string, given: PublicKey): boolean {
    if (given.step === 'share' && this.#isLate(userId, given.epoch)) throw new DuetError('CONFLICT');
    const said = this.#said.get(userId) ?? [];
    const epoch = said[0]?.epoch ?? -1;
    if (given.epoch < epoch) throw new DuetError('CONFLICT');
    const known = said.find((one) => one.epoch === given.epoch && one.step === given.step);
    if (known !== undefined) {
      if (given.key === known.key && given.signature === known.signature) return false;
      throw new DuetError('CONFLICT');
    }
    this.#said.set(userId, given.epoch === epoch ? [...said, given] : [given]);
    // It begins anew: what the other answered before is of another agreement, perhaps of a later epoch, by a clock of
    // another device.
    if (given.step === 'offer')
      for (const other of this.#said.keys()) if (other !== userId) this.#said.delete(other);
    return true;
  }

  /** Whether the other has begun anew since: taken, it would stand before the answer to that, which may be of a lower epoch. */
  #isLate(userId: string, epoch: number): boolean {
    const theirs = [...this.#said].find(([other]) => other !== userId)?.[1];
    const offer = theirs?.find(({ step }) => step === 'offer');
    return offer !== undefined && offer.epoch !== epoch;
  }

  /** What a person's client last said of its frames. */
  claimOf(userId: string): EncryptionClaim {
    return this.#claims.get(userId) ?? NO_CLAIM;
  }

  claim(userId: string, claim: EncryptionClaim): void {
    this.#claims.set(userId, claim);
  }

  /** The client is gone, or another one is there: it begins anew. */
  forget(userId: string): void {
    this.#said.delete(userId);
    this.#claims.delete(userId);
  }
}
