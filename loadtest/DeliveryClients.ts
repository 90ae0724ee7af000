/** Open loop: events are due at fixed times whatever the server does, and how late each one is counts from then. */

export interface Delivered {
  /** Milliseconds from due to received, sorted. */
  readonly tookMs: Float64Array;
  sent: number;
  /** How late the sender itself was, p99, milliseconds: part of every time above. */
  senderLateMs: number;
}

/** Microseconds of this process, for marks. */
export function nowUs(): number {
  return performance.now() * 1_000;
}

/** What arrived, and how late. */
export class Stopwatch {
  #tookMs: number[] = [];

  /** An event that was due then is here. */
  arrived(dueUs: number): void {
    this.#tookMs.push((nowUs() - dueUs) / 1_000);
  }

  get count(): number {
    return this.#tookMs.length;
  }

  /** What arrived since the last time it was asked, sorted. */
  take(): Float64Array {
    const taken = Float64Array.from(this.#tookMs).sort();
    this.#tookMs = [];
    return taken;
  }
}

/**
 * Sends `rate` events a second for `seconds`, and waits until as many have arrived or nothing comes any more. Turns
 * without rest: a timer of Node is exact to a millisecond, which is more than what is measured.
 */
export async function openLoop(
  stopwatch: Stopwatch,
  { rate, seconds }: { rate: number; seconds: number },
  send: (i: number, dueUs: number) => void,
): Promise<Delivered> {
  stopwatch.take();
  const total = Math.round(rate * seconds);
  const late = new Float64Array(total);
  const startedUs = nowUs();
  await new Promise<void>((done) => {
    let i = 0;
    const turn = () => {
      const due = Math.min(total, Math.floor(((nowUs() - startedUs) * rate) / 1e6));
      for (; i < due; i++) {
        const dueUs = startedUs + (i * 1e6) / rate;
        late[i] = (nowUs() - dueUs) / 1_000;
        send(i, dueUs);
      }
      if (i < total) setImmediate(turn);
      else done();
    };
    turn();
  });
  for (let before = -1; stopwatch.count < total && stopwatch.count !== before; ) {
    before = stopwatch.count;
    await new Promise((done) => setTimeout(done, 1_000));
  }
  return { tookMs: stopwatch.take(), sent: total, senderLateMs: at(late.sort(), 0.99) };
}

/** A quantile of what is sorted. */
export function at(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
