import { z } from 'zod';
import type { Actors } from '../../actors/Actors.ts';
import { SeatView } from '../../actors/shapes.ts';
import { type Route, route } from '../route.ts';

export function realtimeRoutes({ actors }: { actors: Actors }): Route[] {
  return [
    route({
      method: 'post',
      path: '/realtime/inbox',
      summary: 'A seat in your inbox',
      tags: ['realtime'],
      who: 'user',
      limit: 'live',
      status: 200,
      out: z.strictObject({ seat: SeatView }),
      run: async ({ auth }) => ({ seat: await actors.inboxSeat(auth.userId) }),
    }),
  ];
}
