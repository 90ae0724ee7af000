/** Blocks and reports as the contract shows them. */
import { z } from 'zod';
import { humanText } from '../people/text.ts';
import { Id, Time } from '../shapes.ts';

/** Somebody you blocked: no more than is needed to know whom. */
export const Blocked = z
  .strictObject({ id: Id, displayName: z.string(), blockedAt: Time })
  .meta({ id: 'Blocked' });
export type Blocked = z.infer<typeof Blocked>;

/** Body of POST /users/report/:userId. */
export const ReportInput = z
  .strictObject({
    reason: humanText({ min: 1, max: 64 }).meta({
      description: 'Such as harassment, spam, fake, underage, nudity, threat, other.',
    }),
    details: humanText({ min: 0, max: 2000, lines: true }).default(''),
    callId: Id.optional().meta({ description: 'A call between the two of you that this is about.' }),
    block: z.boolean().default(true),
  })
  .meta({ id: 'ReportInput' });
export type ReportInput = z.infer<typeof ReportInput>;
