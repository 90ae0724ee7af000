import type { EncryptionState } from '../e2ee/encryptionRule.ts';
import type { Call, Media, Outcome } from '../types.ts';

export type Phase = Call['phase'];

export type Pending = { kind: 'extend' | 'upgrade'; by: string; untilMs: number };

/** Whether a person is in the room, what of theirs flows, and what their client says of its encryption. */
export type Presence = {
  connected: boolean;
  audio: boolean;
  video: boolean;
  e2ee: EncryptionState;
  /** Whether it says that it can encrypt. */
  e2eeAble: boolean;
};

/** A call at one moment. Times are epoch milliseconds of the server's clock, null where there is none. */
export type CallSnapshot = {
  id: string;
  matchId: string;
  callerId: string;
  calleeId: string;
  phase: Phase;
  media: Media;
  /** What the caller asked for; `media` is what both consented to. */
  mediaRequested: Media;
  ringUntilMs: number | null;
  startedAtMs: number | null;
  endsAtMs: number | null;
  extensions: number;
  maxExtensions: number;
  pending: Pending | null;
  outcome: Outcome | null;
  durationSec: number;
  people: Record<string, Presence>;
};

/** The call room's state as it is decoded. 0 and `''` stand for "none". */
export type CallRoomState = {
  id: string;
  matchId: string;
  callerId: string;
  calleeId: string;
  phase: string;
  media: string;
  mediaRequested: string;
  ringUntil: number;
  startedAt: number;
  endsAt: number;
  extensions: number;
  maxExtensions: number;
  pendingKind: string;
  pendingBy: string;
  pendingUntil: number;
  outcome: string;
  people?: { forEach(visit: (person: Presence, userId: string) => void): void };
};

/** Of what HTTP and the room's messages call a call. Keeps `people` of what was known. */
export function snapshotOfCall(call: Call, people: Record<string, Presence> = {}): CallSnapshot {
  return {
    id: call.id,
    matchId: call.matchId,
    callerId: call.callerId,
    calleeId: call.calleeId,
    phase: call.phase,
    media: call.media,
    mediaRequested: call.mediaRequested,
    ringUntilMs: epochMs(call.ringUntil),
    startedAtMs: epochMs(call.startedAt),
    endsAtMs: epochMs(call.endsAt),
    extensions: call.extensions,
    maxExtensions: call.maxExtensions,
    pending: call.pending && {
      kind: call.pending.kind,
      by: call.pending.by,
      untilMs: epochMs(call.pending.until) ?? 0,
    },
    outcome: call.outcome,
    durationSec: call.durationSec,
    people,
  };
}

/** Of the room's state, after a patch. `durationSec` is not in it and stays as it was. */
export function snapshotOfState(state: CallRoomState, before: CallSnapshot): CallSnapshot {
  const people: Record<string, Presence> = {};
  state.people?.forEach((person, userId) => {
    const { connected, audio, video, e2ee, e2eeAble } = person;
    people[userId] = { connected, audio, video, e2ee, e2eeAble };
  });
  return {
    id: state.id,
    matchId: state.matchId,
    callerId: state.callerId,
    calleeId: state.calleeId,
    phase: state.phase as Phase,
    media: state.media as Media,
    mediaRequested: state.mediaRequested as Media,
    ringUntilMs: state.ringUntil || null,
    startedAtMs: state.startedAt || null,
    endsAtMs: state.endsAt || null,
    extensions: state.extensions,
    maxExtensions: state.maxExtensions,
    pending: state.pendingKind
      ? { kind: state.pendingKind as Pending['kind'], by: state.pendingBy, untilMs: state.pendingUntil }
      : null,
    outcome: (state.outcome || null) as Outcome | null,
    durationSec: before.durationSec,
    people,
  };
}

/** Whether two people may talk: it was answered and is not over. */
export function isAnswered(snapshot: CallSnapshot): boolean {
  return snapshot.phase === 'connecting' || snapshot.phase === 'active';
}

function epochMs(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}
