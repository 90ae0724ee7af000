/** Lets `width` pieces of work run at once; at most `queue` more wait, beyond that it is UNAVAILABLE at once. */
import { DuetError } from '../errors.ts';

export class Semaphore {
  #free: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number, queue: number) {
    this.#free = width;
    this.#queue = queue;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.length >= this.#queue) throw new DuetError('UNAVAILABLE', { retryAfterSec: 2 });
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes to the next in line, or becomes free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
