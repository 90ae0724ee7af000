import { Encoder, type SchemaType, schema, t } from '@colyseus/schema';
import { type Call, mediaOf, personOf } from '../src/calling/state.ts';

// A call's state is some 400 bytes and its description some 500; by default a room keeps two buffers of 16 KiB.
Encoder.BUFFER_SIZE = 1024;

const PersonState = schema(
  {
    /** Whether a client of this person is in the room. */
    connected: t.boolean(),
    /** Whether this person sends audio, video. */
    audio: t.boolean(),
    video: t.boolean(),
    /** What this person's client says of its frames: `off`, `on` (encrypted end to end) or `verified`. */
    e2ee: t.string(),
    /** Whether it says that it can encrypt them. */
    e2eeAble: t.boolean(),
  },
  'PersonState',
);

/** A call as its two people's screens follow it. Times in epoch ms of the server's clock, 0 and '' for none. */
export const CallState = schema(
  {
    id: t.string(),
    matchId: t.string(),
    callerId: t.string(),
    calleeId: t.string(),
    phase: t.string(),
    media: t.string(),
    mediaRequested: t.string(),
    ringUntil: t.number(),
    startedAt: t.number(),
    endsAt: t.number(),
    extensions: t.number(),
    maxExtensions: t.number(),
    pendingKind: t.string(),
    pendingBy: t.string(),
    pendingUntil: t.number(),
    outcome: t.string(),
    people: t.map(PersonState),
  },
  'CallState',
);
export type CallState = SchemaType<typeof CallState>;

/** A fresh state for a call. */
export function newCallState(call: Call): CallState {
  const state = new CallState();
  state.id = call.id;
  state.matchId = call.matchId;
  state.callerId = call.callerId;
  state.calleeId = call.calleeId;
  state.mediaRequested = call.mediaRequested;
  state.maxExtensions = call.maxExtensions;
  for (const userId of [call.callerId, call.calleeId]) {
    const person = new PersonState();
    person.connected = false;
    person.audio = false;
    person.video = false;
    person.e2ee = 'off';
    person.e2eeAble = false;
    state.people.set(userId, person);
  }
  showCall(state, call);
  return state;
}

/** Writes a call's present phase into the state. */
export function showCall(state: CallState, call: Call): void {
  const pending = call.phase === 'active' ? call.pending : null;
  const talked = call.phase === 'active' || call.phase === 'ended' ? call : null;
  state.phase = call.phase;
  state.media = mediaOf(call);
  state.ringUntil = call.ringUntil;
  state.startedAt = talked?.startedAt ?? 0;
  state.endsAt = talked?.endsAt ?? 0;
  state.extensions = talked?.extensions ?? 0;
  state.pendingKind = pending?.kind ?? '';
  state.pendingBy = pending === null ? '' : personOf(call, pending.by);
  state.pendingUntil = pending?.until ?? 0;
  state.outcome = call.phase === 'ended' ? call.outcome : '';
}
