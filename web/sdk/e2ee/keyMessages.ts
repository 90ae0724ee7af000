import { type Bytes, pack, sha256 } from './bytes.ts';
import { type DeviceKey, isSignedBy } from './DeviceKey.ts';

/**
 * The four messages of an agreement, in this order. The caller offers a commitment to a key, the callee shares a key,
 * the caller reveals the one that it committed to, the callee confirms that it has come to the same.
 */
export const STEPS = ['offer', 'share', 'reveal', 'confirm'] as const;
export type Step = (typeof STEPS)[number];

/** What `call:e2ee_key` carries. */
export type KeyMessage = {
  step: Step;
  /** Counts up with each offer; the others repeat that of their offer. */
  epoch: number;
  /** `offer`: hash of the key; `share`, `reveal`: an X25519 public key; `confirm`: proof of having agreed. Base64url. */
  key: string;
  /** `offer`: another X25519 public key, for frames until the agreement is done. */
  early?: string;
  /** Public key of the device that signed. */
  device: string;
  /** Ed25519 over everything here, who it is from and to, in which call, and all messages before it. */
  signature: string;
};

/** Between whom and in which call. */
export type Parties = { callId: string; from: string; to: string };

/** Named in everything that is hashed or signed, so that nothing of it means something elsewhere. */
export const PROTOCOL = 'Duet E2EE 1';

/** What of a message is signed. `before`: hash of the messages of the agreement until then. */
export function signedBytes(message: Omit<KeyMessage, 'signature'>, parties: Parties, before: Bytes): Bytes {
  const { step, epoch, key, early, device } = message;
  const { callId, from, to } = parties;
  return pack(PROTOCOL, step, callId, from, to, epoch, key, early ?? '', device, before);
}

/** The hash of an agreement's messages after one more. */
export function transcript(before: Bytes, message: KeyMessage, parties: Parties): Promise<Bytes> {
  return sha256(pack(signedBytes(message, parties, before), message.signature));
}

export const NOTHING_BEFORE: Bytes = new Uint8Array();

export async function signMessage(
  device: DeviceKey,
  message: Pick<KeyMessage, 'step' | 'epoch' | 'key' | 'early'>,
  parties: Parties,
  before: Bytes,
): Promise<KeyMessage> {
  const signed = { ...message, device: device.id };
  return { ...signed, signature: await device.sign(signedBytes(signed, parties, before)) };
}

export function isGenuine(message: KeyMessage, parties: Parties, before: Bytes): Promise<boolean> {
  return isSignedBy(message.device, message.signature, signedBytes(message, parties, before));
}

/** The hash that commits a caller to a key before the callee's is known. */
export function commitment(publicKey: Bytes, parties: Parties): Promise<Bytes> {
  return sha256(pack(PROTOCOL, 'commitment', parties.callId, publicKey));
}

/** A message as it came, or undefined when it is none of these. */
export function readKeyMessage(given: Record<string, unknown>): KeyMessage | undefined {
  const { step, epoch, key, early, device, signature } = given;
  if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch < 0) return undefined;
  if (typeof key !== 'string' || typeof device !== 'string' || typeof signature !== 'string')
    return undefined;
  const known = STEPS.find((one) => one === step);
  if (known === undefined || (early !== undefined && typeof early !== 'string')) return undefined;
  return { step: known, epoch, key, ...(early !== undefined && { early }), device, signature };
}
