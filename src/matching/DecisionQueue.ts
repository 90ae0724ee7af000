/**
 * Gathers what arrives in one turn of the event loop and hands it on as one batch: the database writes 200 decisions in
 * the time of eleven that come one by one. While a batch is at the database the next one gathers, until that is done or as
 * many wait. Bounded: beyond `maxWaiting` it is UNAVAILABLE at once.
 */
import { DuetError } from '../errors.ts';

export interface DecisionQueueOptions<Item, Result> {
  /** Answers a batch: one result an item, in order. If it throws, every item of the batch fails with that error. */
  run: (items: readonly Item[]) => Promise<(Result | DuetError)[]>;
  /** Items with equal keys never share a batch, and run in order. */
  keyOf: (item: Item) => string;
  /** Default 256. */
  batchSize?: number;
  /** Default 10,000. */
  maxWaiting?: number;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** Batches at the database at once. */
const MAX_IN_FLIGHT = 2;

export class DecisionQueue<Item, Result> {
  readonly #run: (items: readonly Item[]) => Promise<(Result | DuetError)[]>;
  readonly #keyOf: (item: Item) => string;
  readonly #batchSize: number;
  readonly #maxWaiting: number;
  #waiting: Waiting<Item, Result>[] = [];
  /**
   * The keys of each batch at the database. One set of them all, that keys come to and go from, would slow the collector:
   * see `LinkedSet`.
   */
  readonly #inFlight: Set<string>[] = [];
  /** Of the batch that began last. */
  #lastSize = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: DecisionQueueOptions<Item, Result>) {
    this.#run = options.run;
    this.#keyOf = options.keyOf;
    this.#batchSize = options.batchSize ?? 256;
    this.#maxWaiting = options.maxWaiting ?? 10_000;
  }

  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) return Promise.reject(new DuetError('UNAVAILABLE'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits or runs. */
  drained(): Promise<void> {
    if (this.#waiting.length === 0 && this.#inFlight.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || !this.#mayStart()) return;
    this.#scheduled = true;
    // After the sockets that are readable now: their decisions join the batch.
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#mayStart()) {
      const { batch, keys } = this.#take();
      if (batch.length === 0) break;
      this.#inFlight.push(keys);
      this.#lastSize = batch.length;
      void this.#finish(batch, keys);
    }
  }

  /**
   * A second batch beside the first only when it is as large: a batch costs as much as twenty of its items, and small
   * ones in a row would have the processors to themselves.
   */
  #mayStart(): boolean {
    const inFlight = this.#inFlight.length;
    return inFlight === 0 || (inFlight < MAX_IN_FLIGHT && this.#waiting.length >= this.#lastSize);
  }

  #take(): { batch: Waiting<Item, Result>[]; keys: Set<string> } {
    const batch: Waiting<Item, Result>[] = [];
    const keys = new Set<string>();
    const rest: Waiting<Item, Result>[] = [];
    for (const waiting of this.#waiting) {
      const key = this.#keyOf(waiting.item);
      const isTaken = keys.has(key) || this.#inFlight.some((others) => others.has(key));
      if (batch.length >= this.#batchSize || isTaken) {
        rest.push(waiting);
      } else {
        keys.add(key);
        batch.push(waiting);
      }
    }
    this.#waiting = rest;
    return { batch, keys };
  }

  async #finish(batch: Waiting<Item, Result>[], keys: Set<string>): Promise<void> {
    try {
      const results = await this.#run(batch.map((waiting) => waiting.item));
      batch.forEach((waiting, i) => {
        const result = results[i]!;
        if (result instanceof DuetError) waiting.reject(result);
        else waiting.resolve(result);
      });
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
    this.#inFlight.splice(this.#inFlight.indexOf(keys), 1);
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#inFlight.length === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
