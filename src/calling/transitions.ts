/**
 * The rules of a call: `(call, command, by, now) → { call, effects } | refusal`.
 *
 * Synchronous and total: every phase × command × role is decided here and nowhere else, for both doors alike. No
 * clock, database, room or SFU is touched; what is to happen outside is returned as effects. A command that changes
 * nothing (a repeated end, the same request again) returns the call it was given. What takes both people's consent is in
 * `requests.ts`.
 *
 * A deadline that has passed comes before any command: the actor applies `tick` until `dueAt` lies ahead.
 */
import type { Refusal } from '../errors.ts';
import { type CallChange, type CallEffect, unchanged } from './effects.ts';
import { asked, declined, downgraded, lapsed, requested } from './requests.ts';
import type { MediaKind } from './shapes.ts';
import {
  type ActiveCall,
  type Call,
  type CallSettings,
  type ConnectingCall,
  type EndedCall,
  type LiveCall,
  mediaOf,
  type Outcome,
  type RingingCall,
  type Role,
} from './state.ts';

/** What people ask for. */
export type PersonCommand =
  /** `media: 'video'` consents to the video that the caller asked for. */
  | { type: 'answer'; media?: MediaKind }
  | { type: 'reject' }
  | { type: 'end' }
  | { type: 'extend' }
  | { type: 'decline_extend' }
  | { type: 'upgrade' }
  | { type: 'decline_upgrade' }
  | { type: 'downgrade' }
  /** The person's client is in the room. */
  | { type: 'joined' }
  /** The person's last client left the room. */
  | { type: 'dropped' };

/** What the server itself has to say. */
export type SystemCommand =
  /** RTP went through to both people. */
  | { type: 'media_flowing' }
  /** The pair was severed: a block, an ended match, a banned or deleted account. */
  | { type: 'sever' }
  /** The actor is held again after nobody held it since `heldUntil`. */
  | { type: 'recover'; heldUntil: number }
  /** A deadline may have passed. */
  | { type: 'tick' };

/** A new call, ringing. */
export function ring(
  ids: { id: string; matchId: string; callerId: string; calleeId: string },
  mediaRequested: MediaKind,
  settings: CallSettings,
  now: number,
): { call: RingingCall; effects: CallEffect[] } {
  return {
    call: {
      ...ids,
      phase: 'ringing',
      mediaRequested,
      createdAt: now,
      ringUntil: now + settings.ringMs,
      maxExtensions: settings.maxExtensions,
      absentSince: { caller: now, callee: now },
    },
    effects: [{ kind: 'notify', to: 'callee', type: 'call:incoming' }],
  };
}

/** A person's command. */
export function byPerson(
  call: Call,
  command: PersonCommand,
  by: Role,
  now: number,
  settings: CallSettings,
): CallChange | Refusal {
  if (call.phase === 'ended') return afterEnd(call, command);
  switch (command.type) {
    case 'joined':
      return joined(call, by);
    case 'dropped':
      return dropped(call, by, now);
    case 'end':
      return endedBy(call, by, now);
    case 'answer':
      return call.phase === 'ringing'
        ? answered(call, command.media, by, now, settings)
        : { refused: 'WRONG_PHASE' };
    case 'reject':
      if (call.phase !== 'ringing') return { refused: 'WRONG_PHASE' };
      return by === 'callee' ? finish(call, 'rejected', now) : { refused: 'FORBIDDEN' };
    case 'downgrade':
      return call.phase === 'ringing' ? { refused: 'WRONG_PHASE' } : downgraded(call, by);
    case 'extend':
    case 'upgrade':
      if (call.phase !== 'active') return { refused: 'WRONG_PHASE' };
      return asked(call, command.type, by, now, settings);
    case 'decline_extend':
      return call.phase === 'active' ? declined(call, 'extend', by) : { refused: 'WRONG_PHASE' };
    case 'decline_upgrade':
      return call.phase === 'active' ? declined(call, 'upgrade', by) : { refused: 'WRONG_PHASE' };
  }
}

