import { Emitter } from '../Emitter.ts';
import { type AgreedKeys, deriveKeys, newKeyPair } from './agreedKeys.ts';
import { type Bytes, fromBase64Url, isSame, toBase64Url } from './bytes.ts';
import type { DeviceKey } from './DeviceKey.ts';
import {
  commitment,
  isGenuine,
  type KeyMessage,
  NOTHING_BEFORE,
  type Parties,
  type Step,
  signMessage,
  transcript,
} from './keyMessages.ts';
import type { Key } from './keyTypes.ts';

/** Why an agreement is refused: somebody in between changes what is said, or asks for new keys without end. */
export type Refusal = 'signature' | 'commitment' | 'proof' | 'too_many';

export type Agreement = {
  epoch: number;
  sendKey: Key;
  receiveKey: Key;
  words: readonly string[];
  /** The other's device. */
  device: string;
  /** Whether the other is known to have the keys. On the caller's side that comes a moment later, as `confirmed`. */
  confirmed: boolean;
};

/** Keys for the time until then: who they are shared with is known by the device alone, not by words yet. */
export type EarlyKeys = Pick<Agreement, 'epoch' | 'sendKey' | 'receiveKey' | 'device'>;

export type AgreementEvents = {
  early: EarlyKeys;
  agreed: Agreement;
  confirmed: { epoch: number };
  refused: Refusal;
};

export type AgreementOptions = {
  callId: string;
  userId: string;
  peerId: string;
  /** The caller of the call offers, the callee shares. */
  isCaller: boolean;
  device: DeviceKey;
  /** Seconds since 1970, roughly: epochs go up over reloads of the page. */
  nowSec: () => number;
  /** Hands a message to the server. What became of it shows in the answer. */
  send: (message: KeyMessage) => void;
};

type Ephemeral = Awaited<ReturnType<typeof newKeyPair>>;
/** One agreement from its offer on. `hash`: of what was said until then. */
type Exchange = { epoch: number; pair: Ephemeral; message: KeyMessage; hash: Bytes };

/**
 * At most so many agreements a call. Each is a chance of 2^-32 for whoever is in between that the words come out
 * alike, so there must not be any number of them.
 */
const MAX_AGREEMENTS = 64;
const MAX_REMEMBERED = 4;

/**
 * How two devices agree on keys for a call through a server that they do not trust. After a lost connection, on
 * another device or another process of the server it begins anew with `begin`; the keys before stay good meanwhile.
 */
export class KeyAgreement extends Emitter<AgreementEvents> {
  readonly #o: AgreementOptions;
  readonly #own: Parties;
  readonly #theirs: Parties;
  #queue: Promise<void> = Promise.resolve();
  #closed = false;
  #begun = 0;
  #epoch = 0;
  /** The last epoch of each device of the other's. */
  readonly #heard = new Map<string, number>();
  /** Caller: the present offer, and once it was revealed what the callee should prove. */
  #offer:
    | (Exchange & { early: Ephemeral; proof?: Bytes; answered?: KeyMessage; agreedHash?: Bytes })
    | undefined;
  /** Callee: what was shared for the offer that came last, and whether its key was revealed. */
  #share: (Exchange & { offer: KeyMessage; revealed?: true }) | undefined;
  /** Callee: hashes of what was shared before, for an answer to it that is still on its way. */
  #sharedBefore: Bytes[] = [];
  #mustShareAnew = false;

  constructor(options: AgreementOptions) {
    super();
    this.#o = options;
    const { callId, userId, peerId } = options;
    this.#own = { callId, from: userId, to: peerId };
    this.#theirs = { callId, from: peerId, to: userId };
  }

