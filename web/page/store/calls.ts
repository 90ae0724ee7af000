import { backoffMs, pause } from '../../sdk/backoff.ts';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { CallEnd } from '../../sdk/call/callEvents.ts';
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

/** From dialling or answering to hanging up. `session` is null until the server has answered. */
type Current = { session: CallSession | null; peer: Card; outgoing: boolean };

type Early = { asking: AbortController; session?: CallSession };

type Incoming = { call: Call; from: Card };

type CallsState = {
  /** Somebody calls. */
  incoming: Incoming | null;
  /** The call that one is in. */
  current: Current | null;
  /** How the last call ended, until it is closed. */
  ended: Ended | null;
};

const NONE: CallsState = { incoming: null, current: null, ended: null };
const PRELOAD_AFTER_MS = 2_000;
/** Remembered over a reload, so that the page comes back to its call. */
const CALL_KEY = 'duet.call';
/** How long a call waits for one that was given up just before: the server lets nobody be in two. */
const EARLIER_MS = 5_000;

export const calls = new Store<CallsState>(NONE);
let ringTimer: ReturnType<typeof setTimeout> | undefined;
/** A seat in the call that rings, taken early where somebody looks at the page: the answer finds everything ready. */
let early: Early | undefined;
/** What the attempt of the moment answers, if it comes about: where it fails, this rings (again). */
let behind: Incoming | null = null;
/** Settles when what was begun last is a call, is given up, or has failed. */
let earlier: Promise<void> = Promise.resolve();

