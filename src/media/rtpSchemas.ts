/**
 * Media parameters as mediasoup's serialiser needs them, field by field.
 *
 * mediasoup writes requests with one FlatBuffers builder per worker. A value that makes it throw in the middle of
 * an object (`maxBitrate: 1.5` does, through `BigInt`) leaves the builder nested, and every later request to that
 * worker fails. So every number here is an integer in the range of its field on the wire, every string and array is
 * bounded, and what is not named is dropped. Nothing that one person wrote as free text reaches the other's SDP:
 * format parameters are integers of known names, mids are tokens, CNAME and MSID are the server's.
 */
import { z } from 'zod';
import { DuetError } from '../errors.ts';
import { HEADER_EXTENSIONS, MAX_VIDEO_ENCODINGS } from './codecs.ts';

const MAX_UINT32 = 2 ** 32 - 1;
const MAX_INT32 = 2 ** 31 - 1;

const int = (min: number, max: number) => z.int().min(min).max(max);
const flag = int(0, 1).optional();
const number31 = int(0, MAX_INT32).optional();

const PayloadType = int(0, 127);
const Ssrc = int(1, MAX_UINT32);
const Kind = z.enum(['audio', 'video']);

/** `type/subtype`, compared without regard to case (RFC 6838 section 4.2). */
const MimeType = z
  .string()
  .max(64)
  .regex(/^(audio|video)\/[A-Za-z0-9.+-]+$/i)
  .toLowerCase();

/** The codecs that a producer may announce: the router's, and retransmission for its video. */
const ProducedMimeType = MimeType.pipe(z.enum(['audio/opus', 'video/vp8', 'video/rtx']));
const PRODUCED = new Set<string>(ProducedMimeType.out.options);

/** fmtp parameters of Opus (RFC 7587), VP8 (RFC 7741) and RTX (RFC 4588); all of them integers. */
const FormatParameters = z.object({
  apt: PayloadType.optional(),
  minptime: int(1, 120).optional(),
  ptime: int(1, 120).optional(),
  maxptime: int(1, 120).optional(),
  useinbandfec: flag,
  usedtx: flag,
  stereo: flag,
  'sprop-stereo': flag,
  cbr: flag,
  maxplaybackrate: int(8_000, 48_000).optional(),
  'sprop-maxcapturerate': int(8_000, 48_000).optional(),
  maxaveragebitrate: int(6_000, 510_000).optional(),
  'max-fr': number31,
  'max-fs': number31,
  'x-google-start-bitrate': number31,
  'x-google-max-bitrate': number31,
  'x-google-min-bitrate': number31,
});

const Token = z
  .string()
  .max(32)
  .regex(/^[A-Za-z0-9-]*$/);

const RtcpFeedback = z.object({ type: Token.min(1), parameter: Token.optional() });

const isKnownExtension = (extension: { uri: string }): boolean =>
  (HEADER_EXTENSIONS as readonly string[]).includes(extension.uri);

const ExtensionUri = z.enum(HEADER_EXTENSIONS);
const AnyUri = z.string().min(1).max(256);

/**
 * What a person sends (`media:produce`). Each encoding names its source, and none a rid: mediasoup's worker looks for
 * the stream of a packet by one after the other, and two packets that find the same encoding by different ways end it
 * (`MS_ASSERT` in `Producer::CreateRtpStream` of 3.27, which is an abort).
 */
