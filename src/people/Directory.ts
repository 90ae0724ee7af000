/**
 * Which corners of discovery's index have anybody in them: pairs of audience and area. Among many people it is read
 * every half minute, among few every time.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { populatedPairs } from './discoverySql.ts';
import { areaSpot, mayBeWithin, NOWHERE, type Spot, spotOf, wideAreaOf } from './place.ts';

export interface DirectoryOptions {
  db: Database;
  clock: Clock;
}

/** Two lists of equal length: the pairs to look into. */
export interface Pairs {
  /** Whether the areas are wide ones. */
  wide: boolean;
  audiences: number[];
  areas: string[];
}

interface Corner {
  area: string;
  /** Undefined for those who are nowhere, and so within everybody's reach. */
  spot: Spot | undefined;
}

type Corners = Map<number, Corner[]>;

const FRESH_MS = 30_000;
/** Fewer pairs than this are read every time, which takes less than a millisecond: who is new somewhere shows at once. */
const FEW_PAIRS = 200;
/** Up to here one looks into small areas. */
const SMALL_REACH_KM = 25;
/** Beyond this, nearly everywhere is within reach. */
const COUNTED_REACH_KM = 1_000;

export class Directory {
  readonly #options: DirectoryOptions;
  /** What never changes about an area; there are some ten thousand of them where people live. */
  readonly #spots = new Map<string, Spot>();
  readonly #wideOf = new Map<string, string>();
  #small: Corners = new Map();
  #wide: Corners = new Map();
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
    const wide = reachKm > SMALL_REACH_KM;
    const corners = wide ? this.#wide : this.#small;
    const from = spotOf(cell);
    const pairs: Pairs = { wide, audiences: [], areas: [] };
    for (const audience of audiences) {
      for (const { area, spot } of corners.get(audience) ?? []) {
        if (spot !== undefined && !mayBeWithin(from, spot, reachKm)) continue;
        pairs.audiences.push(audience);
        pairs.areas.push(area);
      }
    }
    return pairs;
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
    const small = new Map<number, Set<string>>();
    const wide = new Map<number, Set<string>>();
    for (const { audience, area } of rows) {
      add(small, audience, area);
      const wideArea = this.#wideOf.get(area) ?? wideAreaOf(area);
      this.#wideOf.set(area, wideArea);
      add(wide, audience, wideArea);
    }
    this.#small = this.#cornersOf(small);
    this.#wide = this.#cornersOf(wide);
    this.#pairs = rows.length;
    this.#readAt = this.#options.clock.now();
  }

  #cornersOf(areasOf: ReadonlyMap<number, ReadonlySet<string>>): Corners {
    const corners: Corners = new Map();
    for (const [audience, areas] of areasOf) {
      corners.set(
        audience,
        [...areas].map((area) => ({ area, spot: this.#spotOf(area) })),
      );
    }
    return corners;
  }

  #spotOf(area: string): Spot | undefined {
    if (area === NOWHERE) return undefined;
    const known = this.#spots.get(area) ?? areaSpot(area);
    this.#spots.set(area, known);
    return known;
  }
}

function add(areasOf: Map<number, Set<string>>, audience: number, area: string): void {
  const areas = areasOf.get(audience);
  if (areas === undefined) areasOf.set(audience, new Set([area]));
  else areas.add(area);
}
