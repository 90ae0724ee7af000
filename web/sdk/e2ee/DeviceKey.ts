import { type Bytes, fromBase64Url, toBase64Url } from './bytes.ts';
import type { Key, KeyPair } from './keyTypes.ts';
import type { Vault } from './Vault.ts';

const ED25519 = 'Ed25519';

/** The key of a device: Ed25519 (RFC 8032), made here, its private half readable by nobody, this page included. */
export class DeviceKey {
  /** The public half, as it is registered. */
  readonly id: string;
  readonly #privateKey: Key;

  /** The key of a person on this device; made on the first asking. */
  static async of(userId: string, vault: Vault): Promise<DeviceKey> {
    const name = `device/${userId}`;
    let pair = await vault.get<KeyPair>(name);
    if (pair === undefined) {
      pair = (await crypto.subtle.generateKey(ED25519, false, ['sign', 'verify'])) as KeyPair;
      await vault.set(name, pair);
      // Two windows may have begun at the same time: the one that is kept counts for both.
      pair = (await vault.get<KeyPair>(name)) ?? pair;
    }
    const id = toBase64Url(new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)));
    return new DeviceKey(id, pair.privateKey);
  }

  private constructor(id: string, privateKey: Key) {
    this.id = id;
    this.#privateKey = privateKey;
  }

  async sign(bytes: Bytes): Promise<string> {
    return toBase64Url(new Uint8Array(await crypto.subtle.sign(ED25519, this.#privateKey, bytes)));
  }
}

/** Whether the device of that id signed these bytes; false for anything that is not a key and a signature. */
export async function isSignedBy(device: string, signature: string, bytes: Bytes): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey('raw', fromBase64Url(device), ED25519, false, ['verify']);
    return await crypto.subtle.verify(ED25519, key, fromBase64Url(signature), bytes);
  } catch {
    return false;
  }
}
