import { backoffMs, pause } from '../backoff.ts';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import { limitedMs } from '../persist.ts';
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
import { type KeyMessage, readKeyMessage, type Step } from './keyMessages.ts';
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
/** How often a key is registered again that the server says is another sign-in's. */
const REGISTER_ATTEMPTS = 6;
/**
 * How long the worker may take to come up. Nothing is sent before; then the call goes on without, unless the other
 * encrypts already and would not hear it.
 */
const LOAD_MS = 5_000;

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
    isLoading: false,
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
  /** What of an agreement the room has not taken yet, the last of each step. */
  readonly #saying = new Map<Step, KeyMessage>();
  /** Aborted when the worker is not waited for any more. */
  readonly #loading = new AbortController();
  /** Whether the worker has had its time. */
  #isLate = false;
  /** Whether the other says that it encrypts; undefined until the room was seen. */
  #isEncryptedTo: boolean | undefined;
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
    // What was to be said before is void.
    this.#saying.clear();
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
  noteRoom({ produces, isAble, encrypts }: PeerInRoom, isAnswered: boolean): void {
    this.#facts.peer = { produces, isAble };
    // Who has lost the connection for a moment says nothing; a client that cannot has come in the place of one that could.
    if (encrypts) this.#isEncryptedTo = true;
    else if (produces && !isAble) this.#isEncryptedTo = false;
    this.#isEncryptedTo ??= false;
    this.#waitOrGoWithout();
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
    this.#loading.abort();
    this.clear();
    void this.#agreement.then((agreement) => agreement?.close()).catch(() => undefined);
    this.#crypto?.close();
  }

  async #openFrames(): Promise<FrameCrypto | undefined> {
    const [crypto, isKnownCapable] = await Promise.all([this.#loadFrames(), this.#peerDevices.hasAny()]);
    if (crypto) await this.#peerDevices.load();
    if (this.#closed) {
      crypto?.close();
      return undefined;
    }
    this.#crypto = crypto;
    this.#facts.isLoading = false;
    this.#facts.isSupported = crypto !== undefined;
    this.#facts.isKnownCapable = isKnownCapable;
    this.#watchdog.restart();
    this.#judge();
    // What was decided before it was there.
    crypto?.setModes(this.#snapshot.sends, this.#snapshot.sends);
    return crypto;
  }

  /** The worker, once it runs; undefined where it is not to be had, or not worth waiting for. */
  async #loadFrames(): Promise<FrameCrypto | undefined> {
    if (!(await this.#o.device.isSupported())) return undefined;
    const { signal } = this.#loading;
    const late = setTimeout(() => this.#loadsLate(), LOAD_MS);
    const given = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => given.resolve());
    for (let attempt = 0; !signal.aborted; attempt++) {
      const crypto = await FrameCrypto.open((counts) => this.#count(counts), signal);
      if (crypto) {
        clearTimeout(late);
        return crypto;
      }
      // Its file did not come; where that is worth it, it is asked for again.
      this.#loadsLate();
      if (!signal.aborted) await Promise.race([pause(backoffMs(attempt)), given.promise]);
    }
    clearTimeout(late);
    return undefined;
  }

  #loadsLate(): void {
    this.#isLate = true;
    this.#waitOrGoWithout();
    this.#judge();
  }

  /**
   * Who encrypts with keys that it has of an earlier page of this person's would not hear clear frames, nor be heard:
   * then the worker is waited for.
   */
  #waitOrGoWithout(): void {
    if (!this.#isLate || this.#facts.isSupported !== undefined) return;
    // Not known before the room was seen; nothing can be sent before that either.
    if (this.#isEncryptedTo === undefined) return;
    if (!this.#isEncryptedTo) this.#loading.abort();
    this.#facts.isLoading = this.#isEncryptedTo;
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

  /** Says a key until the room takes it or another is to be said in its place: nobody asks for one that was lost. */
  async #send(message: KeyMessage): Promise<void> {
    const { step } = message;
    const isWanted = () => this.#saying.get(step) === message && !this.#closed;
    this.#saying.set(step, message);
    for (let attempt = 0, registered = 0; isWanted(); attempt++) {
      const error = await this.#o.ask('call:e2ee_key', message).then(
        () => undefined,
        (refusal: unknown) => refusal,
      );
      if (!isWanted()) return;
      if (!(error instanceof DuetApiError)) return this.#isSaid(step);
      // Another sign-in than the one that the key was registered with.
      const isStranger = error.code === 'FORBIDDEN';
      if (isStranger && registered++ === REGISTER_ATTEMPTS) return;
      if (!isStranger && !error.isTemporary) return this.#isSaid(step);
      if (isStranger) await this.#o.device.registerAgain().catch(() => undefined);
      await pause(Math.max(backoffMs(attempt), limitedMs(error)));
    }
  }

  /** It was taken, or is not to be said any more. */
  #isSaid(step: Step): void {
    this.#saying.delete(step);
    if (this.#facts.isUnregistered && this.#isRegistered && this.#saying.size === 0) this.#registered();
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
    // The time of an agreement begins with what it is for.
    if (this.#facts.isSupported === undefined) return;
    if (this.#isRegistered && this.#saying.size === 0) this.#facts.isStalled = true;
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
  #say(attempt = 0): void {
    const { state } = this.#snapshot;
    if (this.#closed || this.#said === state || this.#facts.isSupported === undefined) return;
    this.#said = state;
    this.#o.ask('call:e2ee_state', { state, able: this.#facts.isSupported }).catch(async (error: unknown) => {
      if (this.#said !== state) return;
      this.#said = undefined;
      if (!(error instanceof DuetApiError) || !error.isTemporary) return;
      await pause(Math.max(backoffMs(attempt), limitedMs(error)));
      this.#say(attempt + 1);
    });
  }
}
