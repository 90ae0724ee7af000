/**
 * The rules of a match: `(match, command, by, now) → { match, effects } | refusal`. Pure, as those of a call.
 *
 * Acceptance is blind: nothing that one person can see changes when the other accepts, until both have. An end says
 * "ended" to both and never who did it.
 */
import type { Refusal } from '../errors.ts';

/** A match as the rules see it. Times in epoch milliseconds. The two people by order of id. */
export interface Match {
  id: string;
  lowId: string;
  highId: string;
  status: 'active' | 'rejected' | 'expired' | 'ended';
  phase: 'awaiting_accept' | 'ready' | 'closed';
  accepted: Record<Side, boolean>;
  /** Whether `match:timeout_warning` was sent. */
  warned: boolean;
  /** Whether something parted the two that is in force already (a block): the next tick ends the match. */
  severed: boolean;
  createdAt: number;
  acceptBy: number;
  endedAt: number | null;
  endReason: 'ended' | 'expired' | null;
}

export type Side = 'low' | 'high';

export type MatchCommand = { type: 'accept' } | { type: 'decline' } | { type: 'end' };
export type MatchSystemCommand = { type: 'sever' } | { type: 'tick' };

export interface MatchSettings {
  /** How long both have to accept. */
  acceptMs: number;
  /** How long before that they are warned. */
  warningMs: number;
}

/** Told to both people, durably. */
export type MatchEffect =
  | { kind: 'notify'; type: 'match:ready' }
  | { kind: 'notify'; type: 'match:ended' }
  | { kind: 'notify'; type: 'match:timeout_warning'; remainingMs: number };

/**
 * When a severed match is due: before all others, by whichever clock. Whoever parts a pair writes it in the transaction
 * of the fact, so that the match ends also when the process dies before it ends the match itself.
 */
export const SEVERED_DUE_MS = 0;

/** A match that ended longer ago does not stand between the two any more. */
export const ENDED_MATCH_DAYS = 90;

export type MatchChange = { match: Match; effects: MatchEffect[] };

export function sideOf(match: Match, userId: string): Side | undefined {
  if (userId === match.lowId) return 'low';
  return userId === match.highId ? 'high' : undefined;
}

/** A person's command. */
export function byPerson(match: Match, command: MatchCommand, by: Side, now: number): MatchChange | Refusal {
  if (match.phase === 'closed') {
    return command.type === 'end' ? unchanged(match) : { refused: 'MATCH_NOT_ACTIVE' };
  }
  switch (command.type) {
    case 'accept':
      return accepted(match, by);
    case 'decline':
      return match.phase === 'ready' ? { refused: 'WRONG_PHASE' } : close(match, 'rejected', now);
    case 'end':
      return close(match, 'ended', now);
  }
}

/** A command of the server itself. */
export function bySystem(
  match: Match,
  command: MatchSystemCommand,
  now: number,
  settings: MatchSettings,
): MatchChange {
  if (match.phase === 'closed') return unchanged(match);
  if (command.type === 'sever' || match.severed) return close(match, 'ended', now);
  if (match.phase === 'ready') return unchanged(match);
  if (now >= match.acceptBy) return close(match, 'expired', now);
  if (!match.warned && now >= match.acceptBy - settings.warningMs) {
    return {
      match: { ...match, warned: true },
      effects: [{ kind: 'notify', type: 'match:timeout_warning', remainingMs: match.acceptBy - now }],
    };
  }
  return unchanged(match);
}

/** What has fallen due by `now`. It comes before any command. */
export function settle(match: Match, now: number, settings: MatchSettings): MatchChange {
  let change = unchanged(match);
  for (;;) {
    const next = bySystem(change.match, { type: 'tick' }, now, settings);
    if (next.match === change.match) return change;
    change = { match: next.match, effects: [...change.effects, ...next.effects] };
  }
}

/** A match that begins now: until when both must accept it, and when it is first due. Epoch milliseconds. */
export function begin(now: number, settings: MatchSettings): { acceptBy: number; dueAt: number } {
  const acceptBy = now + settings.acceptMs;
  return { acceptBy, dueAt: acceptBy - settings.warningMs };
}

/** The next moment at which `tick` changes the match, or null. */
export function dueAt(match: Match, settings: MatchSettings): number | null {
  if (match.phase !== 'closed' && match.severed) return SEVERED_DUE_MS;
  if (match.phase !== 'awaiting_accept') return null;
  return match.warned ? match.acceptBy : match.acceptBy - settings.warningMs;
}

function accepted(match: Match, by: Side): MatchChange {
  if (match.accepted[by]) return unchanged(match);
  const both = { ...match.accepted, [by]: true };
  const ready = both.low && both.high;
  return {
    match: { ...match, accepted: both, phase: ready ? 'ready' : 'awaiting_accept' },
    effects: ready ? [{ kind: 'notify', type: 'match:ready' }] : [],
  };
}

function close(match: Match, status: 'rejected' | 'expired' | 'ended', now: number): MatchChange {
  return {
    match: {
      ...match,
      status,
      phase: 'closed',
      endedAt: now,
      endReason: status === 'expired' ? 'expired' : 'ended',
    },
    effects: [{ kind: 'notify', type: 'match:ended' }],
  };
}

function unchanged(match: Match): MatchChange {
  return { match, effects: [] };
}
