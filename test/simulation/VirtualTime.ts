/**
 * The simulated time. It stands still while code runs and jumps from one event to the next; events of the same
 * moment happen in the order in which they were asked for. After each event everything that promises set going is
 * run to its end, so a story depends on nothing but its seed.
 */
import type { Clock, Timer } from '../../src/clock.ts';

/** Where an event happens. What happens nowhere (in the network, in the database) has no host. */
export interface Host {
  /** Nothing happens on a dead host any more. */
  readonly dead: boolean;
  /** Until then what would happen waits (epoch ms; 0: not stalled). */
  readonly stalledUntil: number;
}

interface Happening {
  at: number;
  order: number;
  host: Host | null;
  run: (() => void) | undefined;
}

export class VirtualTime {
  now: number;
  #order = 0;
  /** A binary heap by (at, order). */
  readonly #heap: Happening[] = [];

  constructor(startMs: number) {
    this.now = startMs;
  }

  /** Runs `run` on `host` in `delayMs`. */
  after(delayMs: number, host: Host | null, run: () => void): Timer {
    const happening: Happening = {
      at: this.now + Math.max(0, Math.ceil(delayMs)),
      order: this.#order++,
      host,
      run,
    };
    this.#push(happening);
    return {
      cancel: () => {
        happening.run = undefined;
      },
    };
  }

  /**
   * Lets things happen until `done` says so after one of them, or `untilMs` is reached. Resolves with whether `done`
   * did. What `afterEach` throws ends the run.
   */
  async run(untilMs: number, afterEach: () => void, done: () => boolean): Promise<boolean> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > untilMs) {
        this.now = untilMs;
        return done();
      }
      this.#pop();
      const { host, run } = next;
      if (run === undefined || host?.dead) continue;
      this.now = next.at;
      if (host !== null && host.stalledUntil > next.at) {
        next.at = host.stalledUntil;
        this.#push(next);
        continue;
      }
      run();
      await settled();
      afterEach();
      if (done()) return true;
    }
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(happening);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (before(heap[parent]!, happening)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (before(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

/** The clock of one host: the simulated time, read with a constant error. */
export class HostClock implements Clock {
  readonly #time: VirtualTime;
  readonly #host: Host;
  readonly #skewMs: number;

  constructor(time: VirtualTime, host: Host, skewMs: number) {
    this.#time = time;
    this.#host = host;
    this.#skewMs = skewMs;
  }

  now(): number {
    return this.#time.now + this.#skewMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    return this.#time.after(delayMs, this.#host, fn);
  }
}

/** A clock that somebody sets. */
export class SetClock {
  readonly #time: VirtualTime;
  /** How far it is from the simulated time. */
  offMs = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get now(): number {
    return this.#time.now + this.offMs;
  }
}

function before(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/**
 * Resolves when no promise has anything left to do: Node runs what `nextTick` was given from inside a promise once
 * the queue of promises is empty.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
