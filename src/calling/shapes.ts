/** Calls as the contract shows them. */
import { z } from 'zod';
import { Id, Time } from '../shapes.ts';

export const MediaKind = z.enum(['audio', 'video']);
export type MediaKind = z.infer<typeof MediaKind>;

export const OUTCOMES = [
  'completed',
  'timed_out',
  'rejected',
  'missed',
  'cancelled',
  'failed',
  'unavailable',
] as const;

export const CallView = z
  .strictObject({
    id: Id,
    matchId: Id,
    callerId: Id,
    calleeId: Id,
    phase: z.enum(['ringing', 'connecting', 'active', 'ended']),
    media: MediaKind,
    mediaRequested: MediaKind.meta({ description: 'What the caller asked for.' }),
    createdAt: Time,
    ringUntil: Time,
    startedAt: Time.nullable(),
    endsAt: Time.nullable(),
    extensions: z.int(),
    maxExtensions: z.int(),
    pending: z.strictObject({ kind: z.enum(['extend', 'upgrade']), by: Id, until: Time }).nullable(),
    outcome: z.enum(OUTCOMES).nullable(),
    durationSec: z.int(),
  })
  .meta({ id: 'Call' });
export type CallView = z.infer<typeof CallView>;

/** Body of `POST /calls/initiate/:matchId` and payload of `call:initiate`. */
export const InitiateCall = z.strictObject({ media: MediaKind.default('audio') });

/** Body of `POST /calls/:callId/answer` and payload of `call:answer`: `video` consents to the video asked for. */
export const AnswerCall = z.strictObject({ media: MediaKind.optional() });

/** Body of `POST /calls/:callId/join`. */
export const JoinCall = z.strictObject({ returns: z.boolean().default(false) });