/** Follows the inbox for calls, and comes back to the one that a reload interrupted. */
export function openCalls(): void {
  const { inbox } = duet;
  inbox.on('call:incoming', ({ call, from }) => {
    // Null: the caller is gone meanwhile.
    if (from) ring(call, from);
  });
  const stopRinging = (call: Call) => {
    if (behind?.call.id === call.id) behind = null;
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
  const { current } = calls.value;
  stopRing();
  sessionStorage.removeItem(CALL_KEY);
  exposeCall(null);
  behind = null;
  calls.set(NONE);
  // After that: it is not shown any more how it ends here.
  current?.session?.leave();
}

export async function startCall(matchId: string, peer: Card, media: Media = 'audio'): Promise<void> {
  if (calls.value.current) return;
  await enter({ session: null, peer, outgoing: true }, () => duet.startCall(matchId, { media }));
}

/** Answers; `video` consents to the video that the caller asked for. */
export async function answer(media: Media = 'audio'): Promise<void> {
  const { incoming, current } = calls.value;
  if (!incoming) return;
  // Also one that is still on its way in: a second seat of this device's would be thrown out by it.
  const ready = early?.session?.link === 'closed' ? undefined : early?.session;
  if (ready) early = undefined;
  stopRing();
  current?.session?.leave();
  const anew = () => duet.answerCall(incoming.call.id, { media });
  const begin = async () => {
    if (!ready) return await anew();
    try {
      await ready.answer(media);
      return ready;
    } catch (error) {
      const isTaken = ready.link === 'closed';
      ready.leave();
      if (!isTaken) throw error;
      // Another device of the same person's has just sat down there: the answer takes the seat back.
      return await anew();
    }
  };
  await enter({ session: null, peer: incoming.from, outgoing: false }, begin, incoming);
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
  if (current?.session?.id === call.id) return;
  // Both called at once: the own call is this one, if it comes about.
  if (current?.outgoing && current.peer.id === from.id) {
    behind = { call, from };
    return;
  }
  const untilMs = Date.parse(call.ringUntil) - duet.clock.now();
  if (call.phase !== 'ringing' || untilMs <= 0) return;
  // With the seat that was taken early: the answer is to go to the one who is shown.
  if (calls.value.incoming?.call.id !== call.id) stopRing();
  calls.set({ incoming: { call, from } });
  void duet.calls.preload();
  if (!current && document.visibilityState === 'visible') void sitDownEarly(call.id);
  clearTimeout(ringTimer);
  ringTimer = setTimeout(stopRing, untilMs + 2_000);
}

/** Best effort: without it the answer takes the seat. Another device of the same person may take it over. */
async function sitDownEarly(callId: string): Promise<void> {
  if (early) return;
  const seat: Early = { asking: new AbortController() };
  early = seat;
  const forget = () => {
    if (early === seat) early = undefined;
  };
  const session = await duet.joinCall(callId, { signal: seat.asking.signal }).catch(() => undefined);
  if (!session) return forget();
  if (early !== seat) return session.leave();
  seat.session = session;
  session.on('ended', forget);
}

function stopRing(): void {
  clearTimeout(ringTimer);
  early?.asking.abort();
  early?.session?.leave();
  early = undefined;
  if (calls.value.incoming) calls.set({ incoming: null });
}

async function enter(
  attempt: Current,
  begin: () => Promise<CallSession>,
  answers: Incoming | null = null,
): Promise<void> {
  const before = Promise.race([earlier, pause(EARLIER_MS)]);
  behind = answers;
  calls.set({ current: attempt, ended: null });
  earlier = before.then(() => proceed(attempt, begin));
  await earlier;
}

async function proceed(attempt: Current, begin: () => Promise<CallSession>): Promise<void> {
  const isWanted = () => calls.value.current === attempt;
  if (!isWanted()) return;
  try {
    const session = await begin();
    if (isWanted()) follow(session, attempt);
    // Hung up before the server had answered.
    else await session.end();
  } catch (error) {
    if (!isWanted()) return;
    calls.set({ current: null });
    sayError(error);
    const isRefused = error instanceof DuetApiError && !error.isTemporary;
    if (behind && (attempt.outgoing || !isRefused)) ring(behind.call, behind.from);
  }
}

/** Gives up a call that the server has not answered for yet. */
export function abandon(): void {
  if (calls.value.current?.session === null) calls.set({ current: null });
}

function follow(session: CallSession, { peer, outgoing }: Pick<Current, 'peer' | 'outgoing'>): void {
  sessionStorage.setItem(CALL_KEY, session.id);
  exposeCall(session);
  seeMatch(session.snapshot.matchId);
  calls.set({ current: { session, peer, outgoing } });
  const end = ({ outcome, durationSec, elsewhere }: CallEnd) => {
    sessionStorage.removeItem(CALL_KEY);
    if (calls.value.current?.session !== session) return;
    const { matchId, id } = session.snapshot;
    calls.set({
      current: null,
      ended: elsewhere ? null : { peer, matchId, outcome, durationSec, callId: id },
    });
    if (elsewhere) say('This call goes on somewhere else.');
  };
  // It may have ended before anybody listened.
  if (session.ended) end(session.ended);
  else session.on('ended', end);
}

async function comeBack(): Promise<void> {
  const callId = sessionStorage.getItem(CALL_KEY);
  const isWanted = () => sessionStorage.getItem(CALL_KEY) === callId && !calls.value.current;
  for (let attempt = 0; callId && isWanted(); attempt++) {
    try {
      const session = await duet.joinCall(callId);
      const peer = await peerOf(session);
      if (!isWanted()) return session.leave();
      return follow(session, { peer, outgoing: false });
    } catch (error) {
      const isOver = !(error instanceof DuetApiError) || !error.isTemporary;
      if (isOver) return sessionStorage.removeItem(CALL_KEY);
    }
    if (attempt === 0) say('Coming back to your call.');
    await pause(backoffMs(attempt));
  }
}

async function peerOf(session: CallSession): Promise<Card> {
  const { matchId } = session.snapshot;
  const known = matches.value.active.find((match) => match.id === matchId)?.peer;
  if (known) return known;
  return await duet.people.card(session.peerId).catch((error) => {
    session.leave();
    throw error;
  });
}