export const RtpParameters = z.object({
  mid: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,8}$/)
    .optional(),
  codecs: z
    .array(
      z.object({
        mimeType: ProducedMimeType,
        payloadType: PayloadType,
        clockRate: int(8_000, 192_000),
        channels: int(1, 8).optional(),
        parameters: FormatParameters.optional(),
        rtcpFeedback: z.array(RtcpFeedback).max(16).optional(),
      }),
    )
    .min(1)
    .max(8)
    .refine(
      (codecs) => areDistinct(codecs.map((codec) => codec.payloadType)),
      'payload types must be distinct',
    ),
  headerExtensions: z
    .array(z.object({ uri: AnyUri, id: int(1, 255) }))
    .max(32)
    .transform((extensions) => extensions.filter(isKnownExtension))
    .pipe(z.array(z.object({ uri: ExtensionUri, id: z.int() })))
    .refine((extensions) => areDistinct(extensions.map((extension) => extension.id)), 'ids must be distinct')
    .optional(),
  encodings: z
    .array(
      z.object({
        ssrc: Ssrc,
        codecPayloadType: PayloadType.optional(),
        rtx: z.object({ ssrc: Ssrc }).optional(),
        dtx: z.boolean().optional(),
        scalabilityMode: z
          .string()
          .regex(/^[LS][1-3]T[1-3](h|_KEY|_KEY_SHIFT)?$/)
          .optional(),
        maxBitrate: int(1, 100_000_000).optional(),
      }),
    )
    .min(1)
    .max(MAX_VIDEO_ENCODINGS)
    .refine(
      (encodings) => areDistinct(encodings.flatMap(({ ssrc, rtx }) => (rtx ? [ssrc, rtx.ssrc] : [ssrc]))),
      'sources must be distinct',
    ),
  rtcp: z.object({ reducedSize: z.boolean().optional() }).optional(),
});

/** What a person can play (`media:consume`). Codecs and extensions that no router here has are dropped. */
export const RtpCapabilities = z.object({
  codecs: z
    .array(
      z.object({
        kind: Kind,
        mimeType: MimeType,
        preferredPayloadType: PayloadType.optional(),
        clockRate: int(1, MAX_UINT32),
        channels: int(1, 255).optional(),
        rtcpFeedback: z.array(RtcpFeedback).max(32).optional(),
      }),
    )
    .max(128)
    .transform((codecs) => codecs.filter((codec) => PRODUCED.has(codec.mimeType)).map(withPayloadType)),
  headerExtensions: z
    .array(z.object({ kind: Kind, uri: AnyUri, preferredId: int(1, 255) }))
    .max(64)
    .transform((extensions) => extensions.filter(isKnownExtension))
    .pipe(z.array(z.object({ kind: Kind, uri: ExtensionUri, preferredId: z.int() })))
    .optional(),
});

const Sha = (algorithm: 'sha-256' | 'sha-384' | 'sha-512', bytes: number) =>
  z.object({
    algorithm: z.literal(algorithm),
    // Upper case, as the worker writes the one that it compares with (RFC 8122 section 5).
    value: z
      .string()
      .length(bytes * 3 - 1)
      .regex(/^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+$/)
      .toUpperCase(),
  });

/**
 * A client's DTLS certificate (`media:connect`). The client always takes the client's role, so that the server's
 * order of SRTP profiles decides, AES-GCM first (RFC 5764 section 4.1.1).
 */
export const DtlsParameters = z.object({
  role: z
    .enum(['auto', 'client'])
    .optional()
    .transform(() => 'client' as const),
  fingerprints: z
    .array(z.discriminatedUnion('algorithm', [Sha('sha-256', 32), Sha('sha-384', 48), Sha('sha-512', 64)]))
    .min(1)
    .max(4),
});

export type RtpParameters = z.output<typeof RtpParameters>;
export type RtpCapabilities = z.output<typeof RtpCapabilities>;
export type DtlsParameters = z.output<typeof DtlsParameters>;

/**
 * Throws `VALIDATION_FAILED` unless every codec is of `kind`. mediasoup takes VP8 on an audio producer: that would
 * be video without consent.
 */
export function assertCodecsAre(kind: 'audio' | 'video', rtpParameters: RtpParameters): void {
  if (rtpParameters.codecs.every((codec) => codec.mimeType.startsWith(`${kind}/`))) return;
  throw new DuetError('VALIDATION_FAILED', {
    details: [{ path: 'rtpParameters.codecs', message: `must all be ${kind} codecs` }],
  });
}

function areDistinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

/** mediasoup's type wants the number; capabilities are matched by name and clock rate alone. */
function withPayloadType<T extends { preferredPayloadType?: number | undefined }>(codec: T) {
  return { ...codec, preferredPayloadType: codec.preferredPayloadType ?? 0 };
}
