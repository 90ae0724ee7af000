import { z } from 'zod';
import { Email } from '../../accounts/shapes.ts';
import { isoTime } from '../../clock.ts';
import type { Mailbox } from '../../platform/Mailbox.ts';
import { Time } from '../../shapes.ts';
import { type Route, route } from '../route.ts';

const KeptMail = z.strictObject({ to: z.string(), subject: z.string(), text: z.string(), at: Time });

/** The mailbox of development: declared only where mails go nowhere else, never in production. */
export function devMailboxRoutes(deps: { mailbox: Mailbox }): Route[] {
  return [
    route({
      method: 'get',
      path: '/dev/mailbox',
      base: '',
      summary: 'Mails to an address, newest first',
      tags: ['dev'],
      who: 'anyone',
      limit: 'none',
      query: z.strictObject({ to: Email }),
      status: 200,
      out: z.strictObject({ items: z.array(KeptMail) }),
      async run(ctx) {
        const mails = await deps.mailbox.list(ctx.query.to);
        return { items: mails.map((mail) => ({ ...mail, at: isoTime(mail.at)! })) };
      },
    }),
  ];
}
