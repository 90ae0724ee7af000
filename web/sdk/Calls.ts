import type { Auth } from './Auth.ts';
import { CallSession } from './call/CallSession.ts';
import { LocalTracks } from './call/LocalTracks.ts';
import type { OwnDevice } from './e2ee/OwnDevice.ts';
import type { Http } from './Http.ts';
import { persist } from './persist.ts';
import type { Seats } from './Seats.ts';
import type { ServerClock } from './ServerClock.ts';
import type { Call, Media, Seat } from './types.ts';

type CallAndSeat = { call: Call; seat: Seat };
type Parts = { http: Http; auth: Auth; seats: Seats; clock: ServerClock; device: OwnDevice };

/** Starting, answering and coming back to calls. Each way ends in a `CallSession`. */
export class Calls {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Loads what a call needs before there is one, so that answering is quick. What does not come now, the call asks for. */
  async preload(): Promise<void> {
    const media = import('mediasoup-client').catch(() => undefined);
    await Promise.all([media, this.#parts.device.preload()]);
  }

  /**
   * Calls the other of a match. When the other has just called too, both have the same call, and wanting to call is
   * answering it. A server that cannot be reached is asked again for some twenty seconds: it may ring at the other's
   * already. Errors: `MATCH_NOT_ACTIVE`, `BUSY`, `EMAIL_UNVERIFIED`, `TOO_MANY_REQUESTS`.
   */
  async start(matchId: string, options: { media?: Media } = {}): Promise<CallSession> {
    const media = options.media ?? 'audio';
    const session = await this.#talk(() => this.#parts.seats.insist(`/calls/initiate/${matchId}`, { media }));
    const { phase, calleeId } = session.snapshot;
    if (phase === 'ringing' && calleeId === session.userId) {
      // Nobody else has this session yet, so nobody else would give it up.
      await session.answer(media).catch((error) => {
        session.leave();
        throw error;
      });
    }
    return session;
  }

  /**
   * Answers a call that rings; `media: 'video'` consents to the video that the caller asked for. A server that cannot be
   * reached is asked again for some twenty seconds. Errors: `WRONG_PHASE`, `CALL_NOT_ACTIVE`.
   */
  answer(callId: string, options: { media?: Media } = {}): Promise<CallSession> {
    const media = options.media ?? 'audio';
    return this.#talk(() => this.#parts.seats.insist(`/calls/${callId}/answer`, { media }));
  }

  /**
   * Takes a seat in a call that one is part of: after a reload, on another device, or while it rings, so that all but
   * the microphone is ready when the person answers. The caller does not learn of it. Rejects with the signal's reason,
   * without having sat down, where `signal` is aborted before the server answers.
   */
  async join(callId: string, { signal }: { signal?: AbortSignal } = {}): Promise<CallSession> {
    assertWebRtc();
    const asking = this.#parts.seats.ask<CallAndSeat>(`/calls/${callId}/join`);
    return await this.#sit(asking, new LocalTracks(), signal);
  }

  /** Declines a call without ever sitting down in it. The server is told until it answers, for some twenty seconds. */
  async reject(callId: string): Promise<void> {
    await persist(() => this.#parts.http.post(`/calls/${callId}/reject`));
  }

  async get(callId: string): Promise<Call> {
    return (await this.#parts.http.get<{ call: Call }>(`/calls/${callId}`)).call;
  }

  /** Sits down in order to talk: the microphone comes up while the server is asked, and is sent once both are in. */
  async #talk(ask: () => Promise<CallAndSeat>): Promise<CallSession> {
    assertWebRtc();
    const local = new LocalTracks();
    void local.open('audio');
    return await this.#sit(ask(), local);
  }

  async #sit(asking: Promise<CallAndSeat>, local: LocalTracks, signal?: AbortSignal): Promise<CallSession> {
    try {
      const { call, seat } = await asking;
      signal?.throwIfAborted();
      return new CallSession({ ...this.#parts, call, seat, local, userId: this.#parts.auth.userId ?? '' });
    } catch (error) {
      local.close();
      throw error;
    }
  }
}

/** Before anybody's telephone rings, or a call is answered: where there is none (in Node, say) nobody would be heard. */
function assertWebRtc(): void {
  if (typeof RTCPeerConnection === 'undefined') throw new Error('Calls need WebRTC, as browsers have it.');
}
