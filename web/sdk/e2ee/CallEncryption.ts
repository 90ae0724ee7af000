import { backoffMs, pause } from '../backoff.ts';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import { AgreementWatchdog } from './AgreementWatchdog.ts';
import {
  type EncryptionFacts,
  type EncryptionSnapshot,
  judgeEncryption,
  type PeerInRoom,
} from './encryptionRule.ts';
import { FrameCrypto } from './FrameCrypto.ts';
import type { FrameCounts } from './frameWorkerMessages.ts';
import { type Agreement, type EarlyKeys, KeyAgreement } from './KeyAgreement.ts';
import { KeyRotation } from './KeyRotation.ts';
import { type KeyMessage, readKeyMessage } from './keyMessages.ts';
import type { OwnDevice } from './OwnDevice.ts';
import { PeerDevices } from './PeerDevices.ts';

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
  readonly #peerDevices: PeerDevices;
  readonly #watchdog = new AgreementWatchdog(() => this.#stalled());
  #crypto: FrameCrypto | undefined;
  #snapshot: EncryptionSnapshot = judgeEncryption(this.#facts);
  #isRegistered = false;
  /** What had come when a frame could last be opened. */
  #sound: FrameCounts = { opened: 0, refused: 0 };
  #said: string | undefined;
  /** How often this side has sat down: what was to be said before that is said no more. */
  #sittings = 0;
  #closed = false;

  constructor(options: Options) {
    super();
    this.#o = options;
    const { device, userId, peerId } = options;
    this.#peerDevices = new PeerDevices(device.known(userId), peerId);
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
    this.#watchdog.expect();
    this.#judge();
    if (message) void this.#agreement.then((agreement) => agreement?.hear(message)).catch(() => undefined);
  }

  /** What is seen of the other in the room. `isAnswered`: the two may talk, so an agreement is due. */
  noteRoom({ produces, isAble }: PeerInRoom, isAnswered: boolean): void {
    this.#facts.peer = { produces, isAble };
    if (isAble) this.#facts.hasAnnounced = true;
    if (isAble && !this.#facts.hasKeys) this.#watchdog.expect();
    this.#watchdog.noteAnswered(isAnswered);
    this.#judge();
  }

  /**
   * The two have read these words to each other. They are of the device that they were agreed on with, whoever is in its
   * place by now. Not the same: nothing is sent any more.
   */
  async confirmWords(areSame: boolean, words: readonly string[]): Promise<void> {
    const { current } = this.#facts;
    const device = this.#peerDevices.deviceOf(words);
    if (current && current.device === device) {
      this.#facts.current = { ...current, trust: areSame ? 'verified' : 'differed' };
      this.#facts.refusal = null;
    }
    if (!areSame) this.#facts.refusal = 'mismatch';
    if (!areSame || current?.device === device) this.#facts.isAllowedClear = false;
    this.#judge();
    if (device !== undefined) await this.#peerDevices.noteWords(device, areSame);
  }

  /** This person wants to talk all the same, though the server may listen. */
  allowUnencrypted(): void {
    this.#facts.isAllowedClear = true;
    this.#judge();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watchdog.close();
    this.clear();
    void this.#agreement.then((agreement) => agreement?.close()).catch(() => undefined);
    this.#crypto?.close();
  }

  async #openFrames(): Promise<FrameCrypto | undefined> {
    const [crypto, isKnownCapable] = await Promise.all([
      this.#o.device
        .isSupported()
        .then((can) => (can ? FrameCrypto.open((counts) => this.#count(counts)) : undefined)),
      this.#peerDevices.hasAny(),
    ]);
    if (crypto) await this.#peerDevices.load();
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
    const frames = await this.frames;
    if (!frames) return undefined;
    const keys = new KeyRotation(frames);
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
    agreement.on('early', (early) => this.#early(early, keys));
    agreement.on('agreed', (agreed) => void this.#agreed(agreed, keys));
    agreement.on('confirmed', ({ epoch }) => {
      const confirmed = keys.confirmed(epoch);
      if (confirmed) void this.#settle(confirmed);
    });
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

  #early(early: EarlyKeys, keys: KeyRotation): void {
    this.#meet(early.device);
    keys.early(early);
    this.#facts.hasEarlyKeys = keys.hasEarly;
    this.#judge();
  }

  async #agreed(agreed: Agreement, keys: KeyRotation): Promise<void> {
    this.#meet(agreed.device);
    keys.agreed(agreed);
    this.#facts.hasKeys = keys.hasAgreed;
    this.#judge();
    if (agreed.confirmed) await this.#settle(agreed);
  }

  /** Before a frame of a device's is opened: what is known of another one is not said of it. */
  #meet(device: string): void {
    if (this.#facts.current?.device !== device) this.#facts.current = null;
    this.#doubt(device);
    this.#judge();
  }

  /** Before a frame goes to a device whose words were not the same. */
  #doubt(device: string): void {
    if (this.#peerDevices.hasDiffered(device)) this.#facts.refusal = 'mismatch';
  }

  /** Both have the keys. */
  async #settle({ device, words }: Agreement): Promise<void> {
    this.#watchdog.done();
    const trust = await this.#peerDevices.meet(device, words);
    this.#facts.current = { device, words, trust };
    this.#facts.isStalled = false;
    this.#facts.isUndecodable = false;
    this.#facts.refusal = null;
    // Until the words of this agreement were compared it is as strange as before.
    this.#doubt(device);
    this.#judge();
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
    this.#watchdog.restart();
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
