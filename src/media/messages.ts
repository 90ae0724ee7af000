/** The payloads of the `media:*` and `call:sdp_*` messages that a client may send, in the form in which `CallMedia` takes them. */
import { z } from 'zod';
import { MAX_SDP_CHARS } from './plain/readSession.ts';
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
  /**
   * What will be sent and how the other will be heard from the answer on → `{ producerId, rtpParameters }`, the latter
   * of what will come.
   */
  'media:prepare': z.strictObject({
    transportId: MediaId,
    rtpParameters: RtpParameters,
    rtpCapabilities: RtpCapabilities,
  }),
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

const Description = z.strictObject({ sdp: z.string().min(1).max(MAX_SDP_CHARS) });

/** The messages of a bare RTCPeerConnection. */
export const PLAIN_MESSAGES = {
  /** → `{}`; the answer comes as `call:sdp_answer`. */
  'call:sdp_offer': Description,
  /** → `{}`. */
  'call:sdp_answer': Description,
  /**
   * An `RTCIceCandidate` as JSON → `{}`. Checked and forgotten: the SFU is ICE-lite (RFC 8445 section 2.5) and
   * answers whoever shows the right credentials.
   */
  'call:ice_candidate': z.strictObject({
    candidate: z
      .union([
        z.string().max(512),
        z.strictObject({
          candidate: z.string().max(512),
          sdpMid: z.string().max(32).nullish(),
          sdpMLineIndex: z.int().min(0).max(64).nullish(),
          usernameFragment: z.string().max(256).nullish(),
        }),
      ])
      .nullable(),
  }),
} as const;

export type MediaMessageType = keyof typeof MEDIA_MESSAGES;
export type MediaMessage<T extends MediaMessageType> = z.output<(typeof MEDIA_MESSAGES)[T]>;
