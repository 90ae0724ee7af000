/** What one step of a match may be, and in which match a call may begin: a second time and in another way, as `stepRules.ts`. */
import { SEVERED_DUE_MS } from '../../src/matching/transitions.ts';
import type { StoredMatch } from './tables.ts';

export interface MatchStepContext {
  /** When it was written. */
  now: number;
  /** How long before its end a match is warned of it. */
  warningMs: number;
  /** How far a process's clock may be from the database's. */
  skewMs: number;
}

/** What is wrong with the step, or undefined. */
export function wrongMatchStep(
  before: StoredMatch,
  after: StoredMatch,
  { now, warningMs, skewMs }: MatchStepContext,
): string | undefined {
  if (before.phase === 'closed') return 'changed after its end';
  for (const key of ['low_id', 'high_id', 'created_at', 'accept_by'] as const) {
    if (before[key] !== after[key]) return `changed its ${key}`;
  }
  for (const key of ['low_accepted', 'high_accepted', 'warned'] as const) {
    if (before[key] && !after[key]) return `took back its ${key}`;
  }
  if (after.phase === 'closed') return wrongEnd(before, after, now + skewMs);
  const isAccepted =
    before.low_accepted !== after.low_accepted || before.high_accepted !== after.high_accepted;
  const isSevered = before.due_at === SEVERED_DUE_MS;
  if (isSevered && (isAccepted || after.due_at !== SEVERED_DUE_MS)) return 'went on though it was severed';
  if (isAccepted && now >= before.accept_by + skewMs) return 'was accepted after its time';
  if (before.phase !== after.phase) {
    const isBoth = after.low_accepted && after.high_accepted;
    if (before.phase !== 'awaiting_accept' || !isBoth) return 'became ready without both';
  }
  if (after.warned && !before.warned && now < before.accept_by - warningMs - skewMs)
    return 'was warned early';
  return undefined;
}

/** Why no call may begin or be answered in a match as it is, or undefined. */
export function wrongForCall(
  match: StoredMatch,
  { now, skewMs }: Pick<MatchStepContext, 'now' | 'skewMs'>,
): string | undefined {
  if (match.phase === 'closed') return 'in a match that is over';
  if (match.due_at === SEVERED_DUE_MS) return 'in a match that was severed';
  const isExpired = match.phase === 'awaiting_accept' && now >= match.accept_by + skewMs;
  return isExpired ? 'in a match that had expired' : undefined;
}

function wrongEnd(before: StoredMatch, after: StoredMatch, latestNow: number): string | undefined {
  switch (after.status) {
    case 'active':
      return 'is over and active';
    case 'ended':
      return undefined;
    case 'rejected':
      return before.phase === 'awaiting_accept' ? undefined : 'was rejected when it was ready';
    case 'expired':
      if (before.phase !== 'awaiting_accept') return 'expired when it was ready';
      return latestNow < before.accept_by ? 'expired early' : undefined;
  }
}
