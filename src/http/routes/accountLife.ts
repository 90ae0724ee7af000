import { z } from 'zod';
import { CLIENT_HEADERS, clientOf } from '../../accounts/client.ts';
import type { Departure } from '../../accounts/Departure.ts';
import { type Export, Exported } from '../../accounts/Export.ts';
import { DeleteAccountBody } from '../../accounts/shapes.ts';
import { isoTime } from '../../clock.ts';
import { Time } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

export interface AccountLifeRouteDeps {
  departure: Departure;
  exporting: Export;
}

const tags = ['accounts'];

/** What is held on a person, and its end. */
export function accountLifeRoutes({ departure, exporting }: AccountLifeRouteDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/users/me/export',
      summary: 'Everything held on you',
      description:
        'Within 15 minutes of signing in with the password; 403 later: sign in again. Not kept anywhere.',
      tags,
      who: 'user',
      limit: 'write',
      headers: CLIENT_HEADERS,
      status: 200,
      out: Exported,
      sends: { 'content-disposition': 'A name to save it under.' },
      async run(ctx) {
        const exported = await exporting.give(ctx.auth, clientOf(ctx));
        ctx.setHeader('content-disposition', 'attachment; filename="duet-export.json"');
        return exported;
      },
    }),
    route({
      method: 'delete',
      path: '/users/me',
      summary: 'Delete your account',
      description:
        'At once: signed out everywhere, the call and the matches end, nobody sees you. Signing in before `eraseAt` takes it back; then everything is erased.',
      tags,
      who: 'user',
      limit: 'safety',
      headers: CLIENT_HEADERS,
      body: DeleteAccountBody,
      status: 202,
      out: z.strictObject({ eraseAt: Time }),
      async run(ctx) {
        const eraseAt = await departure.leave(ctx.auth, ctx.body.password, clientOf(ctx));
        return { eraseAt: isoTime(eraseAt)! };
      },
    }),
  ];
}
