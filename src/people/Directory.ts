/**
 * Which corners of discovery's index have anybody in them: pairs of audience and area. Among many people it is read
 * every half minute and spares the search a look into empty corners; among few, every corner is looked into.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { populatedPairs } from './discoverySql.ts';
import { areasAround, mayBeFiledWithin, NOWHERE } from './place.ts';

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
/** With fewer pairs than this nothing is taken from memory: whoever is new in a small place shows at once. */
const FEW_PAIRS = 200;
/** Up to here, the areas around somebody can be listed without knowing who lives where. */
const LISTED_REACH_KM = 120;
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
    if (this.#options.clock.now() - this.#readAt >= FRESH_MS) await this.#refresh();
    if (this.#pairs < FEW_PAIRS) {
      if (reachKm <= LISTED_REACH_KM) {
        const areas = [NOWHERE, ...areasAround(cell, reachKm)];
        return pairsOf(audiences, () => areas);
      }
      await this.#refresh();
    }
    const within = reachKm <= LISTED_REACH_KM ? new Set(areasAround(cell, reachKm)) : undefined;
    const reached = (area: string) => area === NOWHERE || (within?.has(area) ?? mayBeFiledWithin(cell, area, reachKm));
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
