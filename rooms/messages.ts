/**
 * Every message of the rooms, declared once: the handlers validate with these schemas and `asyncapi.ts` documents
 * them. All client messages work with `room.send` and `room.request`; a refusal is `{ code, message, details?, retryAfterSec? }`.
 */
import { z } from 'zod';
import { SeatView } from '../src/actors/shapes.ts';
import { EncryptionClaim, PublicKey } from '../src/calling/PublicKeys.ts';
import { AnswerCall, CallView, InitiateCall, MediaKind, OUTCOMES } from '../src/calling/shapes.ts';
import { MatchView } from '../src/matching/shapes.ts';
import { MEDIA_MESSAGES, PLAIN_MESSAGES } from '../src/media/messages.ts';
import { Card } from '../src/people/shapes.ts';
import { Id, Nothing, refusalFields } from '../src/shapes.ts';

const AnswersCall = z.strictObject({ call: CallView });
const AnswersMatch = z.strictObject({ match: MatchView });
const AnswersNothing = z.strictObject({});

/** What a client may send, by room: payload and answer. */
export const CLIENT_MESSAGES = {
  inbox: {
    'inbox:ack': { payload: z.strictObject({ seq: z.int().min(0) }), answer: AnswersNothing },
    'inbox:replay': {
      payload: z.strictObject({
        after: z.int().min(0),
        at: z.iso.datetime().optional().meta({
          description:
            'Of the event `after`, as it was told: a log that has lost its end since has another one by that number, and `inbox:resync` says so.',
        }),
      }),
      answer: AnswersNothing,
    },
  },
  match: {
    'match:accept': { payload: Nothing, answer: AnswersMatch },
    'match:decline': { payload: Nothing, answer: AnswersMatch },
    'match:end': { payload: Nothing, answer: AnswersMatch },
    'call:initiate': {
      payload: InitiateCall.default({ media: 'audio' }),
      answer: z.strictObject({ call: CallView, seat: SeatView }),
    },
  },
  call: {
    'call:answer': { payload: AnswerCall.default({}), answer: AnswersCall },
    'call:reject': { payload: Nothing, answer: AnswersCall },
    'call:end': { payload: Nothing, answer: AnswersCall },
    'call:extend_request': { payload: Nothing, answer: AnswersCall },
    'call:extend_decline': { payload: Nothing, answer: AnswersCall },
    'call:upgrade_request': { payload: Nothing, answer: AnswersCall },
    'call:upgrade_decline': { payload: Nothing, answer: AnswersCall },
    'call:downgrade': { payload: Nothing, answer: AnswersCall },
    'call:sdp_offer': { payload: PLAIN_MESSAGES['call:sdp_offer'], answer: AnswersNothing },
    'call:sdp_answer': { payload: PLAIN_MESSAGES['call:sdp_answer'], answer: AnswersNothing },
    'call:ice_candidate': { payload: PLAIN_MESSAGES['call:ice_candidate'], answer: AnswersNothing },
    'call:e2ee_key': { payload: PublicKey, answer: AnswersNothing },
    'call:e2ee_state': { payload: EncryptionClaim, answer: AnswersNothing },
    'media:capabilities': { payload: MEDIA_MESSAGES['media:capabilities'], answer: z.looseObject({}) },
    'media:open': { payload: MEDIA_MESSAGES['media:open'], answer: z.looseObject({ id: z.string() }) },
    'media:connect': { payload: MEDIA_MESSAGES['media:connect'], answer: AnswersNothing },
    'media:prepare': {
      payload: MEDIA_MESSAGES['media:prepare'],
      answer: z.looseObject({ producerId: z.string() }),
    },
    'media:produce': {
      payload: MEDIA_MESSAGES['media:produce'],
      answer: z.strictObject({ producerId: z.string() }),
    },
    'media:consume': {
      payload: MEDIA_MESSAGES['media:consume'],
      answer: z.looseObject({ consumerId: z.string() }),
    },
    'media:pause': { payload: MEDIA_MESSAGES['media:pause'], answer: AnswersNothing },
    'media:resume': { payload: MEDIA_MESSAGES['media:resume'], answer: AnswersNothing },
    'media:close': { payload: MEDIA_MESSAGES['media:close'], answer: AnswersNothing },
    'media:restart_ice': { payload: MEDIA_MESSAGES['media:restart_ice'], answer: z.looseObject({}) },
  },
} as const;

