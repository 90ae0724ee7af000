import { backoffMs, pause } from '../backoff.ts';
import { CLOSED, endsSession } from '../closeCodes.ts';
import { DuetApiError } from '../DuetApiError.ts';
import { Emitter } from '../Emitter.ts';
import { CallEncryption } from '../e2ee/CallEncryption.ts';
import type { OwnDevice } from '../e2ee/OwnDevice.ts';
import type { Http } from '../Http.ts';
import { persist, within } from '../persist.ts';
import { type LinkState, RoomLink } from '../RoomLink.ts';
import type { Seats } from '../Seats.ts';
import type { ServerClock } from '../ServerClock.ts';
import type { Call, Media, Seat } from '../types.ts';
import { CallDevices } from './CallDevices.ts';
import {
  type CallRoomState,
  type CallSnapshot,
  isAnswered,
  snapshotOfCall,
  snapshotOfState,
} from './CallSnapshot.ts';
import type { CallEnd, CallEvents, RoomPayload, VideoStep } from './callEvents.ts';
import { type CallStats, receivedStats } from './callStats.ts';
import type { Kind, LocalTracks } from './LocalTracks.ts';
import { MediaLink } from './MediaLink.ts';

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

type CallAndSeat = { call: Call; seat: Seat };
type Command = 'answer' | 'reject' | 'extend' | 'upgrade';

const MESSAGE_OF = {
  answer: 'call:answer',
  reject: 'call:reject',
  end: 'call:end',
  extend: 'call:extend_request',
  upgrade: 'call:upgrade_request',
} as const satisfies Record<Command | 'end', string>;

