import { backoffMs, pause } from '../backoff.ts';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import {
  type EncryptionFacts,
  type EncryptionSnapshot,
  judgeEncryption,
  type PeerInRoom,
} from './encryptionRule.ts';
import { FrameCrypto, kidOf } from './FrameCrypto.ts';
import type { FrameCounts } from './frameWorkerMessages.ts';
import { type Agreement, type EarlyKeys, KeyAgreement } from './KeyAgreement.ts';
import { type KeyMessage, readKeyMessage } from './keyMessages.ts';
import type { OwnDevice } from './OwnDevice.ts';

type Options = {
  callId: string;
  userId: string;
  peerId: string;
  isCaller: boolean;
  device: OwnDevice;
  /** Asks the call's room. */
  ask: (type: string, payload: object) => Promise<unknown>;
};

type Events = {
  /** Anything of `snapshot`. */
  change: EncryptionSnapshot;
};

/** An agreement takes two round trips; after so long somebody keeps messages back. */
const STALLED_MS = 10_000;
/** So many frames in a row that cannot be opened are more than a key that changes: some two seconds of voice. */
const UNDECODABLE_FRAMES = 100;
/** How often a key is said that the room cannot take for the moment: for some ten seconds. */
const SEND_ATTEMPTS = 6;

/**
 * End-to-end encryption of one call: agrees on keys through the room, hands them to the worker that frames go through,
 * and says honestly how things stand. It never goes back to clear frames by itself once the other's client has said
 * that it can encrypt.
 */
