/**
 * What takes the consent of both: more time, and video. One person asks, the other accepts by asking for the same, or
 * declines; a request that nobody answers lapses. One stands at a time.
 */
import type { Refusal } from '../errors.ts';
import { type CallChange, type CallEffect, unchanged } from './effects.ts';
import { type ActiveCall, type CallSettings, type ConnectingCall, otherRole, type Role } from './state.ts';

type Request = NonNullable<ActiveCall['pending']>;

/** A person asks, or accepts what the other asked. */
export function asked(
  call: ActiveCall,
  kind: Request['kind'],
  by: Role,
  now: number,
  settings: CallSettings,
): CallChange | Refusal {
  const { pending } = call;
  if (kind === 'extend' && call.extensions >= call.maxExtensions) return { refused: 'EXTENSION_LIMIT' };
  if (kind === 'upgrade' && call.media === 'video') return unchanged(call);
  if (pending === null) return requested(call, kind, by, now, settings);
  if (pending.kind !== kind) return { refused: 'CONFLICT' };
  if (pending.by === by) return unchanged(call);
  return kind === 'extend' ? extended(call, by, settings) : upgraded(call, by);
}

/**
 * A person declines; the asker's own "no" takes the request back. One to video that comes when there is video has crossed
 * the other's consent, and ends it: nobody is seen who said no.
 */
export function declined(call: ActiveCall, kind: Request['kind'], by: Role): CallChange | Refusal {
  if (kind === 'upgrade' && call.media === 'video') return downgraded(call, by);
  return call.pending?.kind === kind ? cleared(call, kind, by) : { refused: 'WRONG_PHASE' };
}

/** Nobody answered in time: the silence is the other person's "no". */
export function lapsed(call: ActiveCall, { kind, by }: Request): CallChange {
  return cleared(call, kind, otherRole(by));
}

/** "No video": ends it where it is, and is an answer to whoever asks for it, the asker's own included. */
export function downgraded(call: ConnectingCall | ActiveCall, by: Role): CallChange {
  const wasVideo = call.media === 'video';
  const effects: CallEffect[] = wasVideo ? [{ kind: 'say', type: 'call:downgraded', by }] : [];
  if (call.phase === 'connecting') {
    if (call.mediaRequested === 'audio' || call.videoWithdrawn) return unchanged(call);
    return { call: { ...call, media: 'audio', videoWithdrawn: true }, effects };
  }
  if (call.pending?.kind === 'upgrade') return cleared(call, 'upgrade', by);
  return wasVideo ? { call: { ...call, media: 'audio' }, effects } : unchanged(call);
}

/** A request begins, in a call where none stands. */
export function requested(
  call: ActiveCall,
  kind: Request['kind'],
  by: Role,
  now: number,
  settings: CallSettings,
): CallChange {
  const until = Math.min(now + settings.requestMs, call.endsAt);
  return {
    call: { ...call, pending: { kind, by, until } },
    effects: [
      {
        kind: 'say',
        type: kind === 'extend' ? 'call:extend_requested' : 'call:upgrade_requested',
        by,
        until,
      },
    ],
  };
}

function extended(call: ActiveCall, by: Role, settings: CallSettings): CallChange {
  return {
    call: {
      ...call,
      endsAt: call.endsAt + settings.extensionMs,
      extensions: call.extensions + 1,
      warned: false,
      pending: null,
    },
    effects: [{ kind: 'say', type: 'call:extended', by }],
  };
}

function upgraded(call: ActiveCall, by: Role): CallChange {
  return {
    call: { ...call, media: 'video', pending: null },
    effects: [{ kind: 'say', type: 'call:upgraded', by }],
  };
}

/** No request stands any more; whose "no" it was is told. */
function cleared(call: ActiveCall, kind: Request['kind'], by: Role): CallChange {
  const type = kind === 'extend' ? 'call:extend_declined' : 'call:upgrade_declined';
  return { call: { ...call, pending: null }, effects: [{ kind: 'say', type, by }] };
}
