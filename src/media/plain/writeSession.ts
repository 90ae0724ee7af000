import type { types } from 'mediasoup';
import type { SdpMedia, SdpSession } from 'sdp-transform';
import sdpTransform from 'sdp-transform';
import { MAX_INCOMING_BPS } from '../codecs.ts';
import { type Down, isLive, type Section, type Up } from './sections.ts';

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
  sections: readonly Section[];
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
  const live = sections.filter(isLive);
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
    media: sections.map((section) => (isLive(section) ? media(section, kind, end) : rejected(section))),
  };
  return sdpTransform.write(session);
}

function rejected({ mid, line }: Section): SdpMedia {
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

function media({ mid, line, kind, up, down }: Section, type: Description['kind'], end: LocalEnd): SdpMedia {
  const codecs = codecsOf(up, down);
  const fingerprint = end.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256')!;
  const [sends, receives] = [down?.sends === true, up?.receives === true];
  return {
    type: kind === 'other' ? line.type : kind,
    port: 9,
    protocol: 'UDP/TLS/RTP/SAVPF',
    payloads: codecs.map(({ payloadType }) => payloadType).join(' '),
    connection: { version: 4, ip: '0.0.0.0' },
    mid,
    iceUfrag: end.iceParameters.usernameFragment,
    icePwd: end.iceParameters.password,
    fingerprint: { type: fingerprint.algorithm, hash: fingerprint.value },
    // Offers leave it open (RFC 8829 section 5.2.2); the client always is the DTLS client.
    setup: type === 'offer' ? 'actpass' : 'passive',
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    direction: sends ? (receives ? 'sendrecv' : 'sendonly') : receives ? 'recvonly' : 'inactive',
    ...codecLines(codecs),
    ext: (up?.rtp.headerExtensions ?? []).map(({ id, uri }) => ({ value: id, uri })),
    // What the client sends is capped (RFC 3890); every browser keeps to it.
    ...(up !== null && kind !== 'other' && { bandwidth: [{ type: 'TIAS', limit: MAX_INCOMING_BPS[kind] }] }),
    ...(down !== null && track(kind, down)),
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
  };
}

/** Those of both directions; where the two number one differently, both numbers are listed. */
function codecsOf(up: Up | null, down: Down | null): types.RtpCodecParameters[] {
  const codecs = [...(up?.rtp.codecs ?? []), ...(down?.rtp.codecs ?? [])];
  return codecs.filter(
    ({ payloadType }, index) => codecs.findIndex((one) => one.payloadType === payloadType) === index,
  );
}

function codecLines(codecs: types.RtpCodecParameters[]): Pick<SdpMedia, 'rtp' | 'fmtp' | 'rtcpFb'> {
  return {
    rtp: codecs.map(({ mimeType, payloadType, clockRate, channels }) => ({
      payload: payloadType,
      codec: ENCODING_NAME[mimeType.toLowerCase()],
      rate: clockRate,
      encoding: channels,
    })),
    fmtp: codecs
      .map(({ payloadType, parameters, mimeType }) => ({
        payload: payloadType,
        config: formatLine(mimeType, parameters),
      }))
      .filter(({ config }) => config !== ''),
    rtcpFb: codecs.flatMap(({ payloadType, rtcpFeedback = [] }) =>
      rtcpFeedback.map(({ type, parameter }) => ({
        payload: payloadType,
        type,
        subtype: parameter || undefined,
      })),
    ),
  };
}

function track(kind: string, { rtp, sends }: Down): Partial<SdpMedia> {
  const ssrc = rtp.encodings?.[0]?.ssrc;
  const isTold = sends && ssrc !== undefined;
  return {
    msid: [{ id: STREAM, appdata: `${STREAM}-${kind}` }],
    ...(isTold && { ssrcs: [{ id: ssrc, attribute: 'cname', value: rtp.rtcp?.cname ?? STREAM }] }),
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