export class CallEncryption extends Emitter<Events> {
  /** What frames go through; undefined where this browser cannot. */
  readonly frames: Promise<FrameCrypto | undefined>;
  readonly #o: Options;
  readonly #agreement: Promise<KeyAgreement | undefined>;
  readonly #facts: EncryptionFacts = {
    isSupported: undefined,
    hasAnnounced: false,
    isKnownCapable: false,
    peer: { produces: false, isAble: false },
    refusal: null,
    isUnregistered: false,
    isStalled: false,
    isUndecodable: false,
    isAllowedClear: false,
    hasEarlyKeys: false,
    hasKeys: false,
    current: null,
  };
  #crypto: FrameCrypto | undefined;
  /** Devices of the other's whose words were not the same, in this call or another. */
  #differed = new Set<string>();
  /** Whose words they are, of each agreement of this call: they may be compared while another one comes about. */
  readonly #deviceOfWords = new Map<string, string>();
  /** The last keys, and whether they are sent with: the caller waits until the other is known to have them. */
  #last: { agreed: Agreement; isSent: boolean } | undefined;
  #snapshot: EncryptionSnapshot = judgeEncryption(this.#facts);
  /** Whether an agreement has begun and is not done, and whether it must come about soon: not while it rings. */
  #isAwaited = false;
  #isAnswered = false;
  #isRegistered = false;
  #stall: ReturnType<typeof setTimeout> | undefined;
  /** What had come when a frame could last be opened. */
  #sound: FrameCounts = { opened: 0, refused: 0 };
  #said: string | undefined;
  /** How often this side has sat down: what was to be said before that is said no more. */
  #sittings = 0;
  #closed = false;

  constructor(options: Options) {
    super();
    this.#o = options;
    this.frames = this.#openFrames();
    this.#agreement = this.#openAgreement();
    // Without a key that is registered nothing can be agreed on; until then it stays held, and says so after a while.
    this.#agreement.then(
      () => this.#registered(),
      () => this.#stalled(),
    );
  }

  get snapshot(): EncryptionSnapshot {
    return this.#snapshot;
  }

  /** Sat down in a room, for the first time or again. */
  begin(): void {
    this.#said = undefined;
    this.#sittings++;
    // Before anything else that this client says: whoever hears media must know by then.
    void this.frames.then(() => this.#say());
    void this.#agreement.then((agreement) => agreement?.begin()).catch(() => undefined);
  }

  /** The other's public key. */
  hear(payload: Record<string, unknown>): void {
    if (payload.userId !== this.#o.peerId) return;
    const message = readKeyMessage(payload);
    // Whatever it says: a client that says anything here can encrypt.
    this.#facts.hasAnnounced = true;
    if (message === undefined) this.#facts.refusal = 'tampered';
    this.#isAwaited = true;
    this.#expectAgreement();
    this.#judge();
    if (message) void this.#agreement.then((agreement) => agreement?.hear(message)).catch(() => undefined);
  }

  /** What is seen of the other in the room. `isAnswered`: the two may talk, so an agreement is due. */
  noteRoom({ produces, isAble }: PeerInRoom, isAnswered: boolean): void {
    this.#facts.peer = { produces, isAble };
    if (isAble) this.#facts.hasAnnounced = true;
    if (isAble && !this.#facts.hasKeys) this.#isAwaited = true;
    this.#isAnswered = isAnswered;
    this.#expectAgreement();
    this.#judge();
  }

  /**
   * The two have read these words to each other. They are of the device that they were agreed on with, whoever is in its
   * place by now. Not the same: nothing is sent any more.
   */
  async confirmWords(areSame: boolean, words: readonly string[]): Promise<void> {
    const { current } = this.#facts;
    const device = this.#deviceOfWords.get(words.join(' '));
    if (current && current.device === device) {
      this.#facts.current = { ...current, trust: areSame ? 'verified' : 'differed' };
      this.#facts.refusal = null;
    }
    if (!areSame) this.#facts.refusal = 'mismatch';
    if (!areSame || current?.device === device) this.#facts.isAllowedClear = false;
    this.#judge();
    if (device === undefined) return;
    if (areSame) this.#differed.delete(device);
    else this.#differed.add(device);
    await this.#o.device.known(this.#o.userId).noteWords(this.#o.peerId, device, areSame);
  }

  /** This person wants to talk all the same, though the server may listen. */
  allowUnencrypted(): void {
    this.#facts.isAllowedClear = true;
    this.#judge();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#stall);
    this.clear();
    void this.#agreement.then((agreement) => agreement?.close()).catch(() => undefined);
    this.#crypto?.close();
  }

  async #openFrames(): Promise<FrameCrypto | undefined> {
    const { device, userId, peerId } = this.#o;
    const known = device.known(userId);
    const [crypto, isKnownCapable] = await Promise.all([
      device
        .isSupported()
        .then((can) => (can ? FrameCrypto.open((counts) => this.#count(counts)) : undefined)),
      known.hasAny(peerId),
    ]);
    if (crypto) this.#differed = new Set(await known.differed(peerId));
    if (this.#closed) {
      crypto?.close();
      return undefined;
    }
    this.#crypto = crypto;
    this.#facts.isSupported = crypto !== undefined;
    this.#facts.isKnownCapable = isKnownCapable;
    this.#judge();
    // What was decided before it was there.
    crypto?.setModes(this.#snapshot.sends, this.#snapshot.sends);
    return crypto;
  }

  async #openAgreement(): Promise<KeyAgreement | undefined> {
    if (!(await this.frames)) return undefined;
    const { callId, userId, peerId, isCaller, device } = this.#o;
    const agreement = new KeyAgreement({
      callId,
      userId,
      peerId,
      isCaller,
      device: await device.key(),
      nowSec: () => Date.now() / 1000,
      send: (message) => void this.#send(message),
    });
    agreement.on('early', (early) => this.#early(early));
    agreement.on('agreed', (agreed) => void this.#agreed(agreed));
    agreement.on('confirmed', ({ epoch }) => void this.#confirmed(epoch));
    agreement.on('refused', () => {
      this.#facts.refusal = 'tampered';
      this.#judge();
    });
    return agreement;
  }

  async #send(message: KeyMessage): Promise<void> {
    const sitting = this.#sittings;
    for (let attempt = 0; attempt < SEND_ATTEMPTS && sitting === this.#sittings && !this.#closed; attempt++) {
      try {
        await this.#o.ask('call:e2ee_key', message);
        return;
      } catch (error) {
        if (!(error instanceof DuetApiError)) return;
        // Another sign-in than the one that the key was registered with.
        const isStranger = error.code === 'FORBIDDEN';
        if (!isStranger && !error.isTemporary) return;
        if (isStranger) await this.#o.device.registerAgain().catch(() => undefined);
        await pause(backoffMs(attempt));
      }
    }
  }

  /** Keys until there are better ones. */
  #early({ epoch, sendKey, receiveKey, device }: EarlyKeys): void {
    this.#meet(device);
    const kid = kidOf(epoch, true);
    this.#crypto?.addEarlyKey(kid, receiveKey);
    if (this.#facts.hasKeys) return;
    this.#crypto?.useSendKey(kid, sendKey);
    this.#facts.hasEarlyKeys = true;
    this.#judge();
  }

  /** Keys are there. They are received with at once; sent with when the other has them, or when there are no others. */
  async #agreed(agreed: Agreement): Promise<void> {
    const isSent = agreed.confirmed || !(this.#facts.hasKeys || this.#facts.hasEarlyKeys);
    const kid = kidOf(agreed.epoch);
    this.#meet(agreed.device);
    this.#crypto?.addReceiveKey(kid, agreed.receiveKey);
    if (isSent) this.#crypto?.useSendKey(kid, agreed.sendKey);
    this.#last = { agreed, isSent };
    this.#facts.hasKeys = true;
    this.#judge();
    if (agreed.confirmed) await this.#settle(agreed);
  }

  async #confirmed(epoch: number): Promise<void> {
    if (this.#last?.agreed.epoch !== epoch) return;
    const { agreed, isSent } = this.#last;
    if (!isSent) this.#crypto?.useSendKey(kidOf(epoch), agreed.sendKey);
    this.#last = { agreed, isSent: true };
    await this.#settle(agreed);
  }

  /** Before a frame of a device's is opened: what is known of another one is not said of it. */
  #meet(device: string): void {
    if (this.#facts.current?.device !== device) this.#facts.current = null;
    this.#doubt(device);
    this.#judge();
  }

  /** Before a frame goes to a device whose words were not the same. */
  #doubt(device: string): void {
    if (this.#differed.has(device)) this.#facts.refusal = 'mismatch';
  }

  /** Both have the keys. */
  async #settle({ device, words }: Agreement): Promise<void> {
    this.#isAwaited = false;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    const trust = await this.#o.device.known(this.#o.userId).meet(this.#o.peerId, device);
    this.#facts.current = { device, words, trust };
    this.#deviceOfWords.set(words.join(' '), device);
    this.#facts.isStalled = false;
    this.#facts.isUndecodable = false;
    this.#facts.refusal = null;
    // Until the words of this agreement were compared it is as strange as before.
    this.#doubt(device);
    this.#judge();
  }

  /** An agreement is under way: somebody who keeps a part of it back is noticed. */
  #expectAgreement(): void {
    if (this.#closed) return;
    if (this.#isAwaited && this.#isAnswered) this.#stall ??= setTimeout(() => this.#stalled(), STALLED_MS);
  }

  #stalled(): void {
    if (this.#isRegistered) this.#facts.isStalled = true;
    else this.#facts.isUnregistered = true;
    this.#judge();
  }

  /** From here on it is up to the other. */
  #registered(): void {
    this.#isRegistered = true;
    this.#facts.isUnregistered = false;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#expectAgreement();
    this.#judge();
  }

  #count(counts: FrameCounts): void {
    const isSound = counts.opened !== this.#sound.opened || counts.refused < this.#sound.refused;
    if (isSound) this.#sound = counts;
    const isUndecodable = !isSound && counts.refused - this.#sound.refused >= UNDECODABLE_FRAMES;
    if (isUndecodable === this.#facts.isUndecodable) return;
    this.#facts.isUndecodable = isUndecodable;
    this.#judge();
  }

  #judge(): void {
    if (this.#closed) return;
    const before = this.#snapshot;
    const now = judgeEncryption(this.#facts);
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    this.#snapshot = now;
    const { sends } = now;
    // What comes is played as it is only where this side sends so as well: the rest would be noise.
    this.#crypto?.setModes(sends, sends);
    this.#say();
    this.emit('change', now);
  }

  /** Tells the room, for the other's screen; what that screen believes is its own agreement. */
  #say(): void {
    const { state } = this.#snapshot;
    if (this.#said === state || this.#facts.isSupported === undefined) return;
    this.#said = state;
    this.#o.ask('call:e2ee_state', { state, able: this.#facts.isSupported }).catch(() => {
      this.#said = undefined;
    });
  }
}
