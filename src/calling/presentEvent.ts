import { DuetError } from '../errors.ts';
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
 * An inbox event's payload as its receiver sees it, at once where nothing has to be looked up. The log holds facts; what
 * belongs to the moment of delivery (cards with their signed, expiring photos; what a block since then hides) is filled
 * in here.
 */
export function presentEvent(sources: EventSources, event: StoredEvent): object | Promise<object> {
  switch (event.type) {
    case 'match:created':
      return withMatch(sources, event.userId, event.payload as { matchId: string });
    case 'call:incoming':
      return withCaller(sources, event.userId, event.payload as { call: CallView });
    case 'call:ended': {
      const { call } = event.payload as { call: CallView };
      return { call, outcome: call.outcome, durationSec: call.durationSec };
    }
    default:
      return event.payload;
  }
}

async function withMatch({ matches }: EventSources, userId: string, { matchId }: { matchId: string }) {
  const match = await matches.view(matchId, userId).catch((error: unknown) => {
    // A match that cannot be shown any more (its peer is gone) is told as a fact without a face; what fails otherwise is
    // told later, with it.
    if (error instanceof DuetError && error.code === 'NOT_FOUND') return null;
    throw error;
  });
  return { matchId, match };
}

async function withCaller({ cards }: EventSources, userId: string, { call }: { call: CallView }) {
  const shown = await cards(userId, [call.callerId]);
  return { call, from: shown.get(call.callerId) ?? null };
}
