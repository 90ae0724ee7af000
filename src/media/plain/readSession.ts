/**
 * A client's session description (RFC 8866, as RFC 8829 uses it) as far as the SFU needs it. The text is a
 * stranger's: it is bounded, all lines but the known ones are dropped before they are parsed, and what comes out
 * has passed the same schemas as the parameters of a mediasoup client.
 */
import type { SdpMedia, SdpSession } from 'sdp-transform';
import sdpTransform from 'sdp-transform';
import { z } from 'zod';
import { DuetError } from '../../errors.ts';
import { WORKER_EXTENSIONS } from '../codecs.ts';
import { DtlsParameters, RtpParameters } from '../rtpSchemas.ts';

/** One m-line of a client's. */
export type RemoteSection = {
  mid: string;
  /** `other`: nothing that is carried here (data, application). */
  kind: 'audio' | 'video' | 'other';
  /** Whether it is in use at all: not rejected, and part of the one bundle. */
  live: boolean;
  sends: boolean;
  receives: boolean;
  /** What it sends, in the codec that is carried here; null when it has none of them. Sources only where it sends. */
  rtp: RtpParameters | null;
  /** The start of the m-line, to reject it with. */
  line: { type: string; protocol: string; payload: string };
};

export type RemoteSession = {
  /** Changes when the client restarts ICE (RFC 8839 section 4.4.3.1.1). */
  ice: string;
  dtls: DtlsParameters;
  sections: RemoteSection[];
};

export const MAX_SDP_CHARS = 32_768;
export const MAX_LINE_CHARS = 1_024;
const MAX_LINES = 800;
const MAX_SECTIONS = 8;

/** The lines that are read; some that are not cost a parser much. */
const KNOWN_LINE = new RegExp(
  '^(?:m=|a=(?:group|mid|ice-ufrag|ice-pwd|fingerprint|rtpmap|fmtp|rtcp-fb|extmap|ssrc|ssrc-group|setup):' +
    '|a=(?:sendrecv|sendonly|recvonly|inactive|rtcp-mux|rtcp-rsize|bundle-only)$)',
);

const CODEC = {
  audio: { codec: 'opus', rate: 48_000, mimeType: 'audio/opus', channels: 2 },
  video: { codec: 'vp8', rate: 90_000, mimeType: 'video/VP8', channels: undefined },
} as const;

/** Feedback that the SFU gives, `type parameter`. */
const FEEDBACK = {
  audio: ['transport-cc'],
  video: ['goog-remb', 'transport-cc', 'ccm fir', 'nack', 'nack pli'],
};

