import { isoTime } from '../clock.ts';
import type { Card } from '../people/shapes.ts';
import type { MatchView } from './shapes.ts';
import { type Match, sideOf } from './transitions.ts';

/** A match as the contract shows it to one of its two people. */
export function matchView(match: Match, viewerId: string, peer: Card): MatchView {
  const side = sideOf(match, viewerId) ?? 'low';
  return {
    id: match.id,
    status: match.status,
    phase: match.phase,
    peer,
    youAccepted: match.accepted[side],
    createdAt: isoTime(match.createdAt)!,
    acceptBy: isoTime(match.acceptBy)!,
    endedAt: isoTime(match.endedAt),
    endReason: match.endReason,
  };
}
