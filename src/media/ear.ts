import type { types } from 'mediasoup';
import { DuetError } from '../errors.ts';
import type { RtpCapabilities } from './rtpSchemas.ts';

/**
 * The mid under which a client that prepared itself hears the other. The worker writes it into every packet
 * (RFC 9143 section 15), so the client can make its receiver before there is a sender whose SSRC it could be told.
 */
export const EAR_MID = 'ear';

/** mediasoup passes it on between routers only. */
const BETWEEN_ROUTERS = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

/**
 * The parameters of the audio consumer that this client will get, as mediasoup will make it, without the SSRC.
 * Throws `VALIDATION_FAILED` for a client that cannot play what the router carries.
 */
export function earParameters(router: types.RtpCapabilities, client: RtpCapabilities): types.RtpParameters {
  const codec = router.codecs?.find(({ kind }) => kind === 'audio');
  const isPlayable = client.codecs?.some(({ mimeType }) => mimeType.toLowerCase() === 'audio/opus');
  if (codec === undefined || codec.preferredPayloadType === undefined || !isPlayable) {
    throw new DuetError('VALIDATION_FAILED');
  }
  const { mimeType, preferredPayloadType: payloadType, clockRate, channels, parameters } = codec;
  const isSent = ({ kind, direction, uri }: types.RtpHeaderExtension) =>
    kind === 'audio' && uri !== BETWEEN_ROUTERS && (direction === 'sendrecv' || direction === 'sendonly');
  const isKnown = ({ uri, preferredId }: types.RtpHeaderExtension) =>
    client.headerExtensions?.some((one) => one.uri === uri && one.preferredId === preferredId);
  return {
    mid: EAR_MID,
    // Nothing of an audio stream is asked for again, and mediasoup probes no bandwidth by it.
    codecs: [
      {
        mimeType: mimeType as types.RtpCodecParameters['mimeType'],
        payloadType,
        clockRate,
        channels,
        parameters,
        rtcpFeedback: [],
      },
    ],
    headerExtensions: (router.headerExtensions ?? [])
      .filter((one) => isSent(one) && isKnown(one))
      .map(({ uri, preferredId }) => ({ uri, id: preferredId, encrypt: false, parameters: {} })),
    encodings: [{}],
    rtcp: { cname: EAR_MID, reducedSize: true },
  };
}
