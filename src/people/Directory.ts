/**
 * Which corners of discovery's index have anybody in them, and how good the best there is. A corner is an audience, an
 * area and a cohort. Among many people it is read every half minute or sooner, among few every time: whoever is new in a
 * corner, or the best there, may be missed that long.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { cohortOf } from './age.ts';
import { populatedCorners } from './discoverySql.ts';
import { areaSpot, distanceKm, mayBeWithin, NOWHERE, type Spot, spotOf } from './place.ts';

export interface DirectoryOptions {
  db: Database;
  clock: Clock;
}

/** Who looks for whom. */
export interface Search {
  cell: string;
  birthDate: string;
  reachKm: number;
  audiences: readonly number[];
  /** The first and the last birth date, `YYYY-MM-DD`. */
  born: { from: string; to: string };
}

/** Lists of equal length, one entry a corner: first those that are near, the best first. */
export interface Corners {
  audiences: number[];
  areas: string[];
  cohorts: number[];
  bests: number[];
  /** How many are near: where most are likely to want the viewer too. */
  near: number;
}

interface Area {
  area: string;
  /** Undefined for those who are nowhere, and so within everybody's reach. */
  spot: Spot | undefined;
  cohorts: { cohort: number; best: number }[];
}

const FRESH_MS = 30_000;
/** Read anew for the first search after this, which does not wait for it: among a million people it takes 0.1 s and more. */
const AGING_MS = 20_000;
/** Fewer corners than this are read every time, which takes less than a millisecond: who is new somewhere shows at once. */
const FEW_CORNERS = 200;
/** An area is near if its middle is within reach and this; a cohort, if it is the viewer's own or next to it. */
const NEAR_KM = 50;
const NEAR_COHORTS = 1;
/** Beyond this, nearly everywhere is within reach. */
const COUNTED_REACH_KM = 1_000;

export class Directory {
  readonly #options: DirectoryOptions;
  /** What never changes about an area; there are some thousands of them where people live. */
  readonly #spots = new Map<string, Spot>();
  #areas = new Map<number, Map<string, Area>>();
  #corners = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** The corners in which those looked for can be; undefined when that is nearly everywhere. */
  async cornersWithin(search: Search): Promise<Corners | undefined> {
    const { reachKm, born } = search;
    if (reachKm > COUNTED_REACH_KM) return undefined;
    const age = this.#options.clock.now() - this.#readAt;
    if (this.#corners < FEW_CORNERS || age >= FRESH_MS) await this.#refresh();
    // What fails is asked for again by the next search, in the end by one that waits.
    else if (age >= AGING_MS) this.#refresh().catch(() => {});
    const from = spotOf(search.cell);
    const [first, last] = [cohortOf(born.from), cohortOf(born.to)];
    const own = cohortOf(search.birthDate);
    const found: { audience: number; area: string; cohort: number; best: number; near: boolean }[] = [];
    for (const audience of search.audiences) {
      for (const { area, spot, cohorts } of this.#areas.get(audience)?.values() ?? []) {
        if (spot !== undefined && !mayBeWithin(from, spot, reachKm)) continue;
        const areaNear = spot === undefined || distanceKm(from, spot) <= Math.min(reachKm, NEAR_KM);
        for (const { cohort, best } of cohorts) {
          const near = areaNear && Math.abs(cohort - own) <= NEAR_COHORTS;
          if (cohort >= first && cohort <= last) found.push({ audience, area, cohort, best, near });
        }
      }
    }
    found.sort((a, b) => Number(b.near) - Number(a.near) || b.best - a.best);
    return {
      audiences: found.map(({ audience }) => audience),
      areas: found.map(({ area }) => area),
      cohorts: found.map(({ cohort }) => cohort),
      bests: found.map(({ best }) => best),
      near: found.filter(({ near }) => near).length,
    };
  }

  /** Reads anew; whoever asks meanwhile waits for the same reading. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const rows = await this.#options.db.query(populatedCorners);
    const areasOf = new Map<number, Map<string, Area>>();
    for (const { audience, area, cohort, best } of rows) {
      const areas = areasOf.get(audience) ?? new Map<string, Area>();
      areasOf.set(audience, areas);
      const known = areas.get(area) ?? { area, spot: this.#spotOf(area), cohorts: [] };
      areas.set(area, known);
      known.cohorts.push({ cohort, best });
    }
    this.#areas = areasOf;
    this.#corners = rows.length;
    this.#readAt = this.#options.clock.now();
  }

  #spotOf(area: string): Spot | undefined {
    if (area === NOWHERE) return undefined;
    const known = this.#spots.get(area) ?? areaSpot(area);
    this.#spots.set(area, known);
    return known;
  }
}
