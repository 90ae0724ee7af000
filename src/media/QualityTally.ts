import type { Quality } from './QualityMeter.ts';

/** How one person heard the other over a whole call: means, and the worst score. */
export type QualitySummary = Quality & {
  worstMos: number;
  reports: number;
  /** Reports in which there was video: the means of the video are over these. */
  withVideo: number;
};

/** At most one report in this time is passed on to a person. */
const REPORT_EVERY_MS = 2_000;
/** A timer may fire this much early. */
const SLACK_MS = 50;

type Tally = { sums: Quality; worstMos: number; reports: number; withVideo: number; toldAt: number };

/** Adds a call's quality up, over the lives of the workers that serve it. */
export class QualityTally {
  readonly #tallies = new Map<string, Tally>();

  /** Takes a report; whether it is time to pass one on to this person. `now`: milliseconds. */
  add(userId: string, quality: Quality, now: number): boolean {
    const tally = this.#tallies.get(userId);
    const withVideo = quality.videoMos > 0 ? 1 : 0;
    if (tally === undefined) {
      const { mos: worstMos } = quality;
      this.#tallies.set(userId, { sums: { ...quality }, worstMos, reports: 1, withVideo, toldAt: now });
      return true;
    }
    tally.withVideo += withVideo;
    for (const name of Object.keys(quality) as (keyof Quality)[]) tally.sums[name] += quality[name];
    tally.worstMos = Math.min(tally.worstMos, quality.mos);
    tally.reports += 1;
    if (now - tally.toldAt < REPORT_EVERY_MS - SLACK_MS) return false;
    tally.toldAt = now;
    return true;
  }

  /** By person; empty when nobody was ever heard. */
  summary(): Record<string, QualitySummary> {
    return Object.fromEntries([...this.#tallies].map(([userId, tally]) => [userId, summarize(tally)]));
  }
}

function summarize({ sums, worstMos, reports, withVideo }: Tally): QualitySummary {
  const mean = (name: keyof Quality, digits: number, of = reports) =>
    Number((sums[name] / Math.max(of, 1)).toFixed(digits));
  return {
    mos: mean('mos', 2),
    lossRatio: mean('lossRatio', 4),
    jitterMs: mean('jitterMs', 1),
    rttMs: mean('rttMs', 1),
    audioBps: mean('audioBps', 0),
    videoBps: mean('videoBps', 0),
    videoMos: mean('videoMos', 2, withVideo),
    frozenRatio: mean('frozenRatio', 4, withVideo),
    worstMos,
    reports,
    withVideo,
  };
}
