import { Auth } from './Auth.ts';
import { Calls } from './Calls.ts';
import type { CallSession } from './call/CallSession.ts';
import { OwnDevice } from './e2ee/OwnDevice.ts';
import { Http } from './Http.ts';
import { Inbox } from './Inbox.ts';
import { Matches } from './Matches.ts';
import { MatchSession } from './MatchSession.ts';
import { People } from './People.ts';
import { Push } from './Push.ts';
import { Seats } from './Seats.ts';
import { ServerClock } from './ServerClock.ts';
import { MemoryStorage, type TokenStorage } from './TokenStorage.ts';
import type { Media } from './types.ts';

export type { CallSession } from './call/CallSession.ts';
export type { CallSnapshot, Pending, Phase, Presence } from './call/CallSnapshot.ts';
export type { CallEnd, CallEvents, VideoStep } from './call/callEvents.ts';
export type { CallStats } from './call/callStats.ts';
export type { Kind } from './call/LocalTracks.ts';
export { DuetApiError, type ErrorDetail } from './DuetApiError.ts';
export type { EncryptionSnapshot, EncryptionState, OffReason } from './e2ee/encryptionRule.ts';
export type { DeviceTrust } from './e2ee/KnownDevices.ts';
export type { Inbox } from './Inbox.ts';
export type { Decision } from './Matches.ts';
export type { MatchSession } from './MatchSession.ts';
export type { PushTarget } from './Push.ts';
export type { LinkState } from './RoomLink.ts';
export type { TokenStorage } from './TokenStorage.ts';
export type * from './types.ts';

export type DuetOptions = {
  /** Where the server is, without `/api/v1`; the page's own origin by default. */
  baseUrl?: string;
  /** Where tokens are kept; memory by default. */
  storage?: TokenStorage;
};

/** Duet from a browser: one instance is one signed-in person on one device. */
export class Duet {
  readonly auth: Auth;
  readonly people: People;
  readonly matches: Matches;
  readonly calls: Calls;
  readonly push: Push;
  readonly clock = new ServerClock();
  readonly #seats: Seats;
  #inbox: Inbox | undefined;

  constructor(options: DuetOptions = {}) {
    const http = new Http(options.baseUrl ?? globalThis.location.origin);
    this.auth = new Auth(http, options.storage ?? new MemoryStorage());
    http.useBearer(this.auth);
    this.auth.on('signedOut', () => this.closeInbox());
    this.auth.on('signedIn', () => this.#inbox?.open());
    this.people = new People(http);
    this.matches = new Matches(http);
    this.push = new Push(http);
    this.#seats = new Seats(http, this.auth, this.clock);
    const device = new OwnDevice(http, this.auth);
    this.calls = new Calls({ http, auth: this.auth, seats: this.#seats, clock: this.clock, device });
  }

  /**
   * The inbox of whoever is signed in, or will be: opened by the first asking or by signing in, closed by `closeInbox` and
   * by signing out.
   */
  get inbox(): Inbox {
    if (!this.#inbox) {
      const inbox = new Inbox(this.#seats);
      inbox.on('session:revoked', () => this.auth.end('revoked'));
      inbox.on('revoked', () => this.auth.end('revoked'));
      if (this.auth.isSignedIn) inbox.open();
      this.#inbox = inbox;
    }
    return this.#inbox;
  }

  closeInbox(): void {
    this.#inbox?.close();
    this.#inbox = undefined;
  }

  joinMatch(matchId: string): Promise<MatchSession> {
    return MatchSession.join(this.#seats, matchId);
  }

  startCall(matchId: string, options: { media?: Media } = {}): Promise<CallSession> {
    return this.calls.start(matchId, options);
  }

  answerCall(callId: string, options: { media?: Media } = {}): Promise<CallSession> {
    return this.calls.answer(callId, options);
  }

  joinCall(callId: string, options: { signal?: AbortSignal } = {}): Promise<CallSession> {
    return this.calls.join(callId, options);
  }
}
