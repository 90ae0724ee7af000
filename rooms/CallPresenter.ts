import type { CallMediaAudience } from '../src/calling/CallMediaHost.ts';
import type { SayEffect } from '../src/calling/effects.ts';
import { type EncryptionClaim, NO_CLAIM, type PublicKey, PublicKeys } from '../src/calling/PublicKeys.ts';
import type { MediaKind } from '../src/calling/shapes.ts';
import { type Call, durationSec, hidesPresence, peerOf, personOf } from '../src/calling/state.ts';
import { callView } from '../src/calling/view.ts';
import type { Clock } from '../src/clock.ts';
import type { LiveProducer } from '../src/media/PersonMedia.ts';
import type { SdpMessage } from '../src/media/plain/PlainPeer.ts';
import type { Quality } from '../src/media/QualityMeter.ts';
import type { VideoStep } from '../src/media/VideoSteps.ts';
import { type CallState, showCall } from './CallState.ts';

export interface CallPresenterOptions {
  /** What stands on their screens; written here only. */
  state: CallState;
  /** The call as it is now. */
  call: () => Call;
  clock: Clock;
  /** Whether a client of this person is in the room. */
  isHere: (userId: string) => boolean;
  /** Says something to one person's clients, or to everybody's. */
  say: (type: string, payload: object, userId?: string) => void;
  /** Sends what has changed of the state. */
  patch: () => void;
}

/**
 * What its two people see of a call: the state on their screens, and what their clients are told. While it rings, the
 * caller learns nothing of the callee: not who is in the room, nor with which keys.
 */
export class CallPresenter implements CallMediaAudience {
  readonly #options: CallPresenterOptions;
  readonly #keys = new PublicKeys();
  #isCalleeKnown = false;

  constructor(options: CallPresenterOptions) {
    this.#options = options;
  }

  /** The call is now this. */
  show(call: Call): void {
    showCall(this.#options.state, call);
    this.showPerson(call.calleeId);
    this.#tellCalleesKey(call);
  }

  /** What happened in the call. */
  announce({ kind: _, type, by, ...facts }: SayEffect, call: Call): void {
    const { clock, say } = this.#options;
    const now = clock.now();
    if (type === 'call:peer_dropped' || type === 'call:peer_back') {
      const userId = personOf(call, by!);
      say(type, { userId }, peerOf(call, userId));
      return;
    }
    const who = by === undefined ? {} : { by: personOf(call, by) };
    const ended =
      call.phase === 'ended' ? { outcome: call.outcome, durationSec: durationSec(call, now) } : {};
    say(type, { ...facts, ...who, ...ended, call: callView(call, now) });
  }

  /** Whether a person is here, and what their client says of its encryption. */
  showPerson(userId: string): void {
    const { state, call, isHere, patch } = this.#options;
    const isSecret = hidesPresence(call(), userId);
    const person = state.people.get(userId)!;
    person.connected = !isSecret && isHere(userId);
    const claim = isSecret ? NO_CLAIM : this.#keys.claimOf(userId);
    person.e2ee = claim.state;
    person.e2eeAble = claim.able;
    patch();
  }

  /** What a client says of its encryption. */
  takeClaim(userId: string, claim: EncryptionClaim): void {
    this.#keys.claim(userId, claim);
    this.showPerson(userId);
  }

  /** A public key for the other person's client. Throws what `PublicKeys.take` throws. */
  takeKey(userId: string, key: PublicKey): void {
    if (this.#keys.take(userId, key) && !hidesPresence(this.#options.call(), userId))
      this.#sayKey(userId, key);
  }

  /** The key of a person that the other is to have on coming in. */
  keyOf(userId: string): PublicKey | undefined {
    return hidesPresence(this.#options.call(), userId) ? undefined : this.#keys.of(userId);
  }

  /** The person's client is gone, or another one is there, with keys of its own. */
  forgetKeys(userId: string): void {
    this.#keys.forget(userId);
  }

  producerAdded({ userId, producerId, kind }: LiveProducer, consumerId?: string): void {
    this.#showMedia(userId, kind, true);
    const heard = consumerId === undefined ? {} : { consumerId };
    this.#sayToPeer(userId, 'media:producer', { producerId, kind, userId, ...heard });
  }

  producerPaused({ userId, kind }: LiveProducer, paused: boolean): void {
    this.#showMedia(userId, kind, !paused);
  }

  producerClosed({ userId, producerId, kind }: LiveProducer): void {
    this.#showMedia(userId, kind, false);
    this.#sayToPeer(userId, 'media:producer_closed', { producerId });
  }

  quality(userId: string, quality: Quality): void {
    this.#options.say('call:quality', { userId, ...quality });
  }

  videoStepped(userId: string, step: VideoStep): void {
    this.#options.say('call:video_step', { step }, userId);
  }

  sdp(userId: string, type: SdpMessage, sdp: string): void {
    this.#options.say(type, { sdp }, userId);
  }

  /** The worker is lost, and with it all that flowed. */
  restart(): void {
    const { state, patch, say } = this.#options;
    for (const person of state.people.values()) {
      person.audio = false;
      person.video = false;
    }
    patch();
    say('media:restart', {});
  }

  /** What the callee's client had to say while it rang. */
  #tellCalleesKey(call: Call): void {
    const { calleeId } = call;
    if (this.#isCalleeKnown || hidesPresence(call, calleeId)) return;
    this.#isCalleeKnown = true;
    const key = this.#keys.of(calleeId);
    if (key !== undefined) this.#sayKey(calleeId, key);
  }

  #sayKey(userId: string, key: PublicKey): void {
    this.#sayToPeer(userId, 'call:e2ee_key', { userId, ...key });
  }

  #sayToPeer(userId: string, type: string, payload: object): void {
    const { call, say } = this.#options;
    say(type, payload, peerOf(call(), userId));
  }

  #showMedia(userId: string, kind: MediaKind, flows: boolean): void {
    const { state, patch } = this.#options;
    state.people.get(userId)![kind] = flows;
    patch();
  }
}
