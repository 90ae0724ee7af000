import { isoTime } from '../clock.ts';
import type { Card } from '../people/shapes.ts';
import type { MatchView } from './shapes.ts';
import { type Match, sideOf } from './transitions.ts';

/** Several at once; a match whose other person may not be seen by the viewer (any more) is left out. */
export async function matchViews(
  matches: readonly Match[],
  viewerId: string,
  cardsFor: (viewerId: string, userIds: readonly string[]) => Promise<Map<string, Card>>,
): Promise<MatchView[]> {
  const peers = matches.map((match) => (match.lowId === viewerId ? match.highId : match.lowId));
  const cards = await cardsFor(viewerId, peers);
  return matches.flatMap((match, index) => {
    const card = cards.get(peers[index]!);
    return card === undefined ? [] : [matchView(match, viewerId, card)];
  });
}

/** A match as the contract shows it to one of its two people. */
function matchView(match: Match, viewerId: string, peer: Card): MatchView {
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
