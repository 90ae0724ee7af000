import type { LinkState } from '../RoomLink.ts';
import type { Call, Outcome } from '../types.ts';
import type { CallSnapshot } from './CallSnapshot.ts';
import type { Kind } from './LocalTracks.ts';

export type VideoStep = 'full' | 'reduced' | 'off';

/** How it ended. `elsewhere`: it goes on, on another device of the same person. */
export type CallEnd = { outcome: Outcome | null; durationSec: number; elsewhere: boolean };

export type CallEvents = {
  /** Anything of `snapshot` changed. */
  change: CallSnapshot;
  /** The connection to the room. */
  link: LinkState;
  /** The other's track of a kind came or went; `remote` holds the streams. */
  remote: { kind: Kind; track: MediaStreamTrack | null };
  /** Own devices: what is on, muted, lost. */
  local: undefined;
  quality: { userId: string; mos: number };
  warning: { remainingMs: number };
  /** What the other (or oneself, on another device) did: `extend_declined`, `peer_dropped`, ... */
  notice: { type: string; by: string | undefined };
  /** It is over. */
  ended: CallEnd;
};

/** What the call's room says, as far as a session reads it. */
export type RoomPayload = {
  call?: Call;
  producerId?: string;
  consumerId?: string;
  userId?: string;
  by?: string;
  mos?: number;
  remainingMs?: number;
  step?: VideoStep;
};
