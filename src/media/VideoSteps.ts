import type { Way } from './QualityMeter.ts';

/** How much of the other's video a listener gets: all of it, little of it, none. Audio is never touched. */
export type VideoStep = 'full' | 'reduced' | 'off';

/** What one person's video may take in each step, bits per second on top of the audio; the encoder keeps to it. */
export const STEP_VIDEO_BPS = { full: Number.POSITIVE_INFINITY, reduced: 350_000, off: 30_000 } as const;

const STEPS: readonly VideoStep[] = ['full', 'reduced', 'off'];

/** Worse than either is poor; better than both is good; between them nothing changes. */
const POOR = { mos: 3.3, lossRatio: 0.08 };
const GOOD = { mos: 3.9, lossRatio: 0.02 };
/**
 * Rounds of measuring (2 s) in a row before it is left, down and up. Nothing is switched off by the same report of the
 * listener's by which it was reduced, and they are up to 7.5 s apart; up takes longer, or it would go to and fro.
 */
const ROUNDS_DOWN = { full: 2, reduced: 4, off: Number.POSITIVE_INFINITY } as const;
const ROUNDS_UP = 5;

/** `poor` and `good`: rounds in a row. */
type Listener = { step: VideoStep; poor: number; good: number };

/**
 * Decides from how a listener hears the other whether the network still carries video beside the audio: what spoils
 * the audio is nearly always what shares the path with it. While the other is muted, from how the video itself comes.
 */
export class VideoSteps {
  readonly #listeners = new Map<string, Listener>();
  readonly #changed: (listenerId: string, step: VideoStep) => void;

  /** `changed` is called with each new step. */
  constructor(changed: (listenerId: string, step: VideoStep) => void) {
    this.#changed = changed;
  }

  stepOf(listenerId: string): VideoStep {
    return this.#listeners.get(listenerId)?.step ?? 'full';
  }

  /**
   * Takes one round of measuring. Without video there is nothing to step down. `way`: null when nothing came by which
   * it could be measured; then a picture that is off is tried again after as long as when all is well, for nothing else
   * would ever tell.
   */
  judge(listenerId: string, way: Way | null, hasVideo: boolean): void {
    if (!hasVideo) {
      // The video is gone; the next one starts in full.
      const isLess = this.stepOf(listenerId) !== 'full';
      this.forget(listenerId);
      if (isLess) this.#changed(listenerId, 'full');
      return;
    }
    const listener = this.#listeners.get(listenerId) ?? { step: 'full', poor: 0, good: 0 };
    this.#listeners.set(listenerId, listener);
    const isPoor = way !== null && (way.mos < POOR.mos || way.lossRatio > POOR.lossRatio);
    const isGood =
      way === null ? listener.step === 'off' : way.mos >= GOOD.mos && way.lossRatio <= GOOD.lossRatio;
    listener.poor = isPoor ? listener.poor + 1 : 0;
    listener.good = isGood ? listener.good + 1 : 0;
    if (listener.poor >= ROUNDS_DOWN[listener.step]) this.#move(listenerId, listener, 1);
    else if (listener.good >= ROUNDS_UP) this.#move(listenerId, listener, -1);
  }

  /** Starts anew in full, without telling: what was measured says nothing of the listener's next connection. */
  forget(listenerId: string): void {
    this.#listeners.delete(listenerId);
  }

  #move(listenerId: string, listener: Listener, by: 1 | -1): void {
    listener.poor = 0;
    listener.good = 0;
    const step = STEPS[STEPS.indexOf(listener.step) + by];
    if (step === undefined) return;
    listener.step = step;
    this.#changed(listenerId, step);
  }
}
