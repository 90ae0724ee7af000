import type { EncryptionSnapshot, OffReason } from '../../sdk/e2ee/encryptionRule.ts';

/** How things stand, in a word or two. `isDoubted`: see `useDoubt`. */
export function encryptionLabel({ state, reason }: EncryptionSnapshot, isDoubted: boolean): string {
  if (isDoubted) return 'Check the words';
  if (state === 'verified') return 'Verified';
  if (state === 'on') return 'Encrypted';
  return reason === 'agreeing' ? 'Securing' : 'Not encrypted';
}

/** How things stand, and what that means. */
export function encryptionText({ state, reason, peerDevice }: EncryptionSnapshot, name: string): string {
  if (state === 'verified')
    return `You compared the words with ${name} on this device. Nobody else can listen.`;
  if (state === 'off') return offText(reason ?? 'agreeing', name);
  if (peerDevice === 'changed')
    return `${name} calls from a device that you have not met. It may be a new phone; compare the words to be sure.`;
  return `What you say and show is encrypted on your device and decrypted on ${name}’s.`;
}

export function doubtText(name: string): string {
  return `${name}’s side says that the call is not encrypted. Ask why, and compare the words again.`;
}

function offText(reason: OffReason, name: string): string {
  switch (reason) {
    case 'agreeing':
      return 'Your devices are agreeing on keys.';
    case 'unregistered':
      return 'Duet has not taken this device’s key yet. It is tried again and again; the call is encrypted once it works.';
    case 'loading':
      return 'What encrypts this call has not reached your browser yet. It is waited for; your connection may be slow.';
    case 'browser':
      return 'This browser cannot encrypt calls end to end. The server could listen.';
    case 'peer':
      return `${name}’s app cannot encrypt calls end to end. The server could listen.`;
    case 'stripped':
      return `${name}’s app could encrypt, and something keeps it from doing so. Somebody may want to listen.`;
    case 'tampered':
      return `A key came that is not of ${name}’s device. Somebody may be in between.`;
    case 'mismatch':
      return `You and ${name} compared the words, and they were not the same: somebody is in between. Compare them again to be sure.`;
    case 'undecodable':
      return `What comes from ${name} cannot be decrypted.`;
  }
}
