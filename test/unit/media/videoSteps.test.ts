import { beforeEach, describe, expect, it } from 'vitest';
import type { Quality } from '../../../src/media/QualityMeter.ts';
import { QualityTally } from '../../../src/media/QualityTally.ts';
import { VideoSteps } from '../../../src/media/VideoSteps.ts';

const heard = (mos: number, lossRatio = 0): Quality => ({
  mos,
  lossRatio,
  jitterMs: 5,
  rttMs: 40,
  audioBps: 32_000,
  videoBps: 800_000,
  videoMos: 4,
  frozenRatio: 0,
});

let stepped: string[];
let steps: VideoSteps;

beforeEach(() => {
  stepped = [];
  steps = new VideoSteps((userId, step) => stepped.push(`${userId} ${step}`));
});

const rounds = (count: number, quality: Quality | null, hasVideo = true) => {
  for (let i = 0; i < count; i += 1) steps.judge('ben', quality, hasVideo);
};

describe('video on a poor network', () => {
  it('is reduced after two poor rounds, off after four more, and no further', () => {
    rounds(1, heard(2.5));
    expect(stepped).toEqual([]);
    rounds(1, heard(2.5));
    expect(stepped).toEqual(['ben reduced']);
    rounds(3, heard(4.3, 0.2));
    expect(stepped).toEqual(['ben reduced']);
    rounds(1, heard(4.3, 0.2));
    expect(stepped).toEqual(['ben reduced', 'ben off']);
    rounds(20, heard(1.5));
    expect(stepped).toHaveLength(2);
    expect(steps.stepOf('ben')).toBe('off');
    expect(steps.stepOf('ann')).toBe('full');
  });

  it('comes back a step at a time, and only when it is good for long', () => {
    rounds(6, heard(2));
    rounds(4, heard(4.3));
    rounds(1, heard(3.6));
    rounds(4, heard(4.3));
    expect(steps.stepOf('ben')).toBe('off');
    rounds(1, heard(4.3));
    expect(steps.stepOf('ben')).toBe('reduced');
    rounds(4, heard(4.3));
    expect(steps.stepOf('ben')).toBe('reduced');
    rounds(1, heard(4.3));
    expect(steps.stepOf('ben')).toBe('full');
    rounds(50, heard(4.3));
    expect(stepped).toEqual(['ben reduced', 'ben off', 'ben reduced', 'ben full']);
  });

  it('does not move on one bad round among others, and starts anew with new video', () => {
    for (let i = 0; i < 10; i += 1) {
      rounds(1, heard(2));
      rounds(1, heard(4));
    }
    expect(stepped).toEqual([]);
    rounds(3, heard(2));
    rounds(1, heard(2), false);
    expect(stepped).toEqual(['ben reduced', 'ben full']);
    expect(steps.stepOf('ben')).toBe('full');
    // Without video nothing is counted either.
    rounds(5, heard(2), false);
    rounds(1, heard(2));
    expect(stepped).toHaveLength(2);
  });

  it('stays as it is between poor and good, of which both sides count', () => {
    rounds(20, heard(3.3, 0.08));
    expect(stepped).toEqual([]);
    rounds(2, heard(2));
    for (const between of [heard(3.8), heard(4.3, 0.03), heard(3.3, 0.08)]) rounds(10, between);
    expect(stepped).toEqual(['ben reduced']);
    rounds(5, heard(3.9, 0.02));
    expect(stepped).toEqual(['ben reduced', 'ben full']);
  });

  it('that is off is tried again where nothing says how the network is, and then judged by itself', () => {
    rounds(6, heard(2));
    rounds(4, null);
    expect(steps.stepOf('ben')).toBe('off');
    rounds(1, null);
    expect(steps.stepOf('ben')).toBe('reduced');
    rounds(20, null);
    expect(steps.stepOf('ben')).toBe('reduced');
    rounds(4, heard(4.3, 0.2));
    expect(steps.stepOf('ben')).toBe('off');
  });

  it('is forgotten with the connection that it was for, untold', () => {
    rounds(7, heard(2));
    steps.forget('ben');
    expect(steps.stepOf('ben')).toBe('full');
    rounds(1, heard(2));
    expect(stepped).toEqual(['ben reduced', 'ben off']);
  });
});

describe('the quality of a whole call', () => {
  it('is the mean of what was measured, the worst score, and how often it was measured', () => {
    const tally = new QualityTally();
    tally.add('ben', heard(4.4), 0);
    tally.add('ben', heard(3.4, 0.1), 2_000);
    expect(tally.summary()).toEqual({
      ben: { ...heard(3.9, 0.05), worstMos: 3.4, reports: 2, withVideo: 2 },
    });
    expect(new QualityTally().summary()).toEqual({});
  });

  it('is passed on at most every two seconds a person', () => {
    const tally = new QualityTally();
    const at = (now: number, userId = 'ben') => tally.add(userId, heard(4), now);
    expect([at(0), at(500), at(1_900), at(1_999), at(2_500), at(3_999), at(4_000)]).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(at(2_100, 'ann')).toBe(true);
    expect(tally.summary().ben!.reports).toBe(7);
  });
});
