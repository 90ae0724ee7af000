import type { StoredEvent } from '../events/outbox.ts';
import type { Matches } from '../matching/Matches.ts';
import type { Card } from '../people/shapes.ts';
import type { CallView } from './shapes.ts';

export interface EventSources {
  matches: Pick<Matches, 'view'>;
  /** The cards of several people as one viewer sees them. */
  cards: (viewerId: string, userIds: readonly string[]) => Promise<Map<string, Card>>;
}

/**
 * An inbox event's payload as its receiver sees it. The log holds facts; what belongs to the moment of delivery
 * (cards with their signed, expiring photos; what a block since then hides) is filled in here.
 */
export async function presentEvent(sources: EventSources, event: StoredEvent): Promise<object> {
  switch (event.type) {
    case 'match:created': {
      const { matchId } = event.payload as { matchId: string };
      // A match that cannot be shown any more (its peer is gone) is told as a fact without a face.
      const match = await sources.matches.view(matchId, event.userId).catch(() => null);
      return { matchId, match };
    }
    case 'call:incoming': {
      const { call, fromId } = event.payload as { call: CallView; fromId: string };
      const cards = await sources.cards(event.userId, [fromId]);
      return { call, from: cards.get(fromId) ?? null };
    }
    case 'call:ended': {
      const { call } = event.payload as { call: CallView };
      return { call, outcome: call.outcome, durationSec: call.durationSec };
    }
    default:
      return event.payload;
  }
}
