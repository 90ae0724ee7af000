import { describe, expect, it } from 'vitest';
import {
  CODEC_DELAY_MS,
  delayImpairment,
  estimateMos,
  lossImpairment,
  mosOfRating,
} from '../../../src/media/mos.ts';

describe('the E-model', () => {
  it('gives a path without fault the default of G.107: R 93.2, MOS 4.41', () => {
    expect(estimateMos({ delayMs: 0, lossRatio: 0 })).toBe(4.41);
    expect(estimateMos({ delayMs: 100, lossRatio: 0 })).toBe(4.41);
  });

  it('follows G.107 annex B from rating to opinion', () => {
    // Table B.1: R 90, 80, 70, 60, 50 are MOS 4.34, 4.03, 3.60, 3.10, 2.58.
    for (const [r, mos] of [
      [90, 4.34],
      [80, 4.03],
      [70, 3.6],
      [60, 3.1],
      [50, 2.58],
    ] as const) {
      expect(mosOfRating(r)).toBeCloseTo(mos, 1);
    }
    expect(mosOfRating(-5)).toBe(1);
    expect(mosOfRating(3)).toBe(1);
    expect(mosOfRating(120)).toBe(4.5);
  });

  it('charges nothing for delay up to 100 ms and ever more after it', () => {
    expect(delayImpairment(99)).toBe(0);
    const impairments = [100, 150, 200, 300, 400, 600].map(delayImpairment);
    for (const [i, impairment] of impairments.entries())
      if (i > 0) expect(impairment).toBeGreaterThan(impairments[i - 1]!);
    // G.107 figure: about 24 points at 400 ms.
    expect(delayImpairment(400)).toBeGreaterThan(20);
    expect(delayImpairment(400)).toBeLessThan(30);
  });

  it('charges more for more loss, and never more than silence', () => {
    expect(lossImpairment(0)).toBe(0);
    expect(lossImpairment(0.02)).toBeCloseTo((95 * 2) / 27.1, 5);
    expect(lossImpairment(1)).toBeLessThan(95);
    expect(lossImpairment(7)).toBe(lossImpairment(1));
    expect(lossImpairment(-1)).toBe(0);
    expect(estimateMos({ delayMs: 50, lossRatio: 1 })).toBeLessThan(1.7);
  });

  it('calls 2 % loss with 40 ms of jitter a good call', () => {
    expect(estimateMos({ delayMs: 30 + 2 * 40 + CODEC_DELAY_MS, lossRatio: 0.02 })).toBeGreaterThanOrEqual(4);
  });
});
