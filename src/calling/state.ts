/**
 * What a call is: a union of phases that each own their fields, plain data, stored whole in `calls.state`.
 * All times are epoch milliseconds of the database's clock.
 */
import type { MediaKind, OUTCOMES } from './shapes.ts';

export type Outcome = (typeof OUTCOMES)[number];

/** The two people of a call, by role. */
export type Role = 'caller' | 'callee';

interface CallBase {
  id: string;
  matchId: string;
  callerId: string;
  calleeId: string;
  createdAt: number;
  ringUntil: number;
  maxExtensions: number;
  /** What the caller asked for; `media` is what both consented to. */
  mediaRequested: MediaKind;
}

interface LiveBase extends CallBase {
  /** Since when a person's client is not in the room; null while it is. */
  absentSince: Record<Role, number | null>;
}

/** It rings: the callee has not answered yet. */
export interface RingingCall extends LiveBase {
  phase: 'ringing';
}

/** Answered; media does not flow both ways yet, the clock stands. */
export interface ConnectingCall extends LiveBase {
  phase: 'connecting';
  media: MediaKind;
  /** Somebody wanted no video (any more): the caller's wish for it does not become a question. */
  videoWithdrawn?: true;
  /** When the attempt to connect is given up. */
  connectUntil: number;
}

/** They talk and the clock runs. */
export interface ActiveCall extends LiveBase {
  phase: 'active';
  media: MediaKind;
  startedAt: number;
  endsAt: number;
  extensions: number;
  /** Whether `call:timeout_warning` was sent for the present `endsAt`. */
  warned: boolean;
  /** What one person asked and the other has not answered. */
  pending: { kind: 'extend' | 'upgrade'; by: Role; until: number } | null;
}

/** Over. Nothing changes any more. */
export interface EndedCall extends CallBase {
  phase: 'ended';
  media: MediaKind;
  outcome: Outcome;
  startedAt: number | null;
  endsAt: number | null;
  endedAt: number;
  extensions: number;
}

export type LiveCall = RingingCall | ConnectingCall | ActiveCall;
export type Call = LiveCall | EndedCall;

/** The durations that the rules go by, from the configuration. */
export interface CallSettings {
  /** How long it rings. */
  ringMs: number;
  /** What the clock starts with. */
  durationMs: number;
  /** What one extension adds. */
  extensionMs: number;
  maxExtensions: number;
  /** How long before the end both are warned. */
  warningMs: number;
  /** How long a request to extend or upgrade stands. */
  requestMs: number;
  /** How long a person may be gone, and how long connecting may take. */
  reconnectMs: number;
}

/** The call's role of a person, or undefined for everybody else. */
export function roleOf(call: Call, userId: string): Role | undefined {
  if (userId === call.callerId) return 'caller';
  return userId === call.calleeId ? 'callee' : undefined;
}

export function personOf(call: Call, role: Role): string {
  return role === 'caller' ? call.callerId : call.calleeId;
}

/** The other of the two. */
export function peerOf({ callerId, calleeId }: Call, userId: string): string {
  return userId === callerId ? calleeId : callerId;
}

export function otherRole(role: Role): Role {
  return role === 'caller' ? 'callee' : 'caller';
}

/** What both consented to so far. */
export function mediaOf(call: Call): MediaKind {
  return call.phase === 'ringing' ? 'audio' : call.media;
}

/** What may be produced now: nothing before the answer, video after both consented. */
export function mediaPolicy(call: Call): { audio: boolean; video: boolean } {
  const talking = call.phase === 'connecting' || call.phase === 'active';
  return { audio: talking, video: talking && mediaOf(call) === 'video' };
}

/** Whether a person's being in the room is nobody's business: while it rings the caller does not learn of the callee. */
export function hidesPresence(call: Call, userId: string): boolean {
  return call.phase === 'ringing' && userId === call.calleeId;
}

/** How long they have talked, in whole seconds, at `now` (or in all, once ended). */
export function durationSec(call: Call, now: number): number {
  if (call.phase === 'active') return Math.max(0, Math.floor((now - call.startedAt) / 1000));
  if (call.phase === 'ended' && call.startedAt !== null) {
    return Math.max(0, Math.round((call.endedAt - call.startedAt) / 1000));
  }
  return 0;
}
