/** Matches as the contract shows them. */
import { z } from 'zod';
import { Card } from '../people/shapes.ts';
import { Id, Time } from '../shapes.ts';

export const MatchView = z
  .strictObject({
    id: Id,
    status: z.enum(['active', 'rejected', 'expired', 'ended']),
    phase: z.enum(['awaiting_accept', 'ready', 'closed']),
    peer: Card,
    youAccepted: z.boolean(),
    createdAt: Time,
    acceptBy: Time,
    endedAt: Time.nullable(),
    endReason: z.string().nullable(),
  })
  .meta({ id: 'Match' });
export type MatchView = z.infer<typeof MatchView>;

export const Decision = z
  .strictObject({ decision: z.enum(['like', 'dislike']), match: MatchView.nullable() })
  .meta({ id: 'Decision' });
