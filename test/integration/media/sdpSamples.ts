/** An offer as Chromium makes it for a microphone (and a camera), shortened. Fresh text on every call. */
export function offerSdp({ video = false, ssrc = 3_111_111 } = {}): string {
  const common = [
    'c=IN IP4 0.0.0.0',
    'a=ice-ufrag:eTg3',
    'a=ice-pwd:mc1LLdYZwqnzg3LBw8Es3FoQ',
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${Array(32).fill('A7').join(':')}`,
    'a=setup:actpass',
    'a=rtcp-mux',
    'a=rtcp-rsize',
    'a=sendrecv',
  ];
  const lines = [
    'v=0',
    'o=- 1750089702090468223 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE 0${video ? ' 1' : ''}`,
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS 4b85c189-2607',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0',
    ...common,
    'a=mid:0',
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
    `a=ssrc:${ssrc} cname:iWrKffz9ZPhJ32wt`,
  ];
  if (video) {
    lines.push(
      'm=video 9 UDP/TLS/RTP/SAVPF 96 97 103',
      ...common,
      'a=mid:1',
      'a=extmap:13 urn:3gpp:video-orientation',
      'a=rtpmap:96 VP8/90000',
      'a=rtcp-fb:96 goog-remb',
      'a=rtcp-fb:96 ccm fir',
      'a=rtcp-fb:96 nack',
      'a=rtcp-fb:96 nack pli',
      'a=rtpmap:97 rtx/90000',
      'a=fmtp:97 apt=96',
      'a=rtpmap:103 H264/90000',
      `a=ssrc-group:FID ${ssrc + 1} ${ssrc + 2}`,
      `a=ssrc:${ssrc + 1} cname:iWrKffz9ZPhJ32wt`,
      `a=ssrc:${ssrc + 2} cname:iWrKffz9ZPhJ32wt`,
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}
