import { z } from 'zod';
import type { DecisionKind } from '../../matching/decisionSql.ts';
import type { Decisions } from '../../matching/decisions.ts';
import { Decision, type MatchView } from '../../matching/shapes.ts';
import type { People } from '../../people/People.ts';
import { Card } from '../../people/shapes.ts';
import { Id } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

export interface DecisionRoutesDeps {
  decisions: Decisions;
  people: People;
  /** A match as one of its two people sees it: `Matches.view`. */
  matchView: (matchId: string, viewerId: string) => Promise<MatchView>;
}

const tags = ['matches'];

/** Like, dislike, and taking the last dislike back. */
export function decisionRoutes({ decisions, people, matchView }: DecisionRoutesDeps): Route[] {
  const decide = (kind: DecisionKind, summary: string) =>
    route({
      method: 'post',
      path: `/matches/${kind}/:userId`,
      summary,
      tags,
      who: 'user',
      limit: 'decide',
      params: z.strictObject({ userId: Id }),
      body: z.strictObject({}),
      status: 200,
      out: Decision,
      run: async ({ auth, params, once }) => {
        const { decision, matchId } = await once(() => decisions.decide(auth.userId, params.userId, kind));
        return { decision, match: matchId === null ? null : await matchView(matchId, auth.userId) };
      },
    });
  return [
    decide('like', 'Like somebody; a mutual like is a match'),
    decide('dislike', 'Pass on somebody, who may come back a month after the last time'),
    route({
      method: 'post',
      path: '/matches/undo',
      summary: 'Take back your last dislike, for 24 hours',
      description:
        '404 when there is none; 409 when another request of yours took it back in the same moment: asked again, this one takes back the one before.',
      tags,
      who: 'user',
      limit: 'decide',
      body: z.strictObject({}),
      status: 200,
      out: z.strictObject({ undone: Card }),
      run: async ({ auth, once }) => {
        const targetId = await once((remember) => decisions.undo(auth.userId, remember));
        await people.changed(auth.userId, { candidates: true });
        return { undone: await people.card(auth.userId, targetId) };
      },
    }),
  ];
}
