import { pause } from '../backoff.ts';
import { CLOSED } from '../closeCodes.ts';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import { CallEncryption } from '../e2ee/CallEncryption.ts';
import type { OwnDevice } from '../e2ee/OwnDevice.ts';
import type { Http } from '../Http.ts';
import { within } from '../persist.ts';
import type { LinkState } from '../RoomLink.ts';
import type { Seats } from '../Seats.ts';
import type { ServerClock } from '../ServerClock.ts';
import type { Call, Media, Seat } from '../types.ts';
import { CallDevices } from './CallDevices.ts';
import { CallMedia } from './CallMedia.ts';
import {
  type CallRoomState,
  type CallSnapshot,
  isAnswered,
  snapshotOfCall,
  snapshotOfState,
} from './CallSnapshot.ts';
import type { CallEnd, CallEvents, RoomPayload, VideoStep } from './callEvents.ts';
import type { CallStats } from './callStats.ts';
import type { Kind, LocalTracks } from './LocalTracks.ts';
import { Signalling } from './Signalling.ts';

type Options = {
  call: Call;
  seat: Seat;
  userId: string;
  http: Http;
  seats: Seats;
  clock: ServerClock;
  local: LocalTracks;
  device: OwnDevice;
};

/** How long the room's last message may take after its last state. */
const LAST_WORD_MS = 400;
/** How long the server may take to say how the call ended. Of hanging up it is told all the same, in the background. */
const HANG_UP_MS = 2_000;
/** How long after the call must be over by its own deadlines the server is told of hanging up. */
const TELL_LATER_MS = 60_000;
/** How long media waits to be told of TURN servers. Most people reach the server without; who does not is broken off and asks again. */
const ICE_SERVERS_MS = 3_000;

/**
 * One call: where it stands, what one may do about it, and its media. Loses its socket, its process or its network
 * without losing the call: a new seat is asked for, and transports are made anew.
 */
export class CallSession extends Emitter<CallEvents> {
  /** Own microphone and camera. */
  readonly devices: CallDevices;
  /** Encryption between the two devices, and how it stands. */
  readonly encryption: CallEncryption;
  readonly userId: string;
  /** How much of the other's video the server sends here; less on a poor network, so that the voice stays good. */
  videoStep: VideoStep = 'full';
  /** How it ended, once it has. */
  ended: CallEnd | undefined;
  readonly #http: Http;
  readonly #clock: ServerClock;
  readonly #signalling: Signalling;
  readonly #media: CallMedia;
  #snapshot: CallSnapshot;
  /** The answer is on its way: the person speaks. */
  #isAnswering = false;
  /** Whether the person talks here once it is answered. Where it only rings, they may answer on another device. */
  #isOurs: boolean;
  /** Set from hanging up on: nothing is sent any more. */
  #hangingUp: Promise<void> | undefined;