/** How long the room's last message may take after its last state. */
const LAST_WORD_MS = 400;
/** How long the server may take to say how the call ended. Of hanging up it is told all the same, in the background. */
const HANG_UP_MS = 2_000;
/** A room that has not answered by then is not asked again: HTTP is. */
const ROOM_ANSWER_MS = 1_200;
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
  /** The other's tracks; the streams stay the same objects, tracks come and go in them. */
  readonly remote: Record<Kind, MediaStream> = { audio: new MediaStream(), video: new MediaStream() };
  readonly userId: string;
  /** How much of the other's video the server sends here; less on a poor network, so that the voice stays good. */
  videoStep: VideoStep = 'full';
  /** How it ended, once it has. */
  ended: CallEnd | undefined;
  readonly #http: Http;
  readonly #seats: Seats;
  readonly #clock: ServerClock;
  readonly #link: RoomLink;
  #snapshot: CallSnapshot;
  #media: MediaLink | undefined;
  /** States that the room has sent, so that an answer over HTTP is known to be older than one of them. */
  #patches = 0;
  /** The answer is on its way: the person speaks. */
  #isAnswering = false;
  /** And that over HTTP. */
  #isPosting = false;
  /** Whether the person talks here once it is answered. Where it only rings, they may answer on another device. */
  #isOurs: boolean;
  /** Set from hanging up on: nothing is sent any more. */
  #hangingUp: Promise<void> | undefined;

  constructor(options: Options) {
    super();
    this.userId = options.userId;
    this.#http = options.http;
    this.#seats = options.seats;
    this.#clock = options.clock;
    this.#snapshot = snapshotOfCall(options.call);
    this.#isOurs = this.#snapshot.callerId === this.userId || isAnswered(this.#snapshot);
    this.devices = new CallDevices(options.local, {
      media: () => this.#media,
      wantsToTalk: () => this.#isOurs,
      maySend: (kind) => this.#maySend(kind),
      changed: () => this.emit('local', undefined),
    });
    this.#link = new RoomLink({
      seats: options.seats,
      // A device that only rings may come in between an answer and its seat, which takes the place back.
      isFinal: (code) => endsSession(code) && !(code === CLOSED.takenOver && this.#isPosting),
      askForSeat: async () => {
        // Nobody has asked for this one: it does not take the call from another device that talks by now.
        const body = { returns: true };
        const { call, seat } = await this.#seats.ask<CallAndSeat>(`/calls/${this.id}/join`, body);
        this.#take(snapshotOfCall(call, this.#snapshot.people));
        return seat;
      },
    });
    this.#link.on('state', (state) => this.emit('link', state));
    this.encryption = new CallEncryption({
      callId: this.id,
      userId: this.userId,
      peerId: this.peerId,
      isCaller: this.#snapshot.callerId === this.userId,
      device: options.device,
      ask: (type, payload) => this.#link.request(type, payload),
    });
    this.encryption.on('change', () => this.emit('change', this.#snapshot));
    this.#link.on('up', () => {
      this.encryption.begin();
      this.#rebuildMedia();
    });
    this.#link.on('patch', (state) => this.#takeState(state as CallRoomState));
    this.#link.on('message', ({ type, payload }) => this.#hear(type, payload as RoomPayload));
    this.#link.on('closed', ({ code, error }) => {
      void this.#settle(code === CLOSED.takenOver || error?.code === 'CONFLICT');
    });
    this.#link.open(options.seat);
  }

  get id(): string {
    return this.#snapshot.id;
  }

  get snapshot(): CallSnapshot {
    return this.#snapshot;
  }

  get link(): LinkState {
    return this.#link.state;
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
      await this.#seated();
      await this.#command('answer', { media });
    } catch (error) {
      const isRefused = error instanceof DuetApiError && !error.isTemporary;
      if (isRefused && !wasOurs) this.#giveUp();
      throw error;
    } finally {
      this.#isAnswering = false;
    }
  }

  reject = (): Promise<void> => this.#command('reject');
  /** Asks for more time, or consents to the other's asking. Errors: `WRONG_PHASE`, `EXTENSION_LIMIT`. */
  extend = (): Promise<void> => this.#command('extend');
  declineExtend = (): Promise<void> => this.#say('call:extend_decline');
  /** Asks for video, or consents to it. */
  upgrade = (): Promise<void> => this.#command('upgrade');
  declineUpgrade = (): Promise<void> => this.#say('call:upgrade_decline');
  /** Takes the consent to video back; both go on with audio. */
  downgrade = (): Promise<void> => this.#say('call:downgrade');

  /**
   * Hangs up (cancels while it rings). Microphone and camera are off at once, and the session is over within two seconds
   * even if the server does not answer; it is told until it does, or until the call must be over anyway.
   */
  end(): Promise<void> {
    this.#hangingUp ??= this.#hangUp();
    return this.#hangingUp;
  }

  /** What the browser counted so far. */
  async stats(): Promise<CallStats> {
    return (await this.#media?.stats()) ?? receivedStats();
  }

  /** A message of the call's room that this class has no method for; rejects with a DuetApiError. */
  request<T>(type: string, payload: object = {}): Promise<T> {
    return this.#link.request<T>(type, payload);
  }

  /** Lets go of this device's part without ending the call. */
  leave(): void {
    this.#finish(true);
  }

  async #hangUp(): Promise<void> {
    if (this.ended) return;
    this.devices.close();
    this.#dropMedia();
    await Promise.race([this.#tellEnd(), pause(HANG_UP_MS)]);
    this.#finish(false);
  }

  async #tellEnd(): Promise<void> {
    const { phase, ringUntilMs, endsAtMs } = this.#snapshot;
    const dueMs = phase === 'ringing' ? ringUntilMs : endsAtMs;
    const untilMs = Math.max(dueMs ?? 0, this.#clock.now()) + TELL_LATER_MS;
    if (this.#link.state === 'connected') {
      const isAnswered = this.#say(MESSAGE_OF.end).then(
        () => true,
        () => false,
      );
      if (await Promise.race([isAnswered, pause(ROOM_ANSWER_MS)])) return;
    }
    for (let attempt = 0; this.#clock.now() < untilMs; attempt++) {
      try {
        const { call } = await this.#http.post<{ call: Call }>(`/calls/${this.id}/end`);
        return this.#take(snapshotOfCall(call, this.#snapshot.people));
      } catch (error) {
        // Refused: it was over already.
        if (error instanceof DuetApiError && !error.isTemporary) return await this.#reload();
      }
      await pause(backoffMs(attempt));
    }
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

  async #command(command: Command, body?: object): Promise<void> {
    // Who answers or declines is not to keep the other waiting.
    const isUrgent = command === 'answer' || command === 'reject';
    let wasLost = false;
    if (this.#link.state === 'connected') {
      try {
        const saying = this.#say(MESSAGE_OF[command], body);
        return await (isUrgent ? within(saying, ROOM_ANSWER_MS) : saying);
      } catch (error) {
        // A socket may be dead without knowing.
        wasLost = error instanceof DuetApiError && error.code === 'NETWORK';
        if (!wasLost || !isUrgent) throw error;
      }
    }
    // Another device has the seat: answered from here, the other would talk to nobody.
    if (command === 'answer' && this.#link.state === 'closed') throw DuetApiError.network();
    const patches = this.#patches;
    const { call } = await this.#post(command, body).catch((error) => {
      // The room had heard; only what it said was lost.
      if (!wasLost || !(error instanceof DuetApiError) || error.code !== 'WRONG_PHASE') throw error;
      return this.#http.get<{ call: Call }>(`/calls/${this.id}`);
    });
    if (patches === this.#patches || call.phase === 'ended') {
      this.#take(snapshotOfCall(call, this.#snapshot.people));
    }
  }

  async #post(command: Command, body?: object): Promise<{ call: Call }> {
    const path = `/calls/${this.id}/${command}`;
    if (command === 'answer') {
      this.#isPosting = true;
      const { call, seat } = await this.#seats.insist<CallAndSeat>(path, body).finally(() => {
        this.#isPosting = false;
      });
      // By one that was asked for while it rang it would be another device's to take over.
      this.#link.sit(seat);
      return { call };
    }
    const ask = () => this.#http.post<{ call: Call }>(path, body);
    return command === 'reject' ? persist(ask) : ask();
  }

  /** Until the room is there, which it soon is where it is at all. */
  async #seated(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (state: LinkState) => {
      if (state === 'connected' || state === 'closed') resolve();
    };
    const forget = this.#link.on('state', look);
    look(this.#link.state);
    await Promise.race([promise, pause(ROOM_ANSWER_MS)]);
    forget();
  }

  async #say(type: string, body?: object): Promise<void> {
    const { call } = await this.#link.request<{ call: Call }>(type, body);
    this.#take(snapshotOfCall(call, this.#snapshot.people));
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
      this.#media?.allow();
      void this.devices.send('audio');
    }
    if (isAnswered(snapshot) && snapshot.media === 'video') void this.devices.startVideo();
    if (snapshot.media !== 'video' && before.media === 'video') this.devices.stopVideo();
  }

  #takeState(state: CallRoomState): void {
    this.#patches += 1;
    // How long it was is not in the state. The message that follows says it; if none does, HTTP.
    if (state.phase === 'ended') setTimeout(() => void this.#settle(false), LAST_WORD_MS);
    else this.#take(snapshotOfState(state, this.#snapshot));
    const peer = this.#snapshot.people[this.peerId];
    if (!peer) return;
    const seen = { produces: peer.audio || peer.video, isAble: peer.e2eeAble };
    this.encryption.noteRoom(seen, isAnswered(this.#snapshot));
  }

  #hear(type: string, payload: RoomPayload): void {
    if (payload?.call) this.#take(snapshotOfCall(payload.call, this.#snapshot.people));
    if (type === 'media:producer') {
      void this.#media?.consume(String(payload.producerId), payload.consumerId).catch(() => undefined);
    } else if (type === 'media:producer_closed') {
      this.#media?.drop(String(payload.producerId));
    } else if (type === 'media:restart') {
      this.#rebuildMedia();
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

  #rebuildMedia(): void {
    if (this.ended || this.#hangingUp) return;
    this.#dropMedia();
    this.videoStep = 'full';
    const asking = this.#http.get<{ iceServers: RTCIceServer[] }>('/calls/ice-servers');
    const iceServers = within(asking, ICE_SERVERS_MS)
      .then((answer) => answer.iceServers)
      .catch(() => []);
    const { frames } = this.encryption;
    const media = new MediaLink((type, payload) => this.#link.request(type, payload), iceServers, frames);
    this.#media = media;
    media.on('remote', ({ kind, track }) => this.#takeRemote(kind, track));
    // A new seat comes with new transports.
    media.on('broken', () => this.#link.renew());
    if (isAnswered(this.#snapshot)) media.allow();
    void this.devices.prepare();
  }

  #takeRemote(kind: Kind, track: MediaStreamTrack | null): void {
    const stream = this.remote[kind];
    for (const old of stream.getTracks()) stream.removeTrack(old);
    if (track) stream.addTrack(track);
    this.emit('remote', { kind, track });
  }

  #dropMedia(): void {
    this.#media?.close();
    this.#media = undefined;
    for (const kind of ['audio', 'video'] as const) {
      if (this.remote[kind].getTracks().length > 0) this.#takeRemote(kind, null);
    }
  }

  /** The room is gone or the call is over: finds out how it ended, and tells it once. */
  async #settle(isTakenOver: boolean): Promise<void> {
    if (this.ended) return;
    this.devices.close();
    this.#dropMedia();
    await Promise.race([this.#reload(), pause(HANG_UP_MS)]);
    this.#finish(isTakenOver && this.#snapshot.phase !== 'ended');
  }

  /** What HTTP knows of the call, if it can be asked. */
  async #reload(): Promise<void> {
    const answer = await this.#http.get<{ call: Call }>(`/calls/${this.id}`).catch((error) => {
      if (!(error instanceof DuetApiError)) throw error;
    });
    if (answer && !this.ended) this.#snapshot = snapshotOfCall(answer.call, this.#snapshot.people);
  }

  #finish(elsewhere: boolean): void {
    if (this.ended) return;
    const { phase, outcome, startedAtMs } = this.#snapshot;
    // As far as it is known here, where the server has not said.
    const ranMs = phase === 'active' && startedAtMs !== null ? this.#clock.now() - startedAtMs : 0;
    const durationSec = this.#snapshot.durationSec || Math.max(0, Math.floor(ranMs / 1000));
    this.ended = { outcome, durationSec, elsewhere };
    this.#dropMedia();
    this.encryption.close();
    this.devices.close();
    this.#link.close();
    this.emit('change', this.#snapshot);
    this.emit('ended', this.ended);
    this.clear();
  }
}
