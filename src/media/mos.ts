/**
 * How a voice call sounds, estimated from what the network did to it: the E-model of ITU-T G.107, reduced to the
 * impairments that an SFU can see (delay, loss); loudness, echo and noise keep G.107's default values.
 *
 * R = 93.2 - Idd(delay) - Ie,eff(loss), mapped to a mean opinion score of 1 (useless) to 4.41 (nothing wrong).
 */

export type VoicePath = {
  /** Mouth to ear, milliseconds, jitter buffer and codec included. */
  delayMs: number;
  /** Share of packets that never arrived, 0 to 1. */
  lossRatio: number;
};

/** G.107 table 3: R with every parameter at its default and no delay or loss. */
const R_DEFAULT = 93.2;

/**
 * Opus at 24 kbit/s and more impairs nothing by itself (Ie = 0). No Bpl is published for it; with in-band FEC and
 * concealment it is at least as robust as G.711 with concealment, whose Bpl is 25.1 (G.113, appendix I).
 */
const EQUIPMENT_IMPAIRMENT = 0;
const LOSS_ROBUSTNESS = 25.1;

/** Encoding, packetisation (20 ms) and playout of Opus, milliseconds. */
export const CODEC_DELAY_MS = 26.5;

/** Mean opinion score of a path, 1 to 4.5, two decimals. */
export function estimateMos(path: VoicePath): number {
  const r = R_DEFAULT - delayImpairment(path.delayMs) - lossImpairment(path.lossRatio);
  return Math.round(mosOfRating(r) * 100) / 100;
}

/** Idd of G.107 (7-27 and 7-28): nothing up to 100 ms, then growing with the logarithm. */
export function delayImpairment(delayMs: number): number {
  if (delayMs <= 100) return 0;
  const x = Math.log2(delayMs / 100);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** Ie,eff of G.107 (7-29) for random loss (BurstR = 1). */
export function lossImpairment(lossRatio: number): number {
  const lossPercent = Math.min(Math.max(lossRatio, 0), 1) * 100;
  return EQUIPMENT_IMPAIRMENT + ((95 - EQUIPMENT_IMPAIRMENT) * lossPercent) / (lossPercent + LOSS_ROBUSTNESS);
}

/** G.107 annex B: rating to mean opinion score. */
export function mosOfRating(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}
