import { isoTime } from '../clock.ts';
import type { InboxEvent } from '../events/outbox.ts';
import type { CallEffect } from './effects.ts';
import type { CallView } from './shapes.ts';
import { type Call, durationSec, mediaOf, personOf } from './state.ts';

/** A call as the contract shows it, at `now` (epoch ms). The same for both people. */
export function callView(call: Call, now: number): CallView {
  const talking = call.phase === 'active' || call.phase === 'ended';
  const pending = call.phase === 'active' ? call.pending : null;
  return {
    id: call.id,
    matchId: call.matchId,
    callerId: call.callerId,
    calleeId: call.calleeId,
    phase: call.phase,
    media: mediaOf(call),
    mediaRequested: call.mediaRequested,
    createdAt: isoTime(call.createdAt)!,
    ringUntil: isoTime(call.ringUntil)!,
    startedAt: isoTime(talking ? call.startedAt : null),
    endsAt: isoTime(talking ? call.endsAt : null),
    extensions: talking ? call.extensions : 0,
    maxExtensions: call.maxExtensions,
    pending: pending && {
      kind: pending.kind,
      by: personOf(call, pending.by),
      until: isoTime(pending.until)!,
    },
    outcome: call.phase === 'ended' ? call.outcome : null,
    durationSec: durationSec(call, now),
  };
}

/** The durable part of the effects, addressed. */
export function inboxEvents(call: Call, effects: readonly CallEffect[], now: number): InboxEvent[] {
  return effects
    .filter((effect) => effect.kind === 'notify')
    .map((effect) => ({
      userId: personOf(call, effect.to),
      type: effect.type,
      payload: { call: callView(call, now) },
    }));
}
