/** Calls as a use case: starting one, reading one. What happens to a live call is its actor's (`CallActor`). */
import type { Clock } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import { type Sql, sql } from '../db/sql.ts';
import { DuetError, isRefusal } from '../errors.ts';
import { append, type StoredEvent } from '../events/outbox.ts';
import { newId } from '../ids.ts';
import { accept, type LockedMatch, lock, save } from '../matching/matchStore.ts';
import type { MatchChange, MatchSettings } from '../matching/transitions.ts';
import type { MediaKind } from './shapes.ts';
import { type Call, type CallSettings, type EndedCall, roleOf } from './state.ts';
import { byPerson, dueAt, type PersonCommand, ring } from './transitions.ts';
import { type IceServer, turnCredentials } from './turn.ts';
import { inboxEvents } from './view.ts';

export interface CallsOptions {
  db: Database;
  clock: Clock;
  settings: CallSettings;
  matchSettings: MatchSettings;
  /** The TURN server's shared secret and URLs; without either none is offered. */
  turn: { secret: string | undefined; urls: readonly string[] };
  /** Calls of a pair that nobody answered, in an hour, before the next is refused. */
  maxUnanswered: number;
  publish: (events: readonly StoredEvent[]) => void;
  /** Told of a call that rings already when it is asked for: nobody may have been pushed to. Default: nobody is told. */
  ring?: (call: { id: string; calleeId: string }) => void;
  /** Whether this process takes on new calls: not while it drains. */
  isOpen: () => boolean;
}

const UNANSWERED_WINDOW_MS = HOUR_MS;
/** How long a new call may go without anybody who holds it. */
export const UNHELD_MS = 1_000;
/** How long TURN credentials outlive the call's clock, for reconnecting at its very end. */
const TURN_MARGIN_SEC = 30;

