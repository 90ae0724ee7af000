/** The shapes that the SDK speaks: the contract's own, by type only, and the few that wrap them. */
import type { SessionItem } from '../../src/accounts/shapes.ts';
import type { CallView } from '../../src/calling/shapes.ts';
import type { MatchView } from '../../src/matching/shapes.ts';
import type { Card, Gender, Me, Photo } from '../../src/people/shapes.ts';

export type { Card, Gender, Me, Photo };
export type Call = CallView;
export type Match = MatchView;
export type Media = CallView['media'];
export type Outcome = NonNullable<CallView['outcome']>;

/** One page of a list. `nextCursor` is null on the last one. */
export type Page<T> = { items: T[]; nextCursor: string | null };

/** What `auth.login` and its like answer with. Times are ISO 8601. */
export type Tokens = {
  accessToken: string;
  accessTokenExpiresAt: string;
  refreshToken: string;
  refreshTokenExpiresAt: string;
  deviceId: string;
  user: Me;
  /** Of signing in to an account that had been deleted: its owner has it back. */
  restored?: true;
};

/** A device that is signed in; `current` is this one. Times are ISO 8601. */
export type SignedInDevice = SessionItem;

/** A place in a room, single-use. `serverNow` is the server's clock in epoch milliseconds when it was given. */
export type Seat = {
  name: string;
  roomId: string;
  processId: string;
  sessionId: string;
  publicAddress?: string;
  serverNow: number;
};

/** Body of `register`. `birthDate` is `YYYY-MM-DD`. */
export type Registration = {
  email: string;
  password: string;
  displayName: string;
  birthDate: string;
  gender: Gender;
};

/** Body of `people.updateMe`; what is left out stays. Coordinates are snapped to a grid cell by the server and not stored. */
export type ProfileUpdate = Partial<{
  displayName: string;
  gender: Gender;
  bio: string;
  interests: string[];
  location: { lat: number; lon: number } | null;
}>;

export type PreferencesUpdate = Partial<Me['preferences'] & Pick<Me, 'discoverable'>>;

export type ReportInput = { reason: string; details?: string; callId?: string; block?: boolean };

/** Somebody whom one has blocked. `blockedAt` is ISO 8601. */
export type BlockedPerson = { id: string; displayName: string; blockedAt: string };

/** What every inbox event carries beside its own fields. `at` is ISO 8601. */
export type Delivery = { seq: number; epoch: number; at: string };

/** The events of the inbox, by type. */
export type InboxEvents = {
  /** `match` is null when it is gone by the time that it is told of. */
  'match:created': { matchId: string; match: Match | null } & Delivery;
  'match:ready': { matchId: string } & Delivery;
  'match:ended': { matchId: string; status: string; reason: string | null } & Delivery;
  'match:timeout_warning': { matchId: string; remainingSec: number } & Delivery;
  'call:incoming': { call: Call; from: Card | null } & Delivery;
  'call:answered': { call: Call } & Delivery;
  'call:rejected': { call: Call } & Delivery;
  'call:ended': { call: Call; outcome?: Outcome; durationSec?: number } & Delivery;
  'session:revoked': Pick<Delivery, 'at'>;
};
