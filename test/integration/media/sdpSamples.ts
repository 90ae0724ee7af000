type Line = {
  mid: string;
  kind: 'audio' | 'video';
  direction?: string;
  isStopped?: boolean;
  ssrc?: number;
};

/** How a client takes m-lines of a server's description if not as they are offered. */
type Taken = Record<string, 'recvonly' | 'inactive' | 'stopped'>;

const SSRC = 3_111_111;

const OPPOSITE: Record<string, string> = { sendonly: 'recvonly', recvonly: 'sendonly' };

/** An offer as Chromium makes it for a microphone (and a camera), shortened. Fresh text on every call. */
export function offerSdp({ video = false, ssrc = SSRC } = {}): string {
  const microphone: Line = { mid: '0', kind: 'audio', ssrc };
  const camera: Line = { mid: '1', kind: 'video', ssrc: ssrc + 1 };
  return sdpOf(video ? [microphone, camera] : [microphone]);
}

/**
 * What the client of `offerSdp` says with the m-lines of a description of the server's, its answer or a later offer of
 * its own: what is sent is received, and the other way round. `more`: m-lines of its own that come after them.
 */
export function mirroredSdp(sdp: string, taken: Taken = {}, more: Line[] = []): string {
  const lines = sectionsOf(sdp).map(({ mid, kind, direction, port }): Line => {
    const how = taken[mid];
    const isStopped = port === 0 || how === 'stopped';
    return {
      mid,
      kind,
      direction: isStopped ? 'inactive' : (how ?? OPPOSITE[direction] ?? direction),
      isStopped,
    };
  });
  return sdpOf([...lines, ...more]);
}

/** The m-lines of a description. */
export function sectionsOf(sdp: string) {
  const bundle = /^a=group:BUNDLE(.*)$/m.exec(sdp)?.[1]?.trim().split(' ') ?? [];
  return sdp
    .split(/^(?=m=)/m)
    .slice(1)
    .map((text) => {
      const [, kind, port] = /^m=(\w+) (\d+)/.exec(text)!;
      const mid = /^a=mid:(\S+)/m.exec(text)![1]!;
      return {
        mid,
        kind: kind as Line['kind'],
        port: Number(port),
        direction: /^a=(sendrecv|sendonly|recvonly|inactive)/m.exec(text)![1]!,
        isBundled: bundle.includes(mid),
      };
    });
}

function sdpOf(lines: Line[]): string {
  const bundle = lines.filter(({ isStopped }) => !isStopped).map(({ mid }) => mid);
  return `${[
    'v=0',
    'o=- 1750089702090468223 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${bundle.join(' ')}`,
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS 4b85c189-2607',
    ...lines.flatMap(section),
  ].join('\r\n')}\r\n`;
}

function section({ mid, kind, direction = 'sendrecv', isStopped = false, ssrc }: Line): string[] {
  const port = isStopped ? 0 : 9;
  const common = [
    'c=IN IP4 0.0.0.0',
    'a=ice-ufrag:eTg3',
    'a=ice-pwd:mc1LLdYZwqnzg3LBw8Es3FoQ',
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${Array(32).fill('A7').join(':')}`,
    'a=setup:actpass',
    'a=rtcp-mux',
    'a=rtcp-rsize',
    `a=${direction}`,
    `a=mid:${mid}`,
  ];
  const sends = direction.startsWith('send');
  if (kind === 'audio') {
    return [
      `m=audio ${port} UDP/TLS/RTP/SAVPF 111 63 9 0`,
      ...common,
      'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
      'a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
      'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
      'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
      'a=msid:4b85c189-2607 3f1ac78a-fe97',
      'a=rtpmap:111 opus/48000/2',
      'a=rtcp-fb:111 transport-cc',
      'a=fmtp:111 minptime=10;useinbandfec=1',
      'a=rtpmap:63 red/48000/2',
      'a=fmtp:63 111/111',
      ...(sends ? [`a=ssrc:${ssrc ?? SSRC} cname:iWrKffz9ZPhJ32wt`] : []),
    ];
  }
  const first = ssrc ?? SSRC + 1;
  return [
    `m=video ${port} UDP/TLS/RTP/SAVPF 96 97 103`,
    ...common,
    'a=extmap:13 urn:3gpp:video-orientation',
    'a=rtpmap:96 VP8/90000',
    'a=rtcp-fb:96 goog-remb',
    'a=rtcp-fb:96 ccm fir',
    'a=rtcp-fb:96 nack',
    'a=rtcp-fb:96 nack pli',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:97 apt=96',
    'a=rtpmap:103 H264/90000',
    ...(sends
      ? [
          `a=ssrc-group:FID ${first} ${first + 1}`,
          `a=ssrc:${first} cname:iWrKffz9ZPhJ32wt`,
          `a=ssrc:${first + 1} cname:iWrKffz9ZPhJ32wt`,
        ]
      : []),
  ];
}
