/** The durations of a run, shorter than in the field so that a run is short, drawn so that their order varies. */
import type { CallSettings } from '../../src/calling/state.ts';
import type { MatchSettings } from '../../src/matching/transitions.ts';
import type { Random } from './Random.ts';

export interface Durations {
  call: CallSettings;
  match: MatchSettings;
  /** How long who has left can come back. */
  graceMs: number;
  /** How long people act and trouble is made. */
  troubleMs: number;
}

/** When every run begins, by the database's clock. */
export const START_MS = Date.UTC(2030, 0, 1);

/** After the trouble: by then everything is over, or something is stuck. */
export const REST_MS = 90_000;

/** How long the database lets a process wait for an answer that was lost. */
export const DATABASE_TIMEOUT_MS = 1_500;

/** How long a person's phone waits for an answer over HTTP. */
export const PHONE_TIMEOUT_MS = 3_500;

export function drawDurations(random: Random): Durations {
  const durationMs = random.between(3, 9) * 1000;
  return {
    call: {
      ringMs: random.between(2, 5) * 1000,
      durationMs,
      extensionMs: random.between(1, 4) * 1000,
      maxExtensions: random.between(0, 3),
      warningMs: random.between(1, durationMs / 1000) * 500,
      requestMs: random.between(1, 4) * 700,
      reconnectMs: random.between(2, 5) * 1000,
    },
    match: { acceptMs: random.between(4, 14) * 1000, warningMs: random.between(1, 6) * 500 },
    graceMs: random.pick([0, 700, 3_000]),
    troubleMs: random.between(6, 16) * 1000,
  };
}
