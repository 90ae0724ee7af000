import type { Auth } from './Auth.ts';
import { CallSession } from './call/CallSession.ts';
import { LocalTracks } from './call/LocalTracks.ts';
import type { OwnDevice } from './e2ee/OwnDevice.ts';
import type { Http } from './Http.ts';
import type { Seats } from './Seats.ts';
import type { ServerClock } from './ServerClock.ts';
import type { Call, Media, Seat } from './types.ts';

type Parts = { http: Http; auth: Auth; seats: Seats; clock: ServerClock; device: OwnDevice };

/** Starting, answering and coming back to calls. Each way ends in a `CallSession`. */
export class Calls {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Loads what a call needs before there is one, so that answering is quick. */
  async preload(): Promise<void> {
    await Promise.all([import('mediasoup-client'), this.#parts.device.prepare()]);
  }

  /**
   * Calls the other of a match. When the other has just called too, both have the same call, and wanting to call is
   * answering it. Errors: `MATCH_NOT_ACTIVE`, `BUSY`, `EMAIL_UNVERIFIED`.
   */
  async start(matchId: string, options: { media?: Media } = {}): Promise<CallSession> {
    const media = options.media ?? 'audio';
    const session = await this.#talk(`/calls/initiate/${matchId}`, { media }, crypto.randomUUID());
    const { phase, calleeId } = session.snapshot;
    if (phase === 'ringing' && calleeId === session.userId) await session.answer(media);
    return session;
  }

  /** Answers a call that rings; `media: 'video'` consents to the video that the caller asked for. Errors: `WRONG_PHASE`, `CALL_NOT_ACTIVE`. */
  answer(callId: string, options: { media?: Media } = {}): Promise<CallSession> {
    return this.#talk(`/calls/${callId}/answer`, { media: options.media ?? 'audio' });
  }

  /**
   * Takes a seat in a call that one is part of: after a reload, on another device, or while it rings, so that all but
   * the microphone is ready when the person answers. The caller does not learn of it. Rejects with the signal's reason,
   * without having sat down, where `signal` is aborted before the server answers.
   */
  join(callId: string, options: { signal?: AbortSignal } = {}): Promise<CallSession> {
    return this.#sit(`/calls/${callId}/join`, new LocalTracks(), options);
  }

  /** Declines a call without ever sitting down in it. */
  async reject(callId: string): Promise<void> {
    await this.#parts.http.post(`/calls/${callId}/reject`);
  }

  async get(callId: string): Promise<Call> {
    return (await this.#parts.http.get<{ call: Call }>(`/calls/${callId}`)).call;
  }

  /** Sits down in order to talk: the microphone comes up while the server is asked, and is sent once both are in. */
  #talk(path: string, body: unknown, idempotencyKey?: string): Promise<CallSession> {
    const local = new LocalTracks();
    void local.open('audio');
    return this.#sit(path, local, { body, idempotencyKey });
  }

  async #sit(
    path: string,
    local: LocalTracks,
    { body, idempotencyKey, signal }: { body?: unknown; idempotencyKey?: string; signal?: AbortSignal },
  ): Promise<CallSession> {
    try {
      const { call, seat } = await this.#parts.seats.ask<{ call: Call; seat: Seat }>(
        path,
        body,
        idempotencyKey,
      );
      signal?.throwIfAborted();
      return new CallSession({ ...this.#parts, call, seat, local, userId: this.#parts.auth.userId ?? '' });
    } catch (error) {
      local.close();
      throw error;
    }
  }
}
