/** The part of `sdp-transform` (which brings no types) that is used here. */
declare module 'sdp-transform' {
  type Line = Record<string, string | number | undefined>;

  export type SdpMedia = {
    type: string;
    port: number;
    protocol: string;
    payloads?: string | number;
    rtp: Line[];
    fmtp: Line[];
    mid?: string | number;
    iceUfrag?: string | number;
    icePwd?: string | number;
    fingerprint?: { type: string | number; hash: string | number };
    setup?: string;
    direction?: string;
    rtcpMux?: string;
    rtcpRsize?: string;
    bundleOnly?: string;
    msid?: Line[];
    connection?: { version: number; ip: string };
    rtcpFb?: Line[];
    ext?: Line[];
    ssrcs?: Line[];
    ssrcGroups?: Line[];
    bandwidth?: Line[];
    candidates?: Line[];
    endOfCandidates?: string;
  };

  export type SdpSession = Omit<Partial<SdpMedia>, 'connection'> & {
    version: number;
    name: string;
    origin?: Line;
    timing?: { start: number; stop: number };
    groups?: Line[];
    icelite?: string;
    media: SdpMedia[];
  };

  const sdpTransform: {
    parse(sdp: string): SdpSession;
    write(session: SdpSession): string;
  };
  export default sdpTransform;
}
