import type { SendMode } from './FrameSealer.ts';
import type { DeviceTrust } from './KnownDevices.ts';

/** `on`: frames are encrypted between the two devices. `verified`: and the two have compared the words. */
export type EncryptionState = 'off' | 'on' | 'verified';

/**
 * Why it is off. `agreeing`: not yet. `unregistered`: not yet, for the server has not taken what this device says.
 * `loading`: not yet, for what encrypts is still on its way to this browser. `browser`: this one cannot. `peer`: the
 * other's client cannot. `stripped`: the other's client can, and somebody keeps it from it. `tampered`: a key came that the
 * other's device did not sign. `mismatch`: the words were not the same. `undecodable`: what comes cannot be opened.
 */
export type OffReason =
  | 'agreeing'
  | 'unregistered'
  | 'loading'
  | 'browser'
  | 'peer'
  | 'stripped'
  | 'tampered'
  | 'mismatch'
  | 'undecodable';

/** Keys that both have. */
export type CurrentKeys = { words: readonly string[]; device: string; trust: DeviceTrust };

/** What is seen of the other in the room: whether media comes, whether their client says that it can encrypt and that it does. */
export type PeerInRoom = { produces: boolean; isAble: boolean; encrypts: boolean };

/** Everything that the state of a call's encryption follows from. */
export type EncryptionFacts = {
  /** Whether this browser can; undefined until that is known. */
  isSupported: boolean | undefined;
  /** That takes its time, and is waited for. */
  isLoading: boolean;
  /** The other's client has said in this call that it can. */
  hasAnnounced: boolean;
  /** The other was heard encrypted in an earlier call. */
  isKnownCapable: boolean;
  peer: Pick<PeerInRoom, 'produces' | 'isAble'>;
  refusal: 'tampered' | 'mismatch' | null;
  /** The server does not take this device's key, or what is said with it: there is nothing to agree by. */
  isUnregistered: boolean;
  /** The agreement does not get on. */
  isStalled: boolean;
  isUndecodable: boolean;
  /** This person wants to talk all the same. */
  isAllowedClear: boolean;
  /** There are keys to send with while the agreement is under way. */
  hasEarlyKeys: boolean;
  /** There are keys to send with. */
  hasKeys: boolean;
  current: CurrentKeys | null;
};

export type EncryptionSnapshot = {
  state: EncryptionState;
  /** Null unless it is off. */
  reason: OffReason | null;
  /** What becomes of the own frames. */
  sends: SendMode;
  /** To read to each other; empty until keys are agreed on. */
  words: readonly string[];
  /** What is known of the device that the other calls from; null until it is known which. */
  peerDevice: DeviceTrust | null;
};

/**
 * How things stand. Frames go out in clear only where this browser cannot encrypt, where the other's client never said
 * that it could, in this call or another, or where this person wants it so.
 */
export function judgeEncryption(facts: EncryptionFacts): EncryptionSnapshot {
  const { current } = facts;
  const of = (state: EncryptionState, reason: OffReason | null, sends: SendMode): EncryptionSnapshot => ({
    state,
    reason,
    sends,
    words: current?.words ?? [],
    peerDevice: current?.trust ?? null,
  });
  // With keys nothing is ever sent without them.
  const allowed: SendMode = facts.hasKeys ? 'encrypted' : 'clear';
  const ifAllowed: SendMode = facts.isAllowedClear ? allowed : 'held';
  if (facts.isSupported === false) return of('off', 'browser', 'clear');
  if (facts.isLoading) return of('off', 'loading', 'held');
  if (facts.refusal) return of('off', facts.refusal, ifAllowed);
  if (facts.isUnregistered) return of('off', 'unregistered', facts.hasKeys ? 'encrypted' : ifAllowed);
  if (facts.isStalled) return of('off', 'stripped', facts.hasKeys ? 'encrypted' : ifAllowed);
  if (facts.isUndecodable) return of('off', 'undecodable', 'encrypted');
  if (current) return of(current.trust === 'verified' ? 'verified' : 'on', null, 'encrypted');
  if (facts.hasKeys) return of('off', 'agreeing', 'encrypted');
  if (facts.isSupported && isPlain(facts)) {
    return facts.isKnownCapable ? of('off', 'stripped', ifAllowed) : of('off', 'peer', 'clear');
  }
  if (facts.hasEarlyKeys) return of('off', 'agreeing', 'encrypted');
  return of('off', 'agreeing', facts.isAllowedClear ? allowed : 'held');
}

/** Media comes from a client that has not said a word of encryption. */
function isPlain({ peer, hasAnnounced }: EncryptionFacts): boolean {
  return peer.produces && !peer.isAble && !hasAnnounced;
}
