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
});
export type PublicKey = z.output<typeof PublicKey>;

/** The last public key of each person of a call, for who joins later. Kept in memory: clients say theirs on joining. */
export class PublicKeys {
  readonly #last = new Map<string, PublicKey>();

  of(userId: string): PublicKey | undefined {
    return this.#last.get(userId);
  }

  /** Takes a person's key; false when it is the one that is known. Throws `CONFLICT` for another one of an old epoch. */
  take(userId: string, given: PublicKey): boolean {
    const known = this.#last.get(userId);
    if (known !== undefined && given.epoch <= known.epoch) {
      if (given.epoch === known.epoch && given.key === known.key && given.signature === known.signature)
        return false;
      throw new DuetError('CONFLICT');
    }
    this.#last.set(userId, given);
    return true;
  }
}
