/**
 * How a video looks, estimated from what the SFU sees of it, which decodes nothing: the video quality of ITU-T G.1070
 * (bitrate, and loss that was not repaired), lowered by the stalling term of ITU-T P.1203.3.
 *
 * The frame rate is taken to be the best one for the bitrate (G.1070's Ofr), for the frames are not counted. Neither
 * recommendation knows VP8; the coefficients are the set of G.1070's appendix I for MPEG-4 at QVGA, so the score
 * compares calls with each other and is no measurement of any one.
 */

export type VideoPath = {
  /** What arrives of the picture, bits per second. */
  bps: number;
  /** Share of packets that were lost and not sent again, 0 to 1. */
  lossRatio: number;
  /** How often the picture stood still, and for what share of the time. */
  freezes: number;
  frozenRatio: number;
};

/** G.1070 appendix I, v1 to v12; bitrates in kbit/s. */
const V = [1.431, 0.02228, 3.759, 184.1, 1.161, 1.446, 0.0003881, 2.116, 467.4, 2.736, 15.28, 4.17] as const;
const [V1, V2, V3, V4, V5, , , V8, V9, V10, V11, V12] = V;
const MOST_FRAMES_PER_SEC = 30;

/** P.1203.3 section 8.4: the weights of the number of stalls and of their length. */
const STALLS = 9.35158684;
const STALLED_SHARE = 0.91890815;

/** Mean opinion score of a picture, 1 to 5, two decimals. */
export function estimateVideoMos({ bps, lossRatio, freezes, frozenRatio }: VideoPath): number {
  const kbps = bps / 1000;
  const quality = codingQuality(kbps) * Math.exp((-lossRatio * 100) / lossRobustness(kbps));
  const stalling = Math.exp(-freezes / STALLS) * Math.exp(-frozenRatio / STALLED_SHARE);
  return Math.round((1 + quality * stalling) * 100) / 100;
}

/** I_Ofr of G.1070 (11-7): what the bitrate alone allows, 0 to 3.76. */
function codingQuality(kbps: number): number {
  return V3 - V3 / (1 + (kbps / V4) ** V5);
}

/** D_Pplv of G.1070 (11-9): percent of loss that takes two thirds of the quality. */
function lossRobustness(kbps: number): number {
  const framesPerSec = Math.min(V1 + V2 * kbps, MOST_FRAMES_PER_SEC);
  return V10 + V11 * Math.exp(-framesPerSec / V8) + V12 * Math.exp(-kbps / V9);
}
