/**
 * Which corners of discovery's index have anybody in them: pairs of audience and area. Among many people it is read
 * every half minute, among few every time.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { populatedPairs } from './discoverySql.ts';
import { mayBeFiledWithin, NOWHERE } from './place.ts';

export interface DirectoryOptions {
  db: Database;
  clock: Clock;
}

/** Two lists of equal length: the pairs to look into. */
export interface Pairs {
  audiences: number[];
  areas: string[];
}

const FRESH_MS = 30_000;
/** Fewer pairs than this are read every time, which takes less than a millisecond: who is new somewhere shows at once. */
const FEW_PAIRS = 200;
/** Beyond this, nearly everywhere is within reach. */
const COUNTED_REACH_KM = 1_000;

export class Directory {
  readonly #options: DirectoryOptions;
  #areasOf = new Map<number, string[]>();
  #pairs = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** The pairs in which people within `reachKm` of a cell can be; undefined when that is nearly everywhere. */
  async pairsWithin(cell: string, reachKm: number, audiences: readonly number[]): Promise<Pairs | undefined> {
    if (reachKm > COUNTED_REACH_KM) return undefined;
    const age = this.#options.clock.now() - this.#readAt;
    if (this.#pairs < FEW_PAIRS || age >= FRESH_MS) await this.#refresh();
    const reached = (area: string) => area === NOWHERE || mayBeFiledWithin(cell, area, reachKm);
    return pairsOf(audiences, (audience) => (this.#areasOf.get(audience) ?? []).filter(reached));
  }

  /** Reads anew; whoever asks meanwhile waits for the same reading. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const rows = await this.#options.db.query(populatedPairs);
    const areasOf = new Map<number, string[]>();
    for (const { audience, area } of rows) {
      const areas = areasOf.get(audience);
      if (areas === undefined) areasOf.set(audience, [area]);
      else areas.push(area);
    }
    this.#areasOf = areasOf;
    this.#pairs = rows.length;
    this.#readAt = this.#options.clock.now();
  }
}

function pairsOf(audiences: readonly number[], areasOf: (audience: number) => readonly string[]): Pairs {
  const pairs: Pairs = { audiences: [], areas: [] };
  for (const audience of audiences) {
    for (const area of areasOf(audience)) {
      pairs.audiences.push(audience);
      pairs.areas.push(area);
    }
  }
  return pairs;
}