/** A command of the server itself. */
export function bySystem(
  call: Call,
  command: SystemCommand,
  now: number,
  settings: CallSettings,
): CallChange {
  if (call.phase === 'ended') return unchanged(call);
  switch (command.type) {
    case 'media_flowing':
      return call.phase === 'connecting' ? started(call, now, settings) : unchanged(call);
    case 'sever':
      return finish(call, call.phase === 'active' ? 'completed' : 'unavailable', now);
    case 'recover':
      return recovered(call, command.heldUntil, now);
    case 'tick':
      return ticked(call, now, settings);
  }
}

/** The next moment at which `tick` changes the call, or null when none will. */
export function dueAt(call: Call, settings: CallSettings): number | null {
  switch (call.phase) {
    case 'ringing':
      return call.ringUntil;
    case 'connecting':
      return call.connectUntil;
    case 'active':
      return Math.min(
        call.endsAt,
        call.warned ? Number.POSITIVE_INFINITY : call.endsAt - settings.warningMs,
        call.pending?.until ?? Number.POSITIVE_INFINITY,
        lostAt(call, settings) ?? Number.POSITIVE_INFINITY,
      );
    case 'ended':
      return null;
  }
}

// Each phase's part -------------------------------------------------------------------------------------------------

function afterEnd(call: EndedCall, command: PersonCommand): CallChange | Refusal {
  const isSo =
    command.type === 'end' ||
    command.type === 'dropped' ||
    (command.type === 'reject' && call.outcome === 'rejected');
  return isSo ? unchanged(call) : { refused: 'CALL_NOT_ACTIVE' };
}

function answered(
  call: RingingCall,
  media: MediaKind | undefined,
  by: Role,
  now: number,
  settings: CallSettings,
): CallChange | Refusal {
  if (by === 'caller') return { refused: 'FORBIDDEN' };
  const bothWantVideo = call.mediaRequested === 'video' && media === 'video';
  return {
    call: {
      ...call,
      phase: 'connecting',
      media: bothWantVideo ? 'video' : 'audio',
      connectUntil: now + settings.reconnectMs,
    },
    effects: [
      { kind: 'notify', to: 'caller', type: 'call:answered' },
      { kind: 'notify', to: 'callee', type: 'call:answered' },
      { kind: 'say', type: 'call:answered', by },
    ],
  };
}

function started(call: ConnectingCall, now: number, settings: CallSettings): CallChange {
  const { connectUntil: _, videoWithdrawn, ...rest } = call;
  const active: ActiveCall = {
    ...rest,
    phase: 'active',
    startedAt: now,
    endsAt: now + settings.durationMs,
    extensions: 0,
    warned: false,
    pending: null,
    absentSince: {
      caller: call.absentSince.caller === null ? null : now,
      callee: call.absentSince.callee === null ? null : now,
    },
  };
  // The video that the caller asked for and the callee did not consent to on answering becomes a question.
  if (call.mediaRequested === 'video' && call.media === 'audio' && !videoWithdrawn)
    return requested(active, 'upgrade', 'caller', now, settings);
  return { call: active, effects: [] };
}

function endedBy(call: LiveCall, by: Role, now: number): CallChange {
  switch (call.phase) {
    case 'ringing':
      return finish(call, by === 'caller' ? 'cancelled' : 'rejected', now);
    case 'connecting':
      return finish(call, 'cancelled', now);
    case 'active':
      return finish(call, 'completed', now);
  }
}

function joined(call: LiveCall, by: Role): CallChange {
  if (call.absentSince[by] === null) return unchanged(call);
  // Coming for the first time is no return, though it be late.
  const back =
    call.phase === 'active' || (call.phase === 'connecting' && call.absentSince[by] !== call.createdAt);
  return {
    call: { ...call, absentSince: { ...call.absentSince, [by]: null } },
    effects: back ? [{ kind: 'say', type: 'call:peer_back', by }] : [],
  };
}

