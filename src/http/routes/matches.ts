import { z } from 'zod';
import type { Actors } from '../../actors/Actors.ts';
import { SeatView } from '../../actors/shapes.ts';
import type { InboxHub } from '../../events/InboxHub.ts';
import type { Matches } from '../../matching/Matches.ts';
import type { MatchLists } from '../../matching/MatchLists.ts';
import { MatchView } from '../../matching/shapes.ts';
import { Id, listOf, Page } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

const tags = ['matches'];
const params = z.object({ matchId: Id });

export interface MatchRoutesDeps {
  matches: Matches;
  matchLists: MatchLists;
  actors: Actors;
  hub: InboxHub;
}

export function matchRoutes({ matches, matchLists, actors, hub }: MatchRoutesDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/matches/active',
      summary: 'Your active matches, newest first',
      tags,
      who: 'user',
      limit: 'browse',
      query: Page,
      status: 200,
      out: listOf(MatchView),
      run: ({ auth, query }) => matchLists.list(auth.userId, 'active', query),
    }),
    route({
      method: 'get',
      path: '/matches/history',
      summary: 'Your past matches, newest first',
      tags,
      who: 'user',
      limit: 'browse',
      query: Page,
      status: 200,
      out: listOf(MatchView),
      run: ({ auth, query }) => matchLists.list(auth.userId, 'history', query),
    }),
    route({
      method: 'post',
      path: '/matches/:matchId/end',
      summary: 'End a match; a live call between the two ends with it',
      tags,
      who: 'user',
      limit: 'safety',
      params,
      status: 200,
      out: MatchView,
      run: async ({ auth, params: { matchId }, once }) => {
        await once(async () => {
          await matches.command(matchId, { type: 'end' }, auth.userId);
        });
        return matches.view(matchId, auth.userId);
      },
    }),
    route({
      method: 'post',
      path: '/matches/:matchId/join',
      summary: 'A seat in the room of an active match',
      tags,
      who: 'user',
      limit: 'live',
      params,
      status: 200,
      out: z.strictObject({ match: MatchView, seat: SeatView }),
      run: async ({ auth, params: { matchId } }) => {
        // First: what happens to the match from when it is looked at on is told in the room, its end too.
        const { seq } = await hub.position(auth.userId);
        const match = await matches.joinable(matchId, auth.userId);
        return { match, seat: await actors.matchSeat(matchId, auth.userId, seq) };
      },
    }),
  ];
}
