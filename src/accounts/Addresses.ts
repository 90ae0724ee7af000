import type { DataKeys, StoredText } from '../platform/DataKeys.ts';
import { emailKey } from './emailKey.ts';

/** Email addresses at rest: sealed, and found by a keyed hash of the form in which they are compared. */
export class Addresses {
  readonly #keys: DataKeys;

  constructor(keys: DataKeys) {
    this.#keys = keys;
  }

  /** An address as it is stored, and what it is found by. */
  store(email: string): { email: string; key: string } {
    return { email: this.#keys.seal('email', email), key: this.#keys.tag('email', emailKey(email)) };
  }

  /** An address of the database. */
  read(stored: StoredText): string {
    return this.#keys.open(stored);
  }

  /** What an address may be found by: its keyed hash or, in rows from before, itself. */
  keysOf(email: string): string[] {
    const key = emailKey(email);
    return [this.#keys.tag('email', key), key];
  }
}
