import { describe, expect, it } from 'vitest';
import { readSession } from '../../../../src/media/plain/readSession.ts';
import { RtpParameters } from '../../../../src/media/rtpSchemas.ts';
import { offerSdp } from '../../../integration/media/sdpSamples.ts';

const without = (sdp: string, line: RegExp) => sdp.replace(line, '');
const SOURCES = /^a=ssrc.*\r\n/gm;

describe('the sources of a description', () => {
  it.each([
    ['no line names any', without(offerSdp(), SOURCES)],
    ['the camera names none', without(offerSdp({ video: true, ssrc: 5 }), /^a=ssrc.*[567] .*\r\n/gm)],
    ['rids stand in for them', without(offerSdp(), SOURCES).replace('a=mid:0', 'a=mid:0\r\na=rid:1 send')],
    ['one is zero', offerSdp({ ssrc: 0 })],
  ])('are named by what sends: %s', (_, sdp) => {
    expect(() => readSession(sdp)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
  });

  it('says which line is missing', () => {
    expect(() => readSession(without(offerSdp(), SOURCES))).toThrow(
      expect.objectContaining({ details: [{ path: 'sdp', message: 'a=ssrc' }] }),
    );
  });

  it('are what the SFU is told, without a rid', () => {
    const { sections } = readSession(
      offerSdp({ video: true, ssrc: 5 }).replace('a=mid:1', 'a=mid:1\r\na=rid:hi send'),
    );
    for (const { rtp } of sections) expect(RtpParameters.safeParse(rtp).success).toBe(true);
    expect(sections.map(({ rtp }) => rtp?.encodings)).toEqual([
      [{ ssrc: 5 }],
      [{ ssrc: 6, rtx: { ssrc: 7 } }],
    ]);
  });

  it('are not asked for where nothing is sent', () => {
    const idle = without(offerSdp(), SOURCES).replace('a=sendrecv', 'a=recvonly');
    const [section] = readSession(idle).sections;
    expect(section).toMatchObject({ sends: false, receives: true, rtp: { encodings: [] } });
  });
});
