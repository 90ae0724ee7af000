import type { Principal } from '../src/accounts/AccessTokens.ts';
import type { Actors } from '../src/actors/Actors.ts';
import type { Keeper } from '../src/actors/Keeper.ts';
import type { CallStore } from '../src/calling/CallStore.ts';
import type { Calls } from '../src/calling/Calls.ts';
import type { CallSettings } from '../src/calling/state.ts';
import type { Clock } from '../src/clock.ts';
import type { InboxHub } from '../src/events/InboxHub.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import type { Log } from '../src/log.ts';
import type { Matches } from '../src/matching/Matches.ts';
import type { MatchSettings } from '../src/matching/transitions.ts';
import type { CallMedia } from '../src/media/CallMedia.ts';
import type { CallMediaOptions } from '../src/media/callMediaPort.ts';
import type { QualitySummary } from '../src/media/QualityTally.ts';

/** What the rooms are given. */
export interface RoomServices {
  /** Checks an access token; throws DuetError. */
  authenticate(accessToken: string): Principal;
  /** The public key that was registered for a sign-in (base64url), if any. */
  deviceKeyOf(sessionId: string): Promise<string | undefined>;
  /** Whether a session has ended, as far as this process knows: within a second of it. */
  isRevoked(sessionId: string): boolean;
  /** Calls `listener` when sessions are revoked. Returns how to stop. */
  onRevoked(listener: (revoked: { userId: string; sessionIds: readonly string[] }) => void): () => void;
  actors: Actors;
  keeper: Keeper;
  calls: Calls;
  callStore: CallStore;
  callSettings: CallSettings;
  matches: Matches;
  matchSettings: MatchSettings;
  /** Hands committed events on, to sockets and to devices without one. */
  publish(events: readonly StoredEvent[]): void;
  /** Sees to the push of a call that rings, which may have been nobody's business so far. */
  ring(call: { id: string; calleeId: string }): void;
  hub: InboxHub;
  /** An event's payload as it is shown: what expires (signed photos) is filled in on delivery, where there is any. */
  present(event: StoredEvent): object | Promise<object>;
  createMedia(options: CallMediaOptions): Promise<CallMedia>;
  /** Told of a client whose messages are refused because there are too many: once for each client. */
  messagesRefused(by: Principal, room: string): void;
  /** Told how a person heard the other in a call that is over. */
  observeQuality(heard: QualitySummary): void;
  /** Told of a room that could not be ended in order as the process ends. */
  endFailed(error: unknown): void;
  clock: Clock;
  log: Log;
  /** Where clients reach this process, told with seats that were asked for in another one. */
  publicAddress?: string;
  /** Messages a client may send in a minute, and those that set media up, counted apart. */
  limits: { messagesPerMin: number; mediaMessagesPerMin: number };
}
