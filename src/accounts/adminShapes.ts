/** What admins see and send. Nothing of it is ever shown to anybody else. */
import { z } from 'zod';
import { humanText } from '../people/text.ts';
import { Id, Page, Time } from '../shapes.ts';
import { GIVEN_STATUSES } from './statusRule.ts';

const UserStatus = z.enum([...GIVEN_STATUSES, 'deleted']);
const Tier = z.enum(['regular', 'premium']);

export const AdminUser = z
  .strictObject({
    id: Id,
    email: z.string(),
    emailVerified: z.boolean(),
    role: z.enum(['user', 'admin']),
    tier: Tier,
    status: UserStatus,
    statusReason: z.string().nullable(),
    statusUntil: Time.nullable().meta({ description: 'When a suspension ends by itself' }),
    eraseAt: Time.nullable().meta({ description: 'When an account that its owner deleted is erased' }),
    displayName: z.string(),
    gender: z.string(),
    createdAt: Time,
    lastActiveAt: Time,
    reports: z.int().meta({ description: 'How many people reported this person' }),
  })
  .meta({ id: 'AdminUser' });
export type AdminUser = z.infer<typeof AdminUser>;

export const UserQuery = Page.extend({
  query: z
    .string()
    .min(1)
    .max(254)
    .optional()
    .meta({ description: 'An id, an email address, or how a display name begins' }),
  status: UserStatus.optional(),
  tier: Tier.optional(),
  cursor: Id.optional(),
});
export type UserQuery = z.output<typeof UserQuery>;

export const StatusInput = z
  .strictObject({
    status: z.enum(GIVEN_STATUSES),
    reason: humanText({ min: 1, max: 500, lines: true }),
    until: Time.optional().meta({ description: 'Of a suspension: when it ends by itself' }),
  })
  .refine(({ status, until }) => until === undefined || status === 'suspended', {
    path: ['until'],
    message: 'is for suspensions',
  });

export const AuditItem = z
  .strictObject({
    id: Id,
    at: Time,
    action: z.string(),
    userId: Id.nullable(),
    actorId: Id.nullable(),
    sessionId: Id.nullable(),
    device: z.string().nullable(),
    address: z.string().nullable().meta({ description: 'A network, /24 or /48' }),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEntry' });
export type AuditItem = z.infer<typeof AuditItem>;

export const AuditQuery = Page.extend({
  userId: Id.optional(),
  actorId: Id.optional(),
  action: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .optional(),
  cursor: Id.optional(),
});
export type AuditQuery = z.output<typeof AuditQuery>;

export const Stats = z
  .strictObject({
    users: z.record(UserStatus, z.int()),
    registeredToday: z.int().meta({ description: 'In the last 24 hours' }),
    activeToday: z.int().meta({ description: 'Seen in the last 24 hours' }),
    activeMatches: z.int(),
    liveCalls: z.int(),
    callsToday: z.int(),
    openReports: z.int(),
  })
  .meta({ id: 'Stats' });
export type Stats = z.infer<typeof Stats>;
