import { type Bytes, pack } from './bytes.ts';
import { PROTOCOL } from './keyMessages.ts';
import type { Key, KeyPair } from './keyTypes.ts';
import { SAFETY_BYTES, safetyWords } from './safetyWords.ts';

/** What two devices have in common once they agreed. */
export type AgreedKeys = {
  /** Base keys of SFrame, one a direction. HKDF keys, not readable. */
  callerToCallee: Key;
  calleeToCaller: Key;
  /** The short authentication string. */
  words: readonly string[];
  /** What the callee proves with that it has the same. */
  proof: Bytes;
};

const X25519 = 'X25519';
const BASE_KEY_BYTES = 32;
const PROOF_BYTES = 32;

/** A key pair for one agreement (RFC 7748); the private half cannot be read and goes with it. */
export async function newKeyPair(): Promise<{ privateKey: Key; publicKey: Bytes }> {
  const pair = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as KeyPair;
  return {
    privateKey: pair.privateKey,
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
  };
}

/**
 * HKDF (RFC 5869) over the shared secret, with the hash of everything that was said as its salt: whoever was told
 * something else has other keys. Rejects for a public key that is none, and for one that makes the secret zero.
 */
export async function deriveKeys(
  privateKey: Key,
  theirPublicKey: Bytes,
  transcriptHash: Bytes,
): Promise<AgreedKeys> {
  const publicKey = await crypto.subtle.importKey('raw', theirPublicKey, X25519, false, []);
  const secret = await crypto.subtle.deriveBits({ name: X25519, public: publicKey }, privateKey, 256);
  if (new Uint8Array(secret).every((byte) => byte === 0)) throw new Error('not a contribution');
  const hkdf = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const derive = async (what: string, length: number) =>
    new Uint8Array(
      await crypto.subtle.deriveBits(
        { name: 'HKDF', hash: 'SHA-256', salt: transcriptHash, info: pack(PROTOCOL, what) },
        hkdf,
        length * 8,
      ),
    );
  const baseKey = async (direction: string) =>
    crypto.subtle.importKey('raw', await derive(direction, BASE_KEY_BYTES), 'HKDF', false, [
      'deriveKey',
      'deriveBits',
    ]);
  const [callerToCallee, calleeToCaller, words, proof] = await Promise.all([
    baseKey('caller to callee'),
    baseKey('callee to caller'),
    derive('words', SAFETY_BYTES),
    derive('confirmation', PROOF_BYTES),
  ]);
  return { callerToCallee, calleeToCaller, words: safetyWords(words), proof };
}