  constructor({ call, seat, userId, http, seats, clock, local, device }: Options) {
    super();
    this.userId = userId;
    this.#http = http;
    this.#clock = clock;
    this.#snapshot = snapshotOfCall(call);
    this.#isOurs = this.#snapshot.callerId === this.userId || isAnswered(this.#snapshot);
    this.#signalling = new Signalling({
      callId: call.id,
      http,
      seats,
      clock,
      wantsToTalk: () => this.#isOurs,
      take: (said) => this.#take(snapshotOfCall(said, this.#snapshot.people)),
    });
    const { link } = this.#signalling;
    this.encryption = new CallEncryption({
      callId: this.id,
      userId: this.userId,
      peerId: this.peerId,
      isCaller: this.#snapshot.callerId === this.userId,
      device,
      ask: (type, payload) => link.request(type, payload),
    });
    this.#media = new CallMedia({
      ask: (type, payload) => link.request(type, payload),
      iceServers: () => this.#iceServers(),
      frames: this.encryption.frames,
    });
    this.devices = new CallDevices(local, {
      media: () => this.#media.link,
      wantsToTalk: () => this.#isOurs,
      maySend: (kind) => this.#maySend(kind),
      changed: () => this.emit('local', undefined),
    });
    this.encryption.on('change', () => this.emit('change', this.#snapshot));
    this.#media.on('remote', (came) => this.emit('remote', came));
    // A new seat comes with new transports.
    this.#media.on('broken', () => link.renew());
    link.on('state', (state) => this.emit('link', state));
    link.on('up', () => {
      this.encryption.begin();
      this.#renewMedia();
    });
    link.on('patch', (state) => this.#takeState(state as CallRoomState));
    link.on('message', ({ type, payload }) => this.#hear(type, payload as RoomPayload));
    link.on('closed', ({ code, error }) => {
      void this.#settle(code === CLOSED.takenOver || error?.code === 'CONFLICT');
    });
    link.open(seat);
  }

  get id(): string {
    return this.#snapshot.id;
  }

  get snapshot(): CallSnapshot {
    return this.#snapshot;
  }

  get link(): LinkState {
    return this.#signalling.link.state;
  }

  /** The other's tracks; the streams stay the same objects, tracks come and go in them. */
  get remote(): Record<Kind, MediaStream> {
    return this.#media.remote;
  }

  /** The other person's id. */
  get peerId(): string {
    return this.#snapshot.callerId === this.userId ? this.#snapshot.calleeId : this.#snapshot.callerId;
  }

  /** Until the clock ends the call, by the server's clock; null while it does not run. */
  get remainingMs(): number | null {
    const { endsAtMs } = this.#snapshot;
    return endsAtMs === null ? null : Math.max(0, endsAtMs - this.#clock.now());
  }

  /** Milliseconds from now, by the server's clock, until a time of the snapshot. */
  untilMs(epochMs: number): number {
    return epochMs - this.#clock.now();
  }

  /** `video` consents to the video that the caller asked for. */
  async answer(media: Media = 'audio'): Promise<void> {
    const wasOurs = this.#isOurs;
    this.#isOurs = true;
    this.#isAnswering = true;
    void this.devices.prepare();
    try {
      // Said in the room, so that the room knows which device answers.
      await this.#signalling.seated();
      await this.#signalling.command('answer', { media });
    } catch (error) {
      const isRefused = error instanceof DuetApiError && !error.isTemporary;
      if (isRefused && !wasOurs) this.#giveUp();
      throw error;
    } finally {
      this.#isAnswering = false;
    }
  }

  reject = (): Promise<void> => this.#signalling.command('reject');
  /** Asks for more time, or consents to the other's asking. Errors: `WRONG_PHASE`, `EXTENSION_LIMIT`. */
  extend = (): Promise<void> => this.#signalling.command('extend');
  declineExtend = (): Promise<void> => this.#signalling.say('call:extend_decline');
  /** Asks for video, or consents to it. */
  upgrade = (): Promise<void> => this.#signalling.command('upgrade');
  declineUpgrade = (): Promise<void> => this.#signalling.say('call:upgrade_decline');
  /** Takes the consent to video back; both go on with audio. */
  downgrade = (): Promise<void> => this.#signalling.say('call:downgrade');

  /**
   * Hangs up (cancels while it rings). Microphone and camera are off at once, and the session is over within two seconds
   * even if the server does not answer; it is told until it does, or until the call must be over anyway.
   */
  end(): Promise<void> {
    this.#hangingUp ??= this.#hangUp();
    return this.#hangingUp;
  }

  /** What the browser counted so far. */
  stats(): Promise<CallStats> {
    return this.#media.stats();
  }

  /** A message of the call's room that this class has no method for; rejects with a DuetApiError. */
  request<T>(type: string, payload: object = {}): Promise<T> {
    return this.#signalling.link.request<T>(type, payload);
  }

  /** Lets go of this device's part without ending the call. */
  leave(): void {
    this.#finish(true);
  }

  async #hangUp(): Promise<void> {
    if (this.ended) return;
    this.devices.close();
    this.#media.close();
    await Promise.race([this.#tellEnd(), pause(HANG_UP_MS)]);
    this.#finish(false);
  }

  async #tellEnd(): Promise<void> {
    const { phase, ringUntilMs, endsAtMs } = this.#snapshot;
    const dueMs = phase === 'ringing' ? ringUntilMs : endsAtMs;
    const untilMs = Math.max(dueMs ?? 0, this.#clock.now()) + TELL_LATER_MS;
    if (!(await this.#signalling.end(untilMs))) await this.#reload();
  }

  /** The answer was refused: where the call was answered all the same, it was on another device. */
  #giveUp(): void {
    this.#isOurs = false;
    if (isAnswered(this.#snapshot)) this.#finish(true);
  }

  #maySend(kind: Kind): boolean {
    if (kind === 'audio' && this.#isAnswering) return true;
    return isAnswered(this.#snapshot) && (kind === 'audio' || this.#snapshot.media === 'video');
  }

  #take(snapshot: CallSnapshot): void {
    if (this.ended) return;
    const before = this.#snapshot;
    // Over is over: an answer that was on its way does not bring it back.
    if (before.phase === 'ended' && snapshot.phase !== 'ended') return;
    this.#snapshot = snapshot;
    this.emit('change', snapshot);
    if (snapshot.phase === 'ended') {
      this.#finish(false);
      return;
    }
    if (this.#hangingUp) return;
    if (isAnswered(snapshot) && !this.#isOurs) {
      this.#finish(true);
      return;
    }
    if (isAnswered(snapshot)) {
      this.#media.link?.allow();
      void this.devices.send('audio');
    }
    if (isAnswered(snapshot) && snapshot.media === 'video') void this.devices.startVideo();
    if (snapshot.media !== 'video' && before.media === 'video') this.devices.stopVideo();
  }

  #takeState(state: CallRoomState): void {
    // How long it was is not in the state. The message that follows says it; if none does, HTTP.
    if (state.phase === 'ended') setTimeout(() => void this.#settle(false), LAST_WORD_MS);
    else this.#take(snapshotOfState(state, this.#snapshot));
    const peer = this.#snapshot.people[this.peerId];
    if (!peer) return;
    const seen = { produces: peer.audio || peer.video, isAble: peer.e2eeAble, encrypts: peer.e2ee !== 'off' };
    this.encryption.noteRoom(seen, isAnswered(this.#snapshot));
  }

  #hear(type: string, payload: RoomPayload): void {
    if (payload?.call) this.#take(snapshotOfCall(payload.call, this.#snapshot.people));
    if (type === 'media:restart') {
      this.#renewMedia();
    } else if (type.startsWith('media:')) {
      this.#media.hear(type, payload);
    } else if (type === 'call:e2ee_key') {
      this.encryption.hear(payload);
    } else if (type === 'call:quality') {
      this.emit('quality', { userId: String(payload.userId), mos: Number(payload.mos) });
    } else if (type === 'call:video_step') {
      this.videoStep = payload.step ?? 'full';
      this.emit('change', this.#snapshot);
    } else if (type === 'call:timeout_warning') {
      this.emit('warning', { remainingMs: Number(payload.remainingMs) });
    } else if (type.startsWith('call:')) {
      this.emit('notice', { type: type.slice('call:'.length), by: payload?.by ?? payload?.userId });
    }
  }

  #renewMedia(): void {
    if (this.ended || this.#hangingUp) return;
    this.videoStep = 'full';
    this.#media.open(isAnswered(this.#snapshot));
    void this.devices.prepare();
  }

  /** None where they cannot be had: most people need no relay. */
  async #iceServers(): Promise<RTCIceServer[]> {
    const asking = this.#http.get<{ iceServers: RTCIceServer[] }>('/calls/ice-servers');
    return await within(asking, ICE_SERVERS_MS).then(
      ({ iceServers }) => iceServers,
      () => [],
    );
  }

  /** The room is gone or the call is over: finds out how it ended, and tells it once. */
  async #settle(isTakenOver: boolean): Promise<void> {
    if (this.ended) return;
    this.devices.close();
    this.#media.close();
    await Promise.race([this.#reload(), pause(HANG_UP_MS)]);
    this.#finish(isTakenOver && this.#snapshot.phase !== 'ended');
  }

  /** What HTTP knows of the call, if it can be asked. */
  async #reload(): Promise<void> {
    const call = await this.#signalling.read().catch((error) => {
      if (!(error instanceof DuetApiError)) throw error;
    });
    if (call && !this.ended) this.#snapshot = snapshotOfCall(call, this.#snapshot.people);
  }

  #finish(elsewhere: boolean): void {
    if (this.ended) return;
    const { phase, outcome, startedAtMs } = this.#snapshot;
    // As far as it is known here, where the server has not said.
    const ranMs = phase === 'active' && startedAtMs !== null ? this.#clock.now() - startedAtMs : 0;
    const durationSec = this.#snapshot.durationSec || Math.max(0, Math.floor(ranMs / 1000));
    this.ended = { outcome, durationSec, elsewhere };
    this.#media.close();
    this.encryption.close();
    this.devices.close();
    this.#signalling.link.close();
    this.emit('change', this.#snapshot);
    this.emit('ended', this.ended);
    this.clear();
  }
}
