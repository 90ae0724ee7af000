import { type Bytes, join } from './bytes.ts';
import type { Key } from './keyTypes.ts';

/** A header that was read; `length` is in bytes. */
export type SFrameHeader = { kid: bigint; ctr: bigint; length: number };

/** AES_128_GCM_SHA256_128 (RFC 9605 section 4.5): HKDF with SHA-256, AES-128-GCM, the whole tag of 128 bits. */
const CIPHER_SUITE = 0x0004;
const KEY_BITS = 128;
const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

const text = new TextEncoder();

/**
 * What one key of SFrame (RFC 9605) does: frames in, ciphertexts with their header out, and back. The counter is the
 * caller's business; one value must never be used twice with one key.
 */
export class SFrameKey {
  readonly kid: bigint;
  readonly #key: Key;
  readonly #salt: Bytes;

  /** Derives key and salt (section 4.4.2) from a base key, which is an HKDF key. */
  static async derive(baseKey: Key, kid: bigint): Promise<SFrameKey> {
    const hkdf = (what: string) => ({
      name: 'HKDF',
      hash: 'SHA-256',
      salt: new Uint8Array(),
      info: label(what, kid),
    });
    const [key, salt] = await Promise.all([
      crypto.subtle.deriveKey(hkdf('key'), baseKey, { name: 'AES-GCM', length: KEY_BITS }, false, [
        'encrypt',
        'decrypt',
      ]),
      crypto.subtle.deriveBits(hkdf('salt'), baseKey, NONCE_BYTES * 8),
    ]);
    return new SFrameKey(kid, key, new Uint8Array(salt));
  }

  private constructor(kid: bigint, key: Key, salt: Bytes) {
    this.kid = kid;
    this.#key = key;
    this.#salt = salt;
  }

  /** Section 4.4.3: header and ciphertext. `metadata` is not in them; it is authenticated. */
  async encrypt(ctr: bigint, plaintext: Bytes, metadata: Bytes): Promise<Bytes> {
    const header = encodeHeader(this.kid, ctr);
    return join(
      header,
      new Uint8Array(
        await crypto.subtle.encrypt(this.#params(ctr, join(header, metadata)), this.#key, plaintext),
      ),
    );
  }

  /** Section 4.4.4, for a frame whose header was read. Rejects when anything of it was changed. */
  async decrypt({ ctr, length }: SFrameHeader, frame: Bytes, metadata: Bytes): Promise<Bytes> {
    const aad = join(frame.subarray(0, length), metadata);
    return new Uint8Array(
      await crypto.subtle.decrypt(this.#params(ctr, aad), this.#key, frame.subarray(length)),
    );
  }

  #params(ctr: bigint, additionalData: Bytes) {
    const iv = this.#salt.slice();
    const low = new DataView(iv.buffer, NONCE_BYTES - 8);
    low.setBigUint64(0, low.getBigUint64(0) ^ ctr);
    return { name: 'AES-GCM', iv, additionalData, tagLength: TAG_BYTES * 8 };
  }
}

/** Section 4.3: a configuration byte, then what of key id and counter does not fit into it. */
export function encodeHeader(kid: bigint, ctr: bigint): Bytes {
  const [kidBits, kidBytes] = field(kid);
  const [ctrBits, ctrBytes] = field(ctr);
  return join(Uint8Array.of((kidBits << 4) | ctrBits), kidBytes, ctrBytes);
}

/** Undefined for what is too short to be a frame. */
export function decodeHeader(frame: Uint8Array): SFrameHeader | undefined {
  const config = frame[0];
  if (config === undefined) return undefined;
  const kidLength = config & 0x80 ? ((config >> 4) & 7) + 1 : 0;
  const ctrLength = config & 0x08 ? (config & 7) + 1 : 0;
  const length = 1 + kidLength + ctrLength;
  if (frame.length < length + TAG_BYTES) return undefined;
  return {
    kid: kidLength === 0 ? BigInt((config >> 4) & 7) : read(frame.subarray(1, 1 + kidLength)),
    ctr: ctrLength === 0 ? BigInt(config & 7) : read(frame.subarray(1 + kidLength, length)),
    length,
  };
}

/** Below 8 a value is its own four bits; others are in as few bytes as can be, and the bits say how many. */
function field(value: bigint): [bits: number, bytes: Uint8Array] {
  if (value < 8n) return [Number(value), new Uint8Array()];
  const hex = value.toString(16);
  const bytes = new Uint8Array(Math.ceil(hex.length / 2));
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return [8 | (bytes.length - 1), bytes];
}

function read(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function label(what: string, kid: bigint): Bytes {
  const tail = new DataView(new ArrayBuffer(10));
  tail.setBigUint64(0, kid);
  tail.setUint16(8, CIPHER_SUITE);
  return join(text.encode(`SFrame 1.0 Secret ${what} `), new Uint8Array(tail.buffer));
}
