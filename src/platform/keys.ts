import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/**
 * Keys made from the server's secret: one for each purpose (HKDF-SHA256, RFC 5869), so that what one of them signs
 * or seals means nothing to another.
 */

/** The secret in use, and the one before it while a rotation lasts. */
export interface Secrets {
  current: string;
  previous?: string | undefined;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A key of `bytes` bytes for `purpose`. */
export function deriveKey(secret: string, purpose: string, bytes = 32): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'duet', purpose, bytes));
}

/** The keys for `purpose`, the current one first. */
export function deriveKeys(secrets: Secrets, purpose: string): Buffer[] {
  return [secrets.current, secrets.previous]
    .filter((secret) => secret !== undefined)
    .map((secret) => deriveKey(secret, purpose));
}

/** Encrypts with AES-256-GCM: nonce, tag, ciphertext in one buffer. */
export function seal(key: Buffer, text: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Opens what `seal` made; undefined when it was made with another key or changed since. */
export function unseal(key: Buffer, sealed: Buffer): string | undefined {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  if (tag.length !== TAG_BYTES) return undefined;
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAuthTag(tag);
    return cipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + cipher.final('utf8');
  } catch {
    return undefined;
  }
}
