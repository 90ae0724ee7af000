import type { CallSession } from '../../sdk/call/CallSession.ts';
import { DuetApiError } from '../../sdk/DuetApiError.ts';
import type { Call, Card, Media, Outcome } from '../../sdk/types.ts';
import { duet, exposeCall } from '../duet.ts';
import { matches, seeMatch } from './matches.ts';
import { Store } from './Store.ts';
import { say, sayError } from './toasts.ts';

export type Ended = {
  peer: Card;
  matchId: string;
  outcome: Outcome | null;
  durationSec: number;
  callId: string;
};

type CallsState = {
  /** Somebody calls. */
  incoming: { call: Call; from: Card } | null;
  /** The call that one is in, from dialling to hanging up. `session` is null until the server has answered. */
  current: { session: CallSession | null; peer: Card; outgoing: boolean } | null;
  /** How the last call ended, until it is closed. */
  ended: Ended | null;
};

const NONE: CallsState = { incoming: null, current: null, ended: null };
const PRELOAD_AFTER_MS = 2_000;
/** Remembered over a reload, so that the page comes back to its call. */
const CALL_KEY = 'duet.call';

export const calls = new Store<CallsState>(NONE);
let ringTimer: ReturnType<typeof setTimeout> | undefined;
/** A seat in the call that rings, taken early where somebody looks at the page: the answer finds everything ready. */
let early: CallSession | undefined;

/** Follows the inbox for calls, and comes back to the one that a reload interrupted. */
export function openCalls(): void {
  const { inbox } = duet;
  inbox.on('call:incoming', ({ call, from }) => {
    // Null: the caller is gone meanwhile.
    if (from) ring(call, from);
  });
  const stopRinging = (call: Call) => {
    if (calls.value.incoming?.call.id === call.id) stopRing();
  };
  inbox.on('call:answered', ({ call }) => stopRinging(call));
  inbox.on('call:rejected', ({ call }) => stopRinging(call));
  inbox.on('call:ended', ({ call }) => stopRinging(call));
  void comeBack();
  // Not needed for the page to come up, so it may wait until the page has.
  setTimeout(() => void duet.calls.preload(), PRELOAD_AFTER_MS);
}

export function closeCalls(): void {
  stopRing();
  calls.value.current?.session?.leave();
  sessionStorage.removeItem(CALL_KEY);
  exposeCall(null);
  calls.set(NONE);
}

export async function startCall(matchId: string, peer: Card, media: Media = 'audio'): Promise<void> {
  if (calls.value.current) return;
  calls.set({ current: { session: null, peer, outgoing: true }, ended: null });
  await enter(() => duet.startCall(matchId, { media }), peer, true);
}

/** Answers; `video` consents to the video that the caller asked for. */
export async function answer(media: Media = 'audio'): Promise<void> {
  const { incoming, current } = calls.value;
  if (!incoming) return;
  const ready = early?.link === 'connected' ? early : undefined;
  if (ready) early = undefined;
  stopRing();
  current?.session?.leave();
  calls.set({ current: { session: null, peer: incoming.from, outgoing: false }, ended: null });
  const begin = async () => {
    if (!ready) return await duet.answerCall(incoming.call.id, { media });
    await ready.answer(media).catch((error) => {
      ready.leave();
      throw error;
    });
    return ready;
  };
  await enter(begin, incoming.from, false);
}

export async function decline(): Promise<void> {
  const { incoming } = calls.value;
  if (!incoming) return;
  stopRing();
  await duet.calls.reject(incoming.call.id).catch((error) => {
    // It may have ended by itself meanwhile, which is as good.
    if (!(error instanceof DuetApiError) || error.status !== 409) sayError(error);
  });
}

export function closeEnded(): void {
  calls.set({ ended: null });
}

function ring(call: Call, from: Card): void {
  const { current } = calls.value;
  // Both called at once: the own call is this one.
  if (current && (current.session?.id === call.id || (current.outgoing && current.peer.id === from.id)))
    return;
  const untilMs = Date.parse(call.ringUntil) - duet.clock.now();
  if (call.phase !== 'ringing' || untilMs <= 0) return;
  calls.set({ incoming: { call, from } });
  void duet.calls.preload();
  if (!current && document.visibilityState === 'visible') void sitDownEarly(call.id);
  clearTimeout(ringTimer);
  ringTimer = setTimeout(stopRing, untilMs + 2_000);
}

/** Best effort: without it the answer takes the seat. Another device of the same person may take it over. */
async function sitDownEarly(callId: string): Promise<void> {
  const session = await duet.joinCall(callId).catch(() => undefined);
  if (!session) return;
  const isStillWanted = calls.value.incoming?.call.id === callId;
  if (!isStillWanted || early) return session.leave();
  early = session;
  session.on('ended', () => {
    if (early === session) early = undefined;
  });
}

function stopRing(): void {
  clearTimeout(ringTimer);
  early?.leave();
  early = undefined;
  if (calls.value.incoming) calls.set({ incoming: null });
}

async function enter(begin: () => Promise<CallSession>, peer: Card, outgoing: boolean): Promise<void> {
  try {
    const session = await begin();
    if (!calls.value.current) {
      // Hung up before the server had answered.
      await session.end();
      return;
    }
    follow(session, peer, outgoing);
  } catch (error) {
    if (calls.value.current?.session === null) calls.set({ current: null });
    sayError(error);
  }
}

/** Gives up a call that the server has not answered for yet. */
export function abandon(): void {
  if (calls.value.current?.session === null) calls.set({ current: null });
}

function follow(session: CallSession, peer: Card, outgoing: boolean): void {
  sessionStorage.setItem(CALL_KEY, session.id);
  exposeCall(session);
  seeMatch(session.snapshot.matchId);
  calls.set({ current: { session, peer, outgoing } });
  session.on('ended', ({ outcome, durationSec, elsewhere }) => {
    sessionStorage.removeItem(CALL_KEY);
    if (calls.value.current?.session !== session) return;
    const { matchId, id } = session.snapshot;
    calls.set({
      current: null,
      ended: elsewhere ? null : { peer, matchId, outcome, durationSec, callId: id },
    });
    if (elsewhere) say('This call goes on somewhere else.');
  });
}

async function comeBack(): Promise<void> {
  const callId = sessionStorage.getItem(CALL_KEY);
  if (!callId || calls.value.current) return;
  try {
    const session = await duet.joinCall(callId);
    const { matchId } = session.snapshot;
    const known = matches.value.active.find((match) => match.id === matchId)?.peer;
    follow(session, known ?? (await duet.people.card(session.peerId)), false);
  } catch {
    sessionStorage.removeItem(CALL_KEY);
  }
}
