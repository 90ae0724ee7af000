/** The payloads of the `media:*` messages that a client may send, in the form in which `CallMedia` takes them. */
import { z } from 'zod';
import { DtlsParameters, RtpCapabilities, RtpParameters } from './rtpSchemas.ts';

/** Ids of transports, producers and consumers: random UUIDs made by the server. */
const MediaId = z.uuid().max(36);

export const MEDIA_MESSAGES = {
  /** → `{ rtpCapabilities }` of the router. */
  'media:capabilities': z.strictObject({}).prefault({}),
  /** → `{ id, direction, iceParameters, iceCandidates, dtlsParameters }`. */
  'media:open': z.strictObject({ direction: z.enum(['send', 'recv']) }),
  /** → `{}`. */
  'media:connect': z.strictObject({ transportId: MediaId, dtlsParameters: DtlsParameters }),
  /** → `{ producerId }`. */
  'media:produce': z.strictObject({
    transportId: MediaId,
    kind: z.enum(['audio', 'video']),
    rtpParameters: RtpParameters,
  }),
  /** → `{ consumerId, producerId, kind, rtpParameters }`; paused until `media:resume`. */
  'media:consume': z.strictObject({ producerId: MediaId, rtpCapabilities: RtpCapabilities }),
  /** `id` of an own producer or consumer → `{}`. */
  'media:pause': z.strictObject({ id: MediaId }),
  'media:resume': z.strictObject({ id: MediaId }),
  'media:close': z.strictObject({ id: MediaId }),
  /** → `{ iceParameters }`. */
  'media:restart_ice': z.strictObject({ transportId: MediaId }),
} as const;

export type MediaMessageType = keyof typeof MEDIA_MESSAGES;
export type MediaMessage<T extends MediaMessageType> = z.output<(typeof MEDIA_MESSAGES)[T]>;
