/**
 * The rank of a person for one viewer: the score that is the same for all, plus what the two have in common, how
 * near they are, and whether a call could start right now. Who likes whom is not in it.
 */
import { SCORE_STEP } from './score.ts';

export interface Candidate {
  id: string;
  score: number;
  interests: readonly string[];
  /** The band between the two, or null for a distance unknown or hidden. */
  upToKm: number | null;
  /** In the app within the last minutes and in no call. */
  canTalkNow: boolean;
}

const PER_SHARED_INTEREST = 8;
const SHARED_AT_MOST = 5;
const CAN_TALK_NOW = 30;
const NEAR: readonly (readonly [upToKm: number, points: number])[] = [
  [3, 20],
  [10, 15],
  [25, 10],
  [50, 5],
];

/** Best first; equals by id, so that the order is the same for the same input. */
export function ranked<T extends Candidate>(
  candidates: readonly T[],
  viewerInterests: readonly string[],
): T[] {
  const mine = new Set(viewerInterests.map((interest) => interest.toLowerCase()));
  return candidates
    .map((candidate) => ({ candidate, rank: rankOf(candidate, mine) }))
    .sort((a, b) => b.rank - a.rank || (a.candidate.id < b.candidate.id ? -1 : 1))
    .map(({ candidate }) => candidate);
}

function rankOf(candidate: Candidate, mine: ReadonlySet<string>): number {
  const shared = candidate.interests.filter((interest) => mine.has(interest.toLowerCase())).length;
  const near =
    candidate.upToKm === null ? 0 : (NEAR.find(([upToKm]) => candidate.upToKm! <= upToKm)?.[1] ?? 0);
  const points =
    Math.min(shared, SHARED_AT_MOST) * PER_SHARED_INTEREST + near + (candidate.canTalkNow ? CAN_TALK_NOW : 0);
  return candidate.score + points * SCORE_STEP;
}
