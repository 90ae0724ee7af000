import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MEDIA_MESSAGES } from '../../../src/media/messages.ts';
import { assertCodecsAre, RtpParameters } from '../../../src/media/rtpSchemas.ts';
import { audioParameters, dtlsParameters, videoParameters } from '../../integration/media/rtpSamples.ts';

const produce = (rtpParameters: unknown) =>
  MEDIA_MESSAGES['media:produce'].safeParse({ transportId: randomUUID(), kind: 'audio', rtpParameters });
const connect = (parameters: unknown) =>
  MEDIA_MESSAGES['media:connect'].safeParse({ transportId: randomUUID(), dtlsParameters: parameters });
const consume = (rtpCapabilities: unknown) =>
  MEDIA_MESSAGES['media:consume'].safeParse({ producerId: randomUUID(), rtpCapabilities });

/** `audioParameters` with one field set, by path. */
function withField(path: (string | number)[], value: unknown): unknown {
  const parameters: unknown = structuredClone(audioParameters());
  let at = parameters as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1)!] = value;
  return parameters;
}

describe('media messages', () => {
  it('takes what a browser sends', () => {
    expect(produce(audioParameters()).success).toBe(true);
    expect(produce(videoParameters()).success).toBe(true);
    expect(connect(dtlsParameters()).success).toBe(true);
  });

  it.each([
    ['a fraction of a bit', ['encodings', 0, 'maxBitrate'], 1.5],
    ['a bitrate that is no number', ['encodings', 0, 'maxBitrate'], '1000'],
    ['an infinite bitrate', ['encodings', 0, 'maxBitrate'], Number.POSITIVE_INFINITY],
    ['a negative bitrate', ['encodings', 0, 'maxBitrate'], -1],
    ['a bitrate beyond integers', ['encodings', 0, 'maxBitrate'], 1e21],
    ['an SSRC of 33 bits', ['encodings', 0, 'ssrc'], 2 ** 32],
    ['an SSRC of zero', ['encodings', 0, 'ssrc'], 0],
    ['an RTX SSRC that is no number', ['encodings', 0, 'rtx'], { ssrc: {} }],
    ['a payload type of 8 bits', ['codecs', 0, 'payloadType'], 128],
    ['a payload type that is not a number', ['codecs', 0, 'payloadType'], Number.NaN],
    ['half a channel', ['codecs', 0, 'channels'], 1.5],
    ['a codec that no router has', ['codecs', 0, 'mimeType'], 'audio/PCMU'],
    ['a codec that is no string', ['codecs', 0, 'mimeType'], ['audio/opus']],
    [
      'a format parameter with a line break',
      ['codecs', 0, 'parameters'],
      { useinbandfec: '1\r\na=candidate:x' },
    ],
    ['feedback with a line break', ['codecs', 0, 'rtcpFeedback'], [{ type: 'nack\r\nx', parameter: '' }]],
    ['no codecs', ['codecs'], []],
    ['codecs that are no list', ['codecs'], { length: 1 }],
    [
      'two codecs of one payload type',
      ['codecs'],
      [audioParameters().codecs[0], audioParameters().codecs[0]],
    ],
    ['a mid of nine bytes', ['mid'], 'a'.repeat(9)],
    ['a mid that is no token', ['mid'], 'a b'],
    ['an encoding without a source', ['encodings'], [{}]],
    ['an encoding that is known by its rid only', ['encodings'], [{ rid: 'a' }]],
    ['no encodings', ['encodings'], []],
    ['encodings that are not there', ['encodings'], undefined],
    ['two encodings of one source', ['encodings'], [{ ssrc: 1 }, { ssrc: 1 }]],
    ['retransmission from the source itself', ['encodings'], [{ ssrc: 1, rtx: { ssrc: 1 } }]],
    ['an extension id of zero', ['headerExtensions', 0, 'id'], 0],
    ['two extensions of one id', ['headerExtensions', 0, 'id'], 10],
    ['a thousand extensions', ['headerExtensions'], Array(1000).fill({ uri: 'urn:x', id: 1 })],
    ['four encodings', ['encodings'], Array(4).fill({ ssrc: 1 })],
    ['layers without end', ['encodings', 0, 'scalabilityMode'], 'L99T99'],
    ['dtx that is no boolean', ['encodings', 0, 'dtx'], 'yes'],
    ['rtcp that is no object', ['rtcp'], 5],
  ])('refuses %s', (_, path, value) => {
    expect(produce(withField(path, value)).success).toBe(false);
  });

  it('drops what is not named, and nothing of it reaches the other person', () => {
    const parameters = {
      ...audioParameters(),
      msid: 'stream track\r\na=x',
      extra: { deep: true },
      rtcp: { cname: 'my name', reducedSize: true, mux: true },
    };
    parameters.headerExtensions.push({ uri: 'urn:some:unknown', id: 14, encrypt: true, parameters: {} });
    Object.assign(parameters.codecs[0]!.parameters, { 'x-free-text': 'hello' });
    const parsed = RtpParameters.parse(parameters);
    expect(parsed).not.toHaveProperty('msid');
    expect(parsed).not.toHaveProperty('extra');
    expect(parsed.rtcp).toEqual({ reducedSize: true });
    expect(parsed.codecs[0]!.parameters).toEqual({ minptime: 10, useinbandfec: 1 });
    expect(parsed.headerExtensions!.map((extension) => extension.uri)).not.toContain('urn:some:unknown');
  });

  it('refuses unknown keys on the outside', () => {
    const dtls = { transportId: randomUUID(), dtlsParameters: dtlsParameters() };
    expect(MEDIA_MESSAGES['media:connect'].safeParse(dtls).success).toBe(true);
    expect(MEDIA_MESSAGES['media:connect'].safeParse({ ...dtls, iceParameters: {} }).success).toBe(false);
    expect(MEDIA_MESSAGES['media:open'].safeParse({ direction: 'both' }).success).toBe(false);
    expect(MEDIA_MESSAGES['media:capabilities'].safeParse(undefined).success).toBe(true);
  });

  it.each([
    ['an unknown hash', { algorithm: 'sha-1', value: 'AA' }],
    ['a hash of the wrong length', { algorithm: 'sha-256', value: Array(20).fill('AA').join(':') }],
    ['a hash that is not hexadecimal', { algorithm: 'sha-256', value: Array(32).fill('GG').join(':') }],
    ['a hash without colons', { algorithm: 'sha-256', value: 'A'.repeat(95) }],
    ['a hash that is no string', { algorithm: 'sha-256', value: 7 }],
  ])('refuses %s as a fingerprint', (_, fingerprint) => {
    expect(connect({ fingerprints: [fingerprint] }).success).toBe(false);
    expect(connect({ fingerprints: [] }).success).toBe(false);
  });

  it('makes every client the DTLS client, and writes fingerprints as the worker does', () => {
    const value = Array(32).fill('ab').join(':');
    const parsed = connect({ role: 'auto', fingerprints: [{ algorithm: 'sha-256', value }] });
    expect(parsed.data?.dtlsParameters).toEqual({
      role: 'client',
      fingerprints: [{ algorithm: 'sha-256', value: value.toUpperCase() }],
    });
    expect(connect({ ...dtlsParameters(), role: 'server' }).success).toBe(false);
  });

  it('keeps of capabilities what a router here can use', () => {
    const parsed = consume({
      codecs: [
        { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: 109 },
        { kind: 'audio', mimeType: 'audio/telephone-event', clockRate: 8_000 },
        {
          kind: 'video',
          mimeType: 'video/H264',
          clockRate: 90_000,
          parameters: { 'profile-level-id': '42e01f' },
        },
        { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
      ],
      headerExtensions: [
        { kind: 'audio', uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', preferredId: 1 },
        { kind: 'audio', uri: 'urn:mediasoup:params:rtp-hdrext:packet-id', preferredId: 2 },
      ],
      fecMechanisms: [],
    });
    expect(parsed.data?.rtpCapabilities.codecs.map((codec) => codec.mimeType)).toEqual([
      'audio/opus',
      'video/vp8',
    ]);
    expect(parsed.data?.rtpCapabilities.headerExtensions).toHaveLength(1);
    expect(consume({ codecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 0.5 }] }).success).toBe(
      false,
    );
    expect(consume({}).success).toBe(false);
  });

  it('does not let video pass as audio', () => {
    const video = RtpParameters.parse(videoParameters());
    expect(() => assertCodecsAre('audio', video)).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED' }),
    );
    expect(() => assertCodecsAre('video', video)).not.toThrow();
  });
});
