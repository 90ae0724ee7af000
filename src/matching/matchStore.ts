/**
 * Matches in the database. A match sees a handful of commands in its life and needs no memory between them: each
 * command locks the row, settles what has fallen due, decides, writes. The row lock is the single owner.
 */
import type { Clock } from '../clock.ts';
import { type Sql, sql } from '../db/sql.ts';
import type { Refusal } from '../errors.ts';
import { append, type InboxEvent, type StoredEvent } from '../events/outbox.ts';
import {
  byPerson,
  dueAt,
  type Match,
  type MatchChange,
  type MatchEffect,
  type MatchSettings,
  SEVERED_DUE_MS,
  settle,
  sideOf,
} from './transitions.ts';

/** A row of `matches`, as statements return it. */
export interface MatchRow {
  id: string;
  low_id: string;
  high_id: string;
  status: Match['status'];
  phase: Match['phase'];
  low_accepted: boolean;
  high_accepted: boolean;
  warned: boolean;
  created_at: number;
  accept_by: number;
  ended_at: number | null;
  end_reason: Match['endReason'];
  due_at: number | null;
}

export const MATCH_COLUMNS =
  'id, low_id, high_id, status, phase, low_accepted, high_accepted, warned, created_at, accept_by, ended_at, end_reason, due_at';

const lockMatch = sql<MatchRow>(
  'match-lock',
  `select ${MATCH_COLUMNS} from matches where id = $1 for update`,
);

const saveMatch = sql(
  'match-save',
  `update matches set status = $2, phase = $3, low_accepted = $4, high_accepted = $5, warned = $6, ended_at = $7,
     end_reason = $8, due_at = $9, version = version + 1
   where id = $1`,
);

/** A match whose row the transaction holds. */
export interface LockedMatch {
  /** As the row has it. */
  before: Match;
  /** What has fallen due since: whoever decides about the match decides about what this makes of it. */
  due: MatchChange;
  /** When it was locked, which may have taken a while. Epoch ms. */
  now: number;
}

/** Locks a match until the end of the caller's transaction. */
export async function lock(
  tx: Sql,
  matchId: string,
  clock: Clock,
  settings: MatchSettings,
): Promise<LockedMatch | undefined> {
  const [row] = await tx.query(lockMatch, [matchId]);
  if (row === undefined) return undefined;
  const [before, now] = [matchOf(row), clock.now()];
  return { before, due: settle(before, now, settings), now };
}

/**
 * Writes what had fallen due and the change that was decided on it, with their events. Returns the events as stored;
 * nothing is written where nothing has changed.
 */
export async function save(
  tx: Sql,
  { before, due }: LockedMatch,
  change: MatchChange,
  settings: MatchSettings,
): Promise<StoredEvent[]> {
  const { match } = change;
  if (match === before) return [];
  const dueMs = dueAt(match, settings);
  await tx.query(saveMatch, [
    match.id,
    match.status,
    match.phase,
    match.accepted.low,
    match.accepted.high,
    match.warned,
    match.endedAt === null ? null : new Date(match.endedAt),
    match.endReason,
    dueMs === null ? null : new Date(dueMs),
  ]);
  const effects = [...due.effects, ...change.effects];
  return append(
    tx,
    effects.flatMap((effect) => inboxEvents(match, effect)),
  );
}

/** A person's acceptance, also by what implies it: starting a call, answering one. */
export function accept({ due, now }: LockedMatch, userId: string): MatchChange | Refusal {
  const side = sideOf(due.match, userId);
  return side === undefined ? { refused: 'NOT_FOUND' } : byPerson(due.match, { type: 'accept' }, side, now);
}

export function matchOf(row: MatchRow): Match {
  return {
    id: row.id,
    lowId: row.low_id,
    highId: row.high_id,
    status: row.status,
    phase: row.phase,
    accepted: { low: row.low_accepted, high: row.high_accepted },
    warned: row.warned,
    severed: row.due_at === SEVERED_DUE_MS,
    createdAt: row.created_at,
    acceptBy: row.accept_by,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}

function inboxEvents(match: Match, effect: MatchEffect): InboxEvent[] {
  const payload = payloadOf(match, effect);
  return [match.lowId, match.highId].map((userId) => ({ userId, type: effect.type, payload }));
}

function payloadOf(match: Match, effect: MatchEffect): object {
  switch (effect.type) {
    case 'match:ready':
      return { matchId: match.id };
    case 'match:ended':
      return { matchId: match.id, status: match.status, reason: match.endReason };
    case 'match:timeout_warning':
      return { matchId: match.id, remainingSec: Math.max(0, Math.round(effect.remainingMs / 1000)) };
  }
}
