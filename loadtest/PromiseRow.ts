/** One line of the table of `promises.ts`: what was promised, what was measured, and what was answered. */
export interface PromisedBy {
  /** As the case is numbered in `docs/reliability.md`, and what of it. */
  what: string;
  /** What was promised. Milliseconds. */
  withinMs: number;
  /** Whom the promise binds: p99 where it says so, else every single time. */
  share?: number;
}

export class PromiseRow {
  readonly what: string;
  readonly withinMs: number;
  readonly share: number;
  readonly tookMs: number[] = [];
  /** What the same takes when nothing is wrong. */
  readonly usualMs: number[] = [];
  /** What was answered and should not have been. */
  readonly wrong: string[] = [];
  #right = 0;

  constructor({ what, withinMs, share = 1 }: PromisedBy) {
    this.what = what;
    this.withinMs = withinMs;
    this.share = share;
  }

  /** Times `ask`. */
  async time<T>(ask: () => Promise<T>, into = this.tookMs): Promise<T> {
    const startedAt = performance.now();
    const answer = await ask();
    into.push(performance.now() - startedAt);
    return answer;
  }

  /** Whether something is as it should be; `what` says how it is. */
  check(isRight: boolean, what: () => string): void {
    if (isRight) this.#right += 1;
    else this.wrong.push(what());
  }

  /** For a table in Markdown. `lateMs`: by how much the driver's own timer was late meanwhile, at worst. */
  line(lateMs: number): string {
    const { tookMs, usualMs, wrong } = this;
    const took = `${ms(quantile(tookMs, 0.5))} / ${ms(quantile(tookMs, 0.95))} / ${ms(quantile(tookMs, 1))}`;
    const usual = usualMs.length > 0 ? `${ms(quantile(usualMs, 0.5))} / ${ms(quantile(usualMs, 1))}` : '';
    const answers = wrong.length > 0 ? `**${wrong.length} wrong**` : `${this.#right} right`;
    const of = this.share < 1 ? ` (p${this.share * 100})` : '';
    const promised = `${ms(this.withinMs)}${of}`;
    const bound = quantile(tookMs, this.share);
    const overMs = bound - this.withinMs;
    const late = overMs <= 0 ? '' : overMs <= lateMs ? ' (missed, as was the timer)' : ' **missed**';
    return `| ${this.what} | ${promised} | ${took}${of && `, ${ms(bound)}${of}`}${late} | ${tookMs.length} | ${usual} | ${ms(lateMs)} | ${answers} |`;
  }
}

export const TABLE_HEAD = [
  '| case | promised | measured, p50 / p95 / most | times | undisturbed, p50 / most | timer late by | answers |',
  '|---|---|---|---|---|---|---|',
].join('\n');

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function ms(value: number): string {
  return Number.isNaN(value) ? '–' : value < 10 ? value.toFixed(1) : value.toFixed(0);
}