/** Added to every event of the inbox, and of a match's room, where the same are told. */
const Stamped = { seq: z.int(), epoch: z.int(), at: z.iso.datetime() };

const matchEvents = {
  'match:created': z.strictObject({ matchId: Id, match: MatchView.nullable(), ...Stamped }),
  'match:ready': z.strictObject({ matchId: Id, ...Stamped }),
  'match:ended': z.strictObject({
    matchId: Id,
    status: z.enum(['rejected', 'expired', 'ended']),
    reason: z.string().nullable(),
    ...Stamped,
  }),
  'match:timeout_warning': z.strictObject({ matchId: Id, remainingSec: z.int(), ...Stamped }),
};

const OfCall = z.strictObject({ call: CallView });
const ByPerson = z.strictObject({ by: Id, call: CallView });
/** As all of a room's times `until` is a number; in `call` it is a string, as over HTTP. */
const Asked = z.strictObject({
  by: Id,
  until: z.int().meta({ description: 'When the request lapses, in epoch ms: `call.pending.until`.' }),
  call: CallView,
});
const Ended = z.strictObject({ outcome: z.enum(OUTCOMES), durationSec: z.int(), call: CallView });

/** What every room sends. */
const ofEveryRoom = {
  'session:revoked': z.strictObject({ at: Stamped.at }),
  error: z
    .strictObject({
      type: z.string().optional(),
      ...refusalFields,
      retryAfterSec: z
        .int()
        .optional()
        .meta({ description: 'When it may be sent again, where that is known: as `Retry-After` over HTTP.' }),
    })
    .meta({
      description:
        'The refusal of a message sent with `room.send`; `type` is its type, where the room knows it.',
    }),
};

/** What the server sends, by room. */
export const SERVER_MESSAGES = {
  inbox: {
    ...ofEveryRoom,
    ...matchEvents,
    'call:incoming': z.strictObject({ call: CallView, from: Card.nullable(), ...Stamped }),
    'call:answered': z.strictObject({ call: CallView, ...Stamped }),
    'call:rejected': z.strictObject({ call: CallView, ...Stamped }),
    'call:ended': z.strictObject({
      call: CallView,
      outcome: z.enum(OUTCOMES),
      durationSec: z.int(),
      ...Stamped,
    }),
    'inbox:resync': z.strictObject(Stamped),
  } as Record<string, z.ZodType>,
  match: { ...ofEveryRoom, ...matchEvents } as Record<string, z.ZodType>,
  call: {
    ...ofEveryRoom,
    'call:answered': ByPerson,
    'call:rejected': Ended,
    'call:ended': Ended,
    'call:extend_requested': Asked,
    'call:extended': ByPerson,
    'call:extend_declined': ByPerson,
    'call:upgrade_requested': Asked,
    'call:upgraded': ByPerson,
    'call:upgrade_declined': ByPerson,
    'call:downgraded': ByPerson,
    'call:timeout_warning': OfCall.extend({ remainingMs: z.int() }),
    'call:quality': z.looseObject({ userId: Id, mos: z.number() }),
    'call:video_step': z.strictObject({ step: z.enum(['full', 'reduced', 'off']) }),
    'call:peer_dropped': z.strictObject({ userId: Id }),
    'call:peer_back': z.strictObject({ userId: Id }),
    'call:sdp_offer': z.strictObject({ sdp: z.string() }),
    'call:sdp_answer': z.strictObject({ sdp: z.string() }),
    'call:ice_candidate': PLAIN_MESSAGES['call:ice_candidate'].meta({
      description: 'Not sent yet: all candidates of the server stand in its SDP.',
    }),
    'call:e2ee_key': PublicKey.extend({ userId: Id }),
    'media:producer': z.strictObject({
      producerId: z.string(),
      kind: MediaKind,
      userId: Id,
      /** Where the client was prepared to hear it: it is heard already. */
      consumerId: z.string().optional(),
    }),
    'media:producer_closed': z.strictObject({ producerId: z.string() }),
    'media:restart': z.strictObject({}),
  } as Record<string, z.ZodType>,
} as const;
