/** Blocks and reports as the contract shows them. */
import { z } from 'zod';
import { humanText } from '../people/text.ts';
import { Id, Page, Time } from '../shapes.ts';

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
    callId: Id.optional().meta({
      description:
        'A call between the two of you that this is about. Absent: the one that is on, or the last of the past hour.',
    }),
    block: z.boolean().default(true),
  })
  .meta({ id: 'ReportInput' });
export type ReportInput = z.infer<typeof ReportInput>;

const ReportStatus = z.enum(['open', 'reviewing', 'resolved', 'dismissed']);

/** A report as admins see it. The ids lead to nobody once an account is erased. */
export const Report = z
  .strictObject({
    id: Id,
    reporterId: Id,
    reportedId: Id,
    reason: z.string(),
    details: z.string(),
    callId: Id.nullable(),
    call: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'Facts of the call it is about.' }),
    status: ReportStatus,
    resolution: z.string().nullable(),
    handledBy: Id.nullable(),
    handledAt: Time.nullable(),
    createdAt: Time,
  })
  .meta({ id: 'Report' });
export type Report = z.infer<typeof Report>;

export const ReportQuery = Page.extend({ status: ReportStatus.optional(), cursor: Id.optional() });
export type ReportQuery = z.output<typeof ReportQuery>;

/** Body of PATCH /admin/reports/:reportId. */
export const ReportHandling = z.strictObject({
  status: z.enum(['reviewing', 'resolved', 'dismissed']),
  resolution: humanText({ min: 0, max: 2000, lines: true })
    .optional()
    .meta({ description: 'Absent: what stands there stays.' }),
  ifStatus: ReportStatus.optional().meta({
    description:
      'The status that this is decided on: 409 when the report has another by now. Absent: 409 when another admin has closed it and it is not taken up again as "reviewing".',
  }),
});
export type ReportHandling = z.output<typeof ReportHandling>;
