import type { types } from 'mediasoup';
import type { SdpMedia, SdpSession } from 'sdp-transform';
import sdpTransform from 'sdp-transform';
import { MAX_INCOMING_BPS } from '../codecs.ts';
import type { RtpParameters } from '../rtpSchemas.ts';

/** An m-line as the server describes it. Each carries media one way only. */
export type LocalSection =
  /** What the client sends; `receives`: the server takes it now. */
  | { owner: 'client'; mid: string; kind: types.MediaKind; rtp: RtpParameters; receives: boolean }
  /** What the server sends: the other person. */
  | { owner: 'server'; mid: string; kind: types.MediaKind; rtp: types.RtpParameters; sends: boolean }
  /** Rejected (port 0); the place stays taken, for m-lines are never removed. */
  | { owner: 'nobody'; mid: string; line: { type: string; protocol: string; payload: string } };

/** The server's end of the transport. */
export type LocalEnd = {
  iceParameters: types.IceParameters;
  iceCandidates: types.IceCandidate[];
  dtlsParameters: types.DtlsParameters;
};

export type Description = {
  kind: 'offer' | 'answer';
  /** Of the o-line: the same for a connection's whole life, and counting up with each description. */
  id: string;
  version: number;
  end: LocalEnd;
  sections: readonly LocalSection[];
};

/** Names of the codecs as their RFCs write them (7587, 7741, 4588). */
const ENCODING_NAME: Record<string, string> = {
  'audio/opus': 'opus',
  'video/vp8': 'VP8',
  'video/rtx': 'rtx',
};

/** One stream for both tracks, so that a browser plays them in step. */
const STREAM = 'duet';

/** A description of the server's as text. Everything in it is the server's own or has passed a schema. */
export function writeSession({ kind, id, version, end, sections }: Description): string {
  const live = sections.filter(({ owner }) => owner !== 'nobody');
  const session: SdpSession = {
    version: 0,
    origin: {
      username: '-',
      sessionId: id,
      sessionVersion: version,
      netType: 'IN',
      ipVer: 4,
      address: '0.0.0.0',
    },
    name: '-',
    timing: { start: 0, stop: 0 },
    icelite: 'ice-lite',
    groups: [{ type: 'BUNDLE', mids: live.map(({ mid }) => mid).join(' ') }],
    media: sections.map((section) =>
      section.owner === 'nobody' ? rejected(section) : media(section, kind, end),
    ),
  };
  return sdpTransform.write(session);
}

function rejected({ mid, line }: Extract<LocalSection, { owner: 'nobody' }>): SdpMedia {
  return {
    type: line.type,
    port: 0,
    protocol: line.protocol,
    payloads: line.payload,
    mid,
    connection: { version: 4, ip: '0.0.0.0' },
    direction: 'inactive',
    rtp: [],
    fmtp: [],
  };
}

function media(
  section: Exclude<LocalSection, { owner: 'nobody' }>,
  kind: Description['kind'],
  end: LocalEnd,
): SdpMedia {
  const { mid, rtp } = section;
  const fingerprint = end.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')!;
  return {
    type: section.kind,
    port: 9,
    protocol: 'UDP/TLS/RTP/SAVPF',
    payloads: rtp.codecs.map(({ payloadType }) => payloadType).join(' '),
    connection: { version: 4, ip: '0.0.0.0' },
    mid,
    iceUfrag: end.iceParameters.usernameFragment,
    icePwd: end.iceParameters.password,
    fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
    // Offers leave it open (RFC 8829 section 5.2.2); the client always is the DTLS client.
    setup: kind === 'offer' ? 'actpass' : 'passive',
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    rtp: rtp.codecs.map(({ mimeType, payloadType, clockRate, channels }) => ({
      payload: payloadType,
      codec: ENCODING_NAME[mimeType.toLowerCase()],
      rate: clockRate,
      encoding: channels,
    })),
    fmtp: rtp.codecs
      .map(({ payloadType, parameters, mimeType }) => ({
        payload: payloadType,
        config: formatLine(mimeType, parameters),
      }))
      .filter(({ config }) => config !== ''),
    rtcpFb: rtp.codecs.flatMap(({ payloadType, rtcpFeedback = [] }) =>
      rtcpFeedback.map(({ type, parameter }) => ({
        payload: payloadType,
        type,
        subtype: parameter || undefined,
      })),
    ),
    ext: (rtp.headerExtensions ?? []).map(({ id, uri }) => ({ value: id, uri })),
    candidates: end.iceCandidates.map((candidate) => ({
      foundation: candidate.foundation,
      component: 1,
      transport: candidate.protocol,
      priority: candidate.priority,
      ip: candidate.address,
      port: candidate.port,
      type: candidate.type,
      tcptype: candidate.tcpType,
    })),
    endOfCandidates: 'end-of-candidates',
    ...(section.owner === 'client' ? received(section) : sent(section)),
  };
}

/** What the client sends is capped by b=TIAS (RFC 3890), which every browser keeps to. */
function received({ kind, receives }: Extract<LocalSection, { owner: 'client' }>): Partial<SdpMedia> {
  return {
    direction: receives ? 'recvonly' : 'inactive',
    bandwidth: [{ type: 'TIAS', limit: MAX_INCOMING_BPS[kind] }],
  };
}

function sent({ kind, rtp, sends }: Extract<LocalSection, { owner: 'server' }>): Partial<SdpMedia> {
  const ssrc = rtp.encodings?.[0]?.ssrc;
  return {
    direction: sends ? 'sendonly' : 'inactive',
    msid: [{ id: STREAM, appdata: `${STREAM}-${kind}` }],
    ...(sends &&
      ssrc !== undefined && {
        ssrcs: [{ id: ssrc, attribute: 'cname', value: rtp.rtcp?.cname ?? STREAM }],
      }),
  };
}

/** `name=value;...`. Opus is told what is liked here, whatever the client's own line says (RFC 7587 section 7). */
function formatLine(mimeType: string, parameters: object | undefined): string {
  if (mimeType.toLowerCase() === 'audio/opus') return 'minptime=10;useinbandfec=1';
  if (!mimeType.toLowerCase().endsWith('/rtx')) return '';
  return Object.entries(parameters ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(';');
}