/** Header extensions that the SFU reads from what a person sends. */
const EXTENSIONS = {
  audio: [
    'urn:ietf:params:rtp-hdrext:sdes:mid',
    'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
    'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
    'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  ],
  video: [
    'urn:ietf:params:rtp-hdrext:sdes:mid',
    'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
    'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
    'urn:3gpp:video-orientation',
  ],
};

/** The same as `RtpParameters` where nothing is sent yet: its sources are named when it is. */
const IdleRtpParameters = RtpParameters.extend({ encodings: z.tuple([]) });

/** A mid that fits the header extension as the worker reads it. */
const SHORT_MID = /^[A-Za-z0-9_-]{1,8}$/;

/** Reads an offer or an answer; throws `VALIDATION_FAILED` saying what is wrong with it. */
export function readSession(sdp: string): RemoteSession {
  const session = parse(sdp);
  const bundle = bundleOf(session);
  const sections = session.media.map((media, index) => readSection(media, index, bundle));
  const mids = sections.map(({ mid }) => mid);
  if (new Set(mids).size !== mids.length) invalid('mids must be distinct');
  const carrier = session.media.find((_, index) => sections[index]!.live);
  if (carrier === undefined) invalid('no audio or video that could be carried');
  const setup = carrier.setup ?? session.setup;
  if (setup === 'passive' || setup === 'holdconn') invalid('setup must be actpass or active');
  return {
    ice: readIce(session, carrier),
    dtls: readFingerprint(session, carrier),
    sections,
  };
}

/** The parser throws nothing for these lines; whatever it does with them is a client's mistake. */
function parse(sdp: string): SdpSession {
  const lines = sdp.split(/\r\n|\r|\n/);
  if (sdp.length > MAX_SDP_CHARS || lines.length > MAX_LINES) invalid('too long');
  const known = lines.filter((line) => KNOWN_LINE.test(line));
  if (known.some((line) => line.length > MAX_LINE_CHARS)) invalid('a line is too long');
  try {
    const session = sdpTransform.parse(known.join('\r\n'));
    if (session.media.length === 0 || session.media.length > MAX_SECTIONS) invalid('too few or many m-lines');
    return session;
  } catch (error) {
    throw error instanceof DuetError ? error : new DuetError('VALIDATION_FAILED', { cause: error });
  }
}

/** The mids of the bundle; a single section needs none (RFC 9143). */
function bundleOf(session: SdpSession): Set<string> {
  const group = session.groups?.find(({ type }) => type === 'BUNDLE');
  if (group !== undefined) return new Set(String(group.mids).split(' '));
  return new Set(session.media.slice(0, 1).map(({ mid }) => String(mid)));
}

function readSection(media: SdpMedia, index: number, bundle: Set<string>): RemoteSection {
  const mid = String(media.mid ?? index);
  if (!/^[\w!#$%&'*+.^`{|}~-]{1,32}$/.test(mid)) invalid(`mid of m-line ${index}`);
  const { type } = media;
  const isKnown = type === 'audio' || type === 'video';
  const inUse = media.port !== 0 || media.bundleOnly !== undefined;
  const live = isKnown && inUse && bundle.has(mid) && /\bRTP\/SAVPF$/.test(media.protocol);
  if (live && media.rtcpMux === undefined) invalid(`m-line ${index} must have rtcp-mux`);
  const direction = media.direction ?? 'sendrecv';
  const sends = live && direction.startsWith('send');
  return {
    mid,
    kind: isKnown ? type : 'other',
    live,
    sends,
    receives: live && (direction === 'sendrecv' || direction === 'recvonly'),
    rtp: live && isKnown ? readRtp(media, type, mid, sends) : null,
    line: {
      type: /^\w{1,16}$/.test(type) ? type : 'application',
      protocol: /^[\w/]{1,32}$/.test(media.protocol) ? media.protocol : 'UDP/TLS/RTP/SAVPF',
      payload: /^[\w-]{1,32}/.exec(String(media.payloads ?? ''))?.[0] ?? '0',
    },
  };
}

/** What a section sends, as a mediasoup client would announce it. */
function readRtp(
  media: SdpMedia,
  kind: 'audio' | 'video',
  mid: string,
  sends: boolean,
): RtpParameters | null {
  const wanted = CODEC[kind];
  const listed = new Set(String(media.payloads ?? '').split(' '));
  const main = media.rtp.find(
    ({ payload, codec, rate, encoding }) =>
      listed.has(String(payload)) &&
      String(codec).toLowerCase() === wanted.codec &&
      rate === wanted.rate &&
      encoding === wanted.channels,
  );
  if (main === undefined) return null;
  const isMains = ({ payload }: { payload?: unknown }) => payload === main.payload || payload === '*';
  const rtx = media.rtp.find(
    ({ payload, codec }) =>
      String(codec).toLowerCase() === 'rtx' && formatOf(media, payload).apt === main.payload,
  );
  const feedback = (media.rtcpFb ?? [])
    .filter(isMains)
    .map(({ type, subtype }) => (subtype === undefined ? String(type) : `${type} ${subtype}`))
    .filter((one) => FEEDBACK[kind].includes(one));
  const headerExtensions = (media.ext ?? [])
    .filter(
      ({ uri, value }) => EXTENSIONS[kind].includes(String(uri)) && isReadable(Number(value), String(uri)),
    )
    .map(({ uri, value }) => ({ uri, id: value }));
  const schema = sends ? RtpParameters : IdleRtpParameters;
  const read = schema.safeParse({
    ...(SHORT_MID.test(mid) && { mid }),
    codecs: [
      {
        mimeType: wanted.mimeType,
        payloadType: main.payload,
        clockRate: wanted.rate,
        channels: wanted.channels,
        parameters: formatOf(media, main.payload),
        rtcpFeedback: [...new Set(feedback)].map((one) => {
          const [type, parameter = ''] = one.split(' ');
          return { type, parameter };
        }),
      },
      ...(rtx === undefined
        ? []
        : [
            {
              mimeType: 'video/rtx',
              payloadType: rtx.payload,
              clockRate: wanted.rate,
              parameters: { apt: main.payload },
            },
          ]),
    ],
    headerExtensions,
    encodings: sends ? [readEncoding(media, rtx !== undefined)] : [],
    rtcp: { reducedSize: media.rtcpRsize !== undefined },
  });
  if (!read.success) invalid(`m-line ${mid}: ${read.error.issues[0]?.path.join('.')}`);
  const hasMid = read.data.headerExtensions?.some(({ uri }) => uri === EXTENSIONS[kind][0]);
  if (!hasMid) delete read.data.mid;
  return read.data;
}

/**
 * In a bundle an id means one thing in both directions, and the worker writes its own ids into what it sends: its
 * send time, for example, where Chromium reads a mid. What the client numbers otherwise is therefore not agreed on.
 */
function isReadable(id: number, uri: string): boolean {
  return (WORKER_EXTENSIONS.get(id) ?? uri) === uri;
}

/**
 * The sources of a section. Without any the worker would have only the mid and the rid in each packet, and it ends
 * when these lead two sources to one encoding.
 */
function readEncoding(media: SdpMedia, hasRtx: boolean): object {
  const flow = media.ssrcGroups?.find(({ semantics }) => semantics === 'FID');
  const [paired, repair] = String(flow?.ssrcs ?? '')
    .split(' ')
    .map(Number);
  const first = paired || media.ssrcs?.[0]?.id;
  if (first === undefined) invalid('a=ssrc');
  return hasRtx && repair ? { ssrc: first, rtx: { ssrc: repair } } : { ssrc: first };
}

/** The fmtp line of a payload type; unknown names are dropped by the schema. */
function formatOf(media: SdpMedia, payload: unknown): Record<string, unknown> {
  const line = media.fmtp.find((one) => one.payload === payload)?.config;
  const pairs = String(line ?? '')
    .split(';')
    .slice(0, 32)
    .map((pair) => pair.trim().split('='));
  return Object.fromEntries(
    pairs.filter(([, value]) => /^\d{1,10}$/.test(value ?? '')).map(([name, value]) => [name, Number(value)]),
  );
}

/** At least 4 and 22 characters, at most 256 (RFC 8839 section 5.4). Never used, only compared. */
function readIce(session: SdpSession, carrier: SdpMedia): string {
  const ufrag = String(carrier.iceUfrag ?? session.iceUfrag ?? '');
  const pwd = String(carrier.icePwd ?? session.icePwd ?? '');
  const isIce = /^[\w+/=-]{4,256}$/.test(ufrag) && /^[\w+/=-]{22,256}$/.test(pwd);
  if (!isIce) invalid('ice-ufrag and ice-pwd');
  return `${ufrag} ${pwd}`;
}

function readFingerprint(session: SdpSession, carrier: SdpMedia): DtlsParameters {
  const given = carrier.fingerprint ?? session.fingerprint;
  const read = DtlsParameters.safeParse({
    fingerprints: [{ algorithm: String(given?.type).toLowerCase(), value: String(given?.hash) }],
  });
  if (!read.success) invalid('fingerprint');
  return read.data;
}

/** What tells one RTCPeerConnection from the next. */
export function fingerprintOf({ dtls }: RemoteSession): string {
  return dtls.fingerprints.map(({ value }) => value).join(' ');
}

/** Refuses a description, saying what is wrong with it. */
export function invalid(what: string): never {
  throw new DuetError('VALIDATION_FAILED', { details: [{ path: 'sdp', message: what }] });
}