  /** Call on sitting down in a room, the first time and again: the caller offers new keys, the callee answers. */
  begin(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#o.isCaller) await this.#makeOffer();
      else this.#mustShareAnew = true;
    });
  }

  /** A message of the other's, as the server relayed it. */
  hear(message: KeyMessage): Promise<void> {
    return this.#inOrder(async () => {
      const takes: Partial<Record<Step, (message: KeyMessage) => Promise<void>>> = this.#o.isCaller
        ? { share: (given) => this.#takeShare(given), confirm: (given) => this.#takeConfirm(given) }
        : { offer: (given) => this.#takeOffer(given), reveal: (given) => this.#takeReveal(given) };
      await takes[message.step]?.(message);
    });
  }

  close(): void {
    this.#closed = true;
    this.clear();
  }

  async #makeOffer(): Promise<void> {
    if (!this.#mayBegin()) return;
    this.#epoch = Math.max(this.#epoch + 1, Math.floor(this.#o.nowSec()));
    const [pair, early] = await Promise.all([newKeyPair(), newKeyPair()]);
    const said = {
      key: toBase64Url(await commitment(pair.publicKey, this.#own)),
      early: toBase64Url(early.publicKey),
    };
    const message = await this.#sign('offer', this.#epoch, said, NOTHING_BEFORE);
    const hash = await transcript(NOTHING_BEFORE, message, this.#own);
    this.#offer = { epoch: this.#epoch, pair, early, message, hash };
    this.#o.send(message);
  }

  /** Callee: what is offered is answered with a key of one's own, made for this offer. */
  async #takeOffer(offer: KeyMessage): Promise<void> {
    const last = this.#heard.get(offer.device) ?? -1;
    const isKnown = this.#share?.offer.signature === offer.signature;
    // An old one again says nothing new; and one that is known was answered, unless this side has come back since.
    // Of the same second may be the one of a page that was reloaded at once.
    if (offer.epoch < last || (isKnown && !this.#mustShareAnew)) return;
    if (!(await isGenuine(offer, this.#theirs, NOTHING_BEFORE))) return this.#refuse('signature');
    if (!this.#mayBegin()) return;
    this.#mustShareAnew = false;
    this.#heard.set(offer.device, offer.epoch);
    const before = await transcript(NOTHING_BEFORE, offer, this.#theirs);
    const pair = await newKeyPair();
    const message = await this.#sign('share', offer.epoch, { key: toBase64Url(pair.publicKey) }, before);
    const hash = await transcript(before, message, this.#own);
    if (this.#share) this.#sharedBefore = [this.#share.hash, ...this.#sharedBefore].slice(0, MAX_REMEMBERED);
    this.#share = { epoch: offer.epoch, pair, message, hash, offer };
    this.#o.send(message);
    if (offer.early !== undefined) await this.#beginEarly(pair, offer.early, hash, offer);
  }

  /** Caller: the other's key is there, so the own one may be shown. */
  async #takeShare(share: KeyMessage): Promise<void> {
    const offer = this.#offer;
    // For an offer of an earlier page or connection; the present one is on its way.
    if (!offer || share.epoch !== offer.epoch) return;
    if (share.signature === offer.answered?.signature) return;
    if (!(await isGenuine(share, this.#theirs, offer.hash))) return this.#refuse('signature');
    // The key of this offer was shown already: another one is needed, that nobody could prepare for.
    if (offer.answered) return await this.#makeOffer();
    const shared = await transcript(offer.hash, share, this.#theirs);
    await this.#beginEarly(offer.early, share.key, shared, share);
    const key = toBase64Url(offer.pair.publicKey);
    const reveal = await this.#sign('reveal', offer.epoch, { key }, shared);
    const agreedHash = await transcript(shared, reveal, this.#own);
    const keys = await this.#derive(offer.pair, share.key, agreedHash);
    if (!keys) return;
    this.#offer = { ...offer, answered: share, agreedHash, proof: keys.proof };
    this.#agree(keys, share, false);
    this.#o.send(reveal);
  }

  /** Callee: the key that the other had committed to. */
  async #takeReveal(reveal: KeyMessage): Promise<void> {
    const share = this.#share;
    // Once a share: keys that are in use must not begin anew, with counters that were used.
    if (!share || share.revealed || reveal.epoch !== share.epoch) return;
    const isItsDevice = reveal.device === share.offer.device;
    if (!isItsDevice || !(await isGenuine(reveal, this.#theirs, share.hash))) {
      if (!(await this.#isForEarlier(reveal))) this.#refuse('signature');
      return;
    }
    const committed = toBase64Url(await commitment(keyBytes(reveal.key), this.#theirs));
    if (committed !== share.offer.key) return this.#refuse('commitment');
    const agreedHash = await transcript(share.hash, reveal, this.#theirs);
    const keys = await this.#derive(share.pair, reveal.key, agreedHash);
    if (!keys) return;
    this.#share = { ...share, revealed: true };
    this.#agree(keys, reveal, true);
    this.#o.send(await this.#sign('confirm', share.epoch, { key: toBase64Url(keys.proof) }, agreedHash));
  }

  /** Whether it answers something that was shared before this side had to share anew. */
  async #isForEarlier(reveal: KeyMessage): Promise<boolean> {
    for (const hash of this.#sharedBefore) if (await isGenuine(reveal, this.#theirs, hash)) return true;
    return false;
  }

  async #takeConfirm(confirm: KeyMessage): Promise<void> {
    const offer = this.#offer;
    if (!offer?.proof || !offer.agreedHash || confirm.epoch !== offer.epoch) return;
    if (
      confirm.device !== offer.answered?.device ||
      !(await isGenuine(confirm, this.#theirs, offer.agreedHash))
    )
      return this.#refuse('signature');
    if (!isSame(keyBytes(confirm.key), offer.proof)) return this.#refuse('proof');
    this.#offer = { ...offer, proof: undefined };
    this.emit('confirmed', { epoch: offer.epoch });
  }

  async #derive(pair: Ephemeral, theirs: string, hash: Bytes): Promise<AgreedKeys | undefined> {
    try {
      return await deriveKeys(pair.privateKey, keyBytes(theirs), hash);
    } catch {
      // Signed by a device, and still no key that one can agree on.
      this.#refuse('proof');
      return undefined;
    }
  }

  #agree(keys: AgreedKeys, { epoch, device }: KeyMessage, confirmed: boolean): void {
    this.emit('agreed', { epoch, ...this.#directed(keys), words: keys.words, device, confirmed });
  }

  /**
   * Keys from what the offer and its answer say, a round trip before the agreement is done: the first words of who
   * answers need not wait for it. They hang on the two devices' signatures; the agreement's words cover them as well,
   * for both messages go into its keys.
   */
  async #beginEarly(
    pair: Ephemeral,
    theirs: string,
    hash: Bytes,
    { epoch, device }: KeyMessage,
  ): Promise<void> {
    const keys = await this.#derive(pair, theirs, hash);
    if (keys) this.emit('early', { epoch, ...this.#directed(keys), device });
  }

  #directed({ callerToCallee, calleeToCaller }: AgreedKeys): { sendKey: Key; receiveKey: Key } {
    return this.#o.isCaller
      ? { sendKey: callerToCallee, receiveKey: calleeToCaller }
      : { sendKey: calleeToCaller, receiveKey: callerToCallee };
  }

  #sign(
    step: Step,
    epoch: number,
    said: Pick<KeyMessage, 'key' | 'early'>,
    before: Bytes,
  ): Promise<KeyMessage> {
    return signMessage(this.#o.device, { step, epoch, ...said }, this.#own, before);
  }

  #mayBegin(): boolean {
    this.#begun++;
    if (this.#begun > MAX_AGREEMENTS) this.#refuse('too_many');
    return this.#begun <= MAX_AGREEMENTS;
  }

  #refuse(why: Refusal): void {
    this.emit('refused', why);
  }

  /** One message at a time: each needs what the one before has left. */
  #inOrder(run: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(async () => {
      if (!this.#closed) await run();
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }
}

/** Nothing for what is not base64url; no key is that short. */
function keyBytes(key: string): Bytes {
  try {
    return fromBase64Url(key);
  } catch {
    return NOTHING_BEFORE;
  }
}