const findState = sql<{ state: Call }>('call-state', 'select state from calls where id = $1');
const findLive = sql<{ state: Call }>(
  'call-live-of-match',
  `select state from calls where (match_id = $1 and phase <> 'ended') or id = $2
   order by (id = $2) desc nulls last limit 1`,
);
const findLiveOfUser = sql<{ state: Call }>(
  'call-live-of-user',
  'select c.state from live_calls l join calls c on c.id = l.call_id where l.user_id = $1',
);
const countUnanswered = sql<{ n: number; oldest: number | null }>(
  'call-unanswered',
  `select count(*) as n, min(c.created_at) as oldest from calls c
   where c.match_id = $1 and c.outcome in ('missed', 'cancelled')
     and c.created_at > $2
     and not exists (select from call_journal j where j.call_id = c.id and j.command = 'answer')`,
);
// It is held by whoever asked for it within milliseconds: after this the sweeper looks who does, and what it lost counts.
const insertCall = sql(
  'call-insert',
  `insert into calls (id, match_id, caller_id, callee_id, phase, state, created_at, due_at, leased_until)
   values ($1, $2, $3, $4, 'ringing', $5::jsonb, $6, $7, clock_timestamp() + interval '${UNHELD_MS} ms')`,
);
const insertLive = sql<{ user_id: string }>(
  'call-insert-live',
  `insert into live_calls (user_id, call_id) select u, $2 from unnest($1::uuid[]) as u order by u
   on conflict (user_id) do nothing returning user_id`,
);
const insertJournal = sql(
  'call-insert-journal',
  `insert into call_journal (call_id, version, at, epoch, command, by_id, phase, state)
   values ($1, 1, clock_timestamp(), 0, 'initiate', $2, 'ringing', $3::jsonb)`,
);

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** The call as last committed, for one of its two people; NOT_FOUND for everybody else. */
  async find(callId: string, viewerId: string): Promise<Call> {
    const [row] = await this.#options.db.query(findState, [callId]);
    if (row === undefined || roleOf(row.state, viewerId) === undefined) throw new DuetError('NOT_FOUND');
    return row.state;
  }

  /** The same, for who wants a seat in its room: CALL_NOT_ACTIVE when it is over. */
  async joinable(callId: string, viewerId: string): Promise<Call> {
    const call = await this.find(callId, viewerId);
    if (call.phase === 'ended') throw new DuetError('CALL_NOT_ACTIVE');
    return call;
  }

  /** The live call between the two of a match, if there is one. */
  async liveOf(matchId: string): Promise<Call | undefined> {
    const [row] = await this.#options.db.query(findLive, [matchId, null]);
    return row?.state;
  }

  /** What a command to a call that is over answers: the call, or why not. No actor is needed for it any more. */
  afterEnd(call: EndedCall, command: PersonCommand): Call {
    const answer = byPerson(call, command, 'caller', this.#options.clock.now(), this.#options.settings);
    if (isRefusal(answer)) throw new DuetError(answer.refused);
    return answer.call;
  }

  /**
   * TURN credentials for somebody in a live call, good until the call must be over plus a margin. Throws
   * CALL_NOT_ACTIVE for everybody else. No TURN server configured: an empty list; the SFU is reached directly.
   */
  async iceServers(userId: string): Promise<{ iceServers: IceServer[]; ttlSec: number }> {
    const [row] = await this.#options.db.query(findLiveOfUser, [userId]);
    if (row === undefined) throw new DuetError('CALL_NOT_ACTIVE');
    const { clock, settings, turn } = this.#options;
    const now = clock.now();
    const call = row.state;
    const endsAt = call.phase === 'active' ? call.endsAt : now + settings.ringMs + settings.durationMs;
    const ttlSec = Math.max(0, Math.ceil((endsAt - now) / 1000)) + TURN_MARGIN_SEC;
    if (turn.secret === undefined || turn.urls.length === 0) return { iceServers: [], ttlSec };
    const expiresAtSec = Math.floor(now / 1000) + ttlSec;
    return {
      iceServers: [turnCredentials(turn.secret, turn.urls, expiresAtSec, `${call.id} ${userId}`)],
      ttlSec,
    };
  }

  /**
   * Starts to ring. Where the two already have a live call, that call is the answer: both initiate at once and get
   * one. Where there is a call of this `id`, that one is; CALL_NOT_ACTIVE when it is over. Throws NOT_FOUND,
   * MATCH_NOT_ACTIVE, BUSY (one of the two is in another call), TOO_MANY_REQUESTS, UNAVAILABLE (no new calls here).
   */
  async initiate(matchId: string, userId: string, media: MediaKind, id = newId()): Promise<Call> {
    if (!this.#options.isOpen()) throw new DuetError('UNAVAILABLE');
    // The order of locks leaves no circle (docs/reliability.md); should a new statement make one, nobody is to notice.
    const call = await retryDeadlocks(() => this.#tryInitiate(id, matchId, userId, media));
    if (call.phase === 'ended') throw new DuetError('CALL_NOT_ACTIVE');
    return call;
  }

  async #tryInitiate(id: string, matchId: string, userId: string, media: MediaKind): Promise<Call> {
    const { db, clock, matchSettings, publish, ring, isOpen } = this.#options;
    const { call, events } = await db.transaction(async (tx) => {
      const match = await lock(tx, matchId, clock, matchSettings);
      if (match === undefined) throw new DuetError('NOT_FOUND');
      const accepted = accept(match, userId);
      const [live] = await tx.query(findLive, [matchId, id]);
      const isAgain = live?.state.id === id && roleOf(live.state, userId) !== undefined;
      if (isAgain) return { call: live.state, events: [] };
      if (isRefusal(accepted)) throw new DuetError(accepted.refused);
      if (live !== undefined) return { call: live.state, events: [] };
      await this.#refuseTooMany(tx, matchId);
      const made = await this.#insert(tx, id, match, accepted, userId, media);
      // What this process does not take on any more, as of now, would ring until another one finds it.
      if (!isOpen()) throw new DuetError('UNAVAILABLE');
      return made;
    });
    publish(events);
    // It may be this one, sent again because its commit was not answered.
    if (events.length === 0 && call.phase === 'ringing') ring?.(call);
    return call;
  }

  async #refuseTooMany(tx: Sql, matchId: string): Promise<void> {
    const now = this.#options.clock.now();
    const [unanswered] = await tx.query(countUnanswered, [matchId, new Date(now - UNANSWERED_WINDOW_MS)]);
    if (unanswered!.n < this.#options.maxUnanswered) return;
    const againAt = unanswered!.oldest! + UNANSWERED_WINDOW_MS;
    const retryAfterSec = Math.max(1, Math.ceil((againAt - now) / 1000));
    throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec });
  }

  async #insert(
    tx: Sql,
    id: string,
    locked: LockedMatch,
    accepted: MatchChange,
    callerId: string,
    media: MediaKind,
  ) {
    const { clock, settings, matchSettings } = this.#options;
    const { match } = accepted;
    const now = clock.now();
    const calleeId = callerId === match.lowId ? match.highId : match.lowId;
    const { call, effects } = ring({ id, matchId: match.id, callerId, calleeId }, media, settings, now);
    const state = JSON.stringify(call);
    const due = new Date(dueAt(call, settings)!);
    await tx.query(insertCall, [call.id, match.id, callerId, calleeId, state, new Date(now), due]);
    const seated = await tx.query(insertLive, [[callerId, calleeId], call.id]);
    if (seated.length < 2) throw new DuetError('BUSY');
    await tx.query(insertJournal, [call.id, callerId, state]);
    const ofMatch = await save(tx, locked, accepted, matchSettings);
    const told = await append(tx, inboxEvents(call, effects, now));
    return { call: call as Call, events: [...ofMatch, ...told] };
  }
}