function dropped(call: LiveCall, by: Role, now: number): CallChange {
  if (call.absentSince[by] !== null) return unchanged(call);
  // Nobody is told who is there while it rings: as if they had never come.
  if (call.phase === 'ringing')
    return { call: { ...call, absentSince: { ...call.absentSince, [by]: call.createdAt } }, effects: [] };
  return {
    call: { ...call, absentSince: { ...call.absentSince, [by]: now } },
    effects: [{ kind: 'say', type: 'call:peer_dropped', by }],
  };
}

/** The outage is credited: every deadline moves by as long as nobody held the call, and both get time to return. */
function recovered(call: LiveCall, heldUntil: number, now: number): CallChange {
  const outageMs = Math.max(0, now - heldUntil);
  const absentSince = { caller: now, callee: now };
  switch (call.phase) {
    case 'ringing': {
      const neverSeen = { caller: call.createdAt, callee: call.createdAt };
      return { call: { ...call, absentSince: neverSeen, ringUntil: call.ringUntil + outageMs }, effects: [] };
    }
    case 'connecting':
      return { call: { ...call, absentSince, connectUntil: call.connectUntil + outageMs }, effects: [] };
    case 'active': {
      const pending = call.pending && { ...call.pending, until: call.pending.until + outageMs };
      return { call: { ...call, absentSince, pending, endsAt: call.endsAt + outageMs }, effects: [] };
    }
  }
}

function ticked(call: LiveCall, now: number, settings: CallSettings): CallChange {
  switch (call.phase) {
    case 'ringing':
      return now >= call.ringUntil ? finish(call, 'missed', now) : unchanged(call);
    case 'connecting':
      return now >= call.connectUntil ? finish(call, 'failed', now) : unchanged(call);
    case 'active':
      return tickedActive(call, now, settings);
  }
}

function tickedActive(call: ActiveCall, now: number, settings: CallSettings): CallChange {
  // What fell due first happens first, also when several are overdue at once.
  const lost = lostAt(call, settings);
  if (lost !== null && now >= lost && lost < call.endsAt) return finish(call, 'failed', lost);
  if (now >= call.endsAt) return finish(call, 'timed_out', call.endsAt);
  if (call.pending !== null && now >= call.pending.until) {
    return lapsed(call, call.pending);
  }
  if (!call.warned && now >= call.endsAt - settings.warningMs) {
    return {
      call: { ...call, warned: true },
      effects: [{ kind: 'say', type: 'call:timeout_warning', remainingMs: call.endsAt - now }],
    };
  }
  return unchanged(call);
}

/** When the call is given up because somebody has been gone for too long, or null while both are there. */
function lostAt(call: ActiveCall, settings: CallSettings): number | null {
  const gone = [call.absentSince.caller, call.absentSince.callee].filter((since) => since !== null);
  return gone.length === 0 ? null : Math.min(...gone) + settings.reconnectMs;
}

function finish(call: LiveCall, outcome: Outcome, now: number): CallChange {
  const ended: EndedCall = {
    id: call.id,
    matchId: call.matchId,
    callerId: call.callerId,
    calleeId: call.calleeId,
    createdAt: call.createdAt,
    ringUntil: call.ringUntil,
    maxExtensions: call.maxExtensions,
    mediaRequested: call.mediaRequested,
    phase: 'ended',
    media: mediaOf(call),
    outcome,
    startedAt: call.phase === 'active' ? call.startedAt : null,
    endsAt: call.phase === 'active' ? call.endsAt : null,
    endedAt: now,
    extensions: call.phase === 'active' ? call.extensions : 0,
  };
  const rejected: CallEffect[] =
    outcome === 'rejected'
      ? [
          { kind: 'notify', to: 'caller', type: 'call:rejected' },
          { kind: 'notify', to: 'callee', type: 'call:rejected' },
          { kind: 'say', type: 'call:rejected' },
        ]
      : [];
  return {
    call: ended,
    effects: [
      ...rejected,
      { kind: 'notify', to: 'caller', type: 'call:ended' },
      { kind: 'notify', to: 'callee', type: 'call:ended' },
      { kind: 'say', type: 'call:ended' },
    ],
  };
}
