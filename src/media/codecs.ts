import { getSupportedRtpCapabilities, type types } from 'mediasoup';

/**
 * What a call carries, and how much of it. One codec per kind, the one that every WebRTC endpoint must implement
 * (RFC 7874 section 3, RFC 7742 section 5): whatever one person sends, the other can play.
 */

/** Codecs of every router. In-band FEC is asked for by the fmtp line (RFC 7587 section 6.1). */
export const ROUTER_CODECS: types.RouterRtpCodecCapability[] = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    preferredPayloadType: 111,
    clockRate: 48_000,
    channels: 2,
    parameters: { minptime: 10, useinbandfec: 1 },
  },
  {
    kind: 'video',
    mimeType: 'video/VP8',
    preferredPayloadType: 96,
    clockRate: 90_000,
    parameters: { 'x-google-start-bitrate': 600 },
  },
];

/** The most that one person's transport may send to the SFU, bits per second, told to the sender as a REMB. */
export const MAX_INCOMING_BPS = { audio: 160_000, video: 1_800_000 } as const;

/** A sender that ignores the limit is cut off when it stays above limit times this. */
export const BITRATE_TOLERANCE = 2;

/** What the SFU takes a recipient's bandwidth for until it has measured it, bits per second. */
export const INITIAL_OUTGOING_BPS = 1_000_000;

/** Seconds without an ICE consent check (RFC 7675) after which a transport counts as disconnected. */
export const ICE_CONSENT_TIMEOUT_SEC = 10;

/** At most this many simulcast layers in one video producer. */
export const MAX_VIDEO_ENCODINGS = 3;

/**
 * RTP header extensions that a client may announce for what it sends. The others of mediasoup are refused: a
 * producer never sends mediasoup's own packet id, and an unknown one would make its serialiser throw.
 */
export const HEADER_EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
  'urn:3gpp:video-orientation',
  'urn:ietf:params:rtp-hdrext:toffset',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
] as const;

/**
 * Header extensions by the id that the worker writes them with, whatever was agreed on with the recipient. RID and
 * repaired RID (2 and 3) are not among them: it writes these for none of the streams of a call.
 */
export const WORKER_EXTENSIONS: ReadonlyMap<number, string> = new Map(
  (getSupportedRtpCapabilities().headerExtensions ?? [])
    .filter(({ uri }) => !uri.endsWith('rtp-stream-id'))
    .map(({ preferredId, uri }) => [preferredId, uri]),
);

/** The limit of one person's send transport while video is or is not allowed, bits per second. */
export function maxIncomingBps(allowed: { video: boolean }): number {
  return MAX_INCOMING_BPS.audio + (allowed.video ? MAX_INCOMING_BPS.video : 0);
}
