import { z } from 'zod';
import type { Actors } from '../../actors/Actors.ts';
import { SeatView } from '../../actors/shapes.ts';
import type { InboxHub } from '../../events/InboxHub.ts';
import { type Route, route } from '../route.ts';

const Position = z.strictObject({ epoch: z.int(), seq: z.int() }).meta({
  description:
    'Of the event after which this device is told of all: one that comes back before it has heard any asks for `inbox:replay` after it, for another device may have acknowledged some meanwhile.',
});

export function realtimeRoutes({ actors, hub }: { actors: Actors; hub: InboxHub }): Route[] {
  return [
    route({
      method: 'post',
      path: '/realtime/inbox',
      summary: 'A seat in your inbox',
      tags: ['realtime'],
      who: 'user',
      limit: 'live',
      status: 200,
      out: z.strictObject({ seat: SeatView, position: Position }),
      run: async ({ auth }) => {
        const position = await hub.beginning(auth.userId);
        return { seat: await actors.inboxSeat(auth.userId, position.seq), position };
      },
    }),
  ];
}
