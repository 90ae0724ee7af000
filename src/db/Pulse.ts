/**
 * Whether the database answers at all. While work waits for it, a question is asked for the purpose (the probe); when
 * nothing comes back, that least of all, it is taken to stand still: what waits is given up, what comes is refused at
 * once, until the probe is answered. So a PostgreSQL that is frozen or cut off costs people 503s and not waits.
 *
 * Looks are counted, not time: between two of them everything that had arrived was read. A process that was starved, or
 * busy with something else for seconds, looks once and sees what came meanwhile. A slow statement, or a queue for
 * connections, is none of this as long as the probe comes back.
 */
import type { Clock, Timer } from '../clock.ts';
import { DuetError } from '../errors.ts';
import { type Linked, LinkedSet } from '../platform/LinkedSet.ts';
import { isAnswer } from './sql.ts';

export interface PulseOptions {
  clock: Clock;
  /** Asks the database something trivial. Resolves when there was an answer of any kind, rejects when there was none. */
  probe: () => Promise<void>;
  /** Told of each change. */
  onChange: (stalled: boolean) => void;
}

/** Work that waits for the database. */
interface Waiting extends Linked<Waiting> {
  /** The look that saw it begin. */
  since: number;
  giveUp: () => void;
}

const LOOK_EVERY_MS = 100;
/** For how many looks work waits before the probe is sent, and sent again. */
const PROBE_AFTER = 4;
/** For how many looks the probe may stay out when nothing else comes back either, and when other work does. */
const SILENT_LOOKS = 9;
const SUSPECT_LOOKS = 14;

export class Pulse {
  readonly #options: PulseOptions;
  readonly #waiting = new LinkedSet<Waiting>();
  #timer: Timer | undefined;
  #looks = 0;
  /** The look that last saw a sign of life: work that came back, well or with an error of PostgreSQL's. */
  #livedAt = 0;
  /** The look at which the probe went out; undefined while none is out. */
  #probedAt: number | undefined;
  #answeredAt = 0;
  #stalled = false;
  #closed = false;

  constructor(options: PulseOptions) {
    this.#options = options;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** How often was looked so far. */
  get looks(): number {
    return this.#looks;
  }

  /**
   * Runs work of the database's. Throws UNAVAILABLE, whatever became of the work, when the database stands still.
   * `bornAt`: the look at which the connection was made that it runs on. What comes back on one that is younger than the
   * oldest work that waits says nothing of those of before, which may all be cut off.
   */
  watch<T>(work: () => Promise<T>, bornAt = -1): Promise<T> {
    if (this.#stalled) return Promise.reject(new DuetError('UNAVAILABLE'));
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        since: this.#looks,
        giveUp: () => reject(new DuetError('UNAVAILABLE')),
        older: undefined,
        newer: undefined,
      };
      this.#waiting.add(waiting);
      if (this.#timer === undefined) this.#look();
      const back = (isLife: boolean) => {
        const oldest = this.#waiting.oldest?.since ?? this.#looks;
        if (isLife && bornAt < oldest) this.#livedAt = this.#looks;
        this.#waiting.delete(waiting);
      };
      work().then(
        (result) => {
          back(true);
          resolve(result);
        },
        (error: unknown) => {
          // A time-out of this side is none.
          back(isAnswer(error));
          reject(error);
        },
      );
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.#timer = undefined;
      this.#looks += 1;
      const oldest = this.#waiting.oldest?.since;
      if (oldest === undefined && !this.#stalled) return;
      const since = Math.max(oldest ?? 0, this.#answeredAt);
      if (this.#stalled || this.#looks - since >= PROBE_AFTER) this.#probe();
      if (this.#probedAt !== undefined) {
        const outFor = this.#looks - this.#probedAt;
        const silentFor = Math.min(outFor, this.#looks - this.#livedAt);
        if (silentFor >= SILENT_LOOKS || outFor >= SUSPECT_LOOKS) this.#turn(true);
      }
      this.#look();
    });
  }

  #probe(): void {
    if (this.#probedAt !== undefined) return;
    this.#probedAt = this.#looks;
    this.#ask();
  }

  #ask(): void {
    this.#options.probe().then(
      () => {
        this.#probedAt = undefined;
        this.#answeredAt = this.#looks;
        this.#livedAt = this.#looks;
        this.#turn(false);
      },
      () => {
        // No answer: asked again at once, and the looks count on.
        if (!this.#closed) this.#options.clock.after(LOOK_EVERY_MS, () => this.#ask());
      },
    );
  }

  #turn(stalled: boolean): void {
    if (stalled) {
      for (const waiting of this.#waiting) {
        this.#waiting.delete(waiting);
        waiting.giveUp();
      }
    }
    if (this.#stalled === stalled) return;
    this.#stalled = stalled;
    this.#options.onChange(stalled);
  }
}
