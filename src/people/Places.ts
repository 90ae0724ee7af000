/**
 * Where people are stored to be. A coordinate becomes the finest cell that enough people share, before anything else is
 * done with it. How many share a cell is counted under a keyed hash of it, so that the database does not hold a finer
 * place of anybody than the cell that is shown. Counted is who is active and does not hide the distance.
 */
import { createHmac } from 'node:crypto';
import { countedOn, secondsLeftOf } from '../days.ts';
import { type Sql, sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { areaOf, CELL_RESOLUTIONS, cellsAround, cellsWithin, NOWHERE, type Spot, spotOf } from './place.ts';

export interface PlacesOptions {
  /** Secret of the installation: the cells' counts are kept under hashes made with it. */
  secret: string;
  /** How often a day one person may move to another cell. */
  movesPerDay: number;
}

export interface Coordinate {
  lat: number;
  lon: number;
}

/** The columns of `users` that say where somebody is. */
export interface StoredPlace {
  cell: string | null;
  area: string;
  spot: Spot | null;
}

interface PlaceRow {
  tags: Buffer[];
  moved_on: string;
  moves: number;
  counted: boolean;
  active: boolean;
  /** Whether this person is to be counted. */
  counts: boolean;
}

interface Tally {
  tag: Buffer;
  enough: boolean;
}

/** The coarsest cell needs nobody. */
const COARSEST = CELL_RESOLUTIONS.length - 1;
/** Of who is left in a cell that got too small so many are stored anew at once; upkeep finds the others. */
const LEFT_AT_ONCE = 100;

/**
 * Whether enough people share the cell of a tally `t` for anybody to be stored in it: 5 to 12 of them. How many is in the
 * cell's keyed hash, so that nobody who puts accounts there can tell from them whether others are there.
 */
const ENOUGH = `t.people >= 5 + (get_byte(t.tag, 0) & 7)`;
const COUNTS = `u.status = 'active' and not u.hide_distance`;

/** Also where there is no row yet: of two who come at once the second one then finds what the first one wrote. */
const lockPlace = sql<PlaceRow>(
  'place-lock',
  `insert into places (user_id) select id from users where id = $1 for key share
   on conflict (user_id) do update set user_id = excluded.user_id
   returning tags, moved_on, moves, counted, (select u.status = 'active' from users u where u.id = user_id) as active,
     (select ${COUNTS} from users u where u.id = user_id) as counts`,
);
const savePlace = sql(
  'place-save',
  `update places set tags = $2::bytea[], moved_on = $3, moves = $4, counted = $5 where user_id = $1`,
);
const saveCounted = sql('place-save-counted', `update places set counted = $2 where user_id = $1`);
/**
 * Of the people after $1 up to $2: who is counted and should not be or the other way round, and who is stored in a cell
 * that not enough people share. The resolution of a cell is its second digit; tags are finest first.
 */
export const misplaced = sql<{ id: string }>(
  'place-misplaced',
  `select u.id from users u join places p on p.user_id = u.id
   where u.id > $1 and u.id <= $2 and p.user_id > $1 and p.user_id <= $2 and p.tags <> '{}' and (p.counted <> (${COUNTS})
     or substr(u.cell, 2, 1)::int > ${CELL_RESOLUTIONS[COARSEST]} and (
       select ${ENOUGH} from place_tallies t
       where t.tag = p.tags[${CELL_RESOLUTIONS[0] + 1} - substr(u.cell, 2, 1)::int]) is not true)
   order by u.id`,
);
const countPlaces = sql<Tally>(
  'place-count',
  `insert into place_tallies as t (tag, people)
   select decode(tag, 'hex'), change from unnest($1::text[], $2::int[]) as given (tag, change) order by tag
   on conflict (tag) do update set people = t.people + excluded.people
   returning t.tag, ${ENOUGH} as enough`,
);
const dropEmpty = sql(
  'place-drop-empty',
  `delete from place_tallies where people <= 0 and tag = any ($1::bytea[])`,
);
/** Locked, so that what is written next is not what somebody has hidden or made coarser meanwhile. */
const readPlace = sql<{ cell: string | null; hide_distance: boolean }>(
  'place-read',
  `select cell, hide_distance from users where id = $1 for no key update`,
);
const writePlace = sql(
  'place-write',
  `update users set cell = $2, area = $3, x = $4, y = $5, z = $6, slack_km = $7, version = version + 1 where id = $1`,
);
const peopleIn = sql<{ id: string; hide_distance: boolean }>(
  'place-people-in',
  `select id, hide_distance from users where cell = $1 order by id limit $2 for no key update`,
);
/** Locked until a place was chosen by them, in the order in which they are counted. */
const readTallies = sql<Tally>(
  'place-tallies',
  `select t.tag, ${ENOUGH} as enough from place_tallies t where t.tag = any ($1::bytea[]) order by t.tag for share`,
);

export class Places {
  readonly #secret: string;
  readonly #movesPerDay: number;

  constructor(options: PlacesOptions) {
    this.#secret = options.secret;
    this.#movesPerDay = options.movesPerDay;
  }

  /**
   * Moves somebody, in the caller's transaction. Null forgets the place, always. UNAUTHORIZED for who is not active,
   * TOO_MANY_REQUESTS for a place beyond the day's moves. Returns whose stored place changed: theirs, and that of those
   * they leave behind.
   *
   * Counts are locked before rows of people: the caller has written none yet.
   */
  async move(tx: Sql, userId: string, to: Coordinate | null, nowMs: number): Promise<string[]> {
    const cells = to === null ? [] : cellsAround(to.lat, to.lon);
    const tags = cells.map((cell) => this.#tag(cell));
    const [place] = await tx.query(lockPlace, [userId]);
    if (!place?.active) throw new DuetError('UNAUTHORIZED');
    const before = place.tags;
    const moved = tags.length !== before.length || tags.some((tag, i) => !tag.equals(before[i]!));
    if (!moved) return this.#resettle(tx, userId, cells, tags);

    const today = countedOn(place.moved_on, nowMs);
    const movesToday = place.moved_on === today ? place.moves : 0;
    // Forgetting counts too, so that nobody goes on moving by it, but nobody is kept in a place that they want forgotten.
    if (to !== null && movesToday >= this.#movesPerDay)
      throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: secondsLeftOf(nowMs) });
    const shared = await this.#count(tx, [
      { tags: before, change: place.counted ? -1 : 0 },
      { tags, change: place.counts ? 1 : 0 },
    ]);
    const [old] = await tx.query(readPlace, [userId]);
    await this.#write(tx, userId, old!.hide_distance, this.#finestShared(cells, tags, shared));
    await tx.query(savePlace, [userId, hexArray(tags), today, movesToday + 1, place.counts]);
    return [userId, ...(await this.#coarsen(tx, old!.cell, before, shared))];
  }

  /** Writes the place again as others may see it, after `hide_distance` changed. */
  async rewrite(tx: Sql, userId: string): Promise<void> {
    const [row] = await tx.query(readPlace, [userId]);
    if (row !== undefined) await this.#write(tx, userId, row.hide_distance, row.cell);
  }

  /**
   * Counts somebody among those around them or no more, after they began or ceased to be counted, in a transaction that has
   * written nothing yet. Also for who is stored in a cell that got too small. Returns whose stored place changed.
   */
  async recount(tx: Sql, userId: string): Promise<string[]> {
    const [place] = await tx.query(lockPlace, [userId]);
    if (place === undefined) return [];
    const change = Number(place.counts) - Number(place.counted);
    const shared = await this.#count(tx, [{ tags: place.tags, change }]);
    if (change !== 0) await tx.query(saveCounted, [userId, place.counts]);
    const [row] = await tx.query(readPlace, [userId]);
    return this.#coarsen(tx, row?.cell ?? null, place.tags, shared);
  }

  /** Somebody who was stored coarsely may meanwhile have company: the same coordinate again finds the finer cell. */
  async #resettle(tx: Sql, userId: string, cells: string[], tags: Buffer[]): Promise<string[]> {
    if (cells.length === 0) return [];
    const shared = sharedTags(await tx.query(readTallies, [hexArray(tags)]));
    const cell = this.#finestShared(cells, tags, shared);
    const [row] = await tx.query(readPlace, [userId]);
    if (row!.cell === cell) return [];
    await this.#write(tx, userId, row!.hide_distance, cell);
    return [userId];
  }

  /** Returns which of all these cells enough people share then, by their tags. */
  async #count(
    tx: Sql,
    changes: readonly { tags: readonly Buffer[]; change: number }[],
  ): Promise<Set<string>> {
    const changeOf = new Map<string, number>();
    for (const { tags, change } of changes) {
      for (const tag of tags.map((one) => one.toString('hex')))
        changeOf.set(tag, (changeOf.get(tag) ?? 0) + change);
    }
    if (changeOf.size === 0) return new Set();
    const shared = sharedTags(await tx.query(countPlaces, [[...changeOf.keys()], [...changeOf.values()]]));
    await tx.query(dropEmpty, [changes.flatMap(({ tags }) => hexArray(tags))]);
    return shared;
  }

  /**
   * Who is left in a cell that has become too small to hide in is stored in a coarser one. `cell` is where somebody is
   * stored who lives there; others who came later may be stored in a finer one. Returns them.
   */
  async #coarsen(
    tx: Sql,
    cell: string | null,
    tags: readonly Buffer[],
    shared: ReadonlySet<string>,
  ): Promise<string[]> {
    if (cell === null || tags.length === 0) return [];
    const cells = cellsWithin(cell).find(([finest]) => this.#tag(finest!).equals(tags[0]!)) ?? [];
    const changed: string[] = [];
    for (const [i, small] of cells.entries()) {
      if (i === COARSEST || shared.has(tags[i]!.toString('hex'))) continue;
      const coarser = this.#finestShared(cells.slice(i + 1), tags.slice(i + 1), shared);
      for (const left of await tx.query(peopleIn, [small, LEFT_AT_ONCE])) {
        await this.#write(tx, left.id, left.hide_distance, coarser);
        changed.push(left.id);
      }
    }
    return changed;
  }

  #finestShared(cells: string[], tags: readonly Buffer[], shared: ReadonlySet<string>): string | null {
    return cells.find((_, i) => shared.has(tags[i]!.toString('hex'))) ?? cells.at(-1) ?? null;
  }

  async #write(tx: Sql, userId: string, hidden: boolean, cell: string | null): Promise<void> {
    const { area, spot } = asOthersSee(cell, hidden);
    await tx.query(writePlace, [
      userId,
      cell,
      area,
      spot?.x ?? null,
      spot?.y ?? null,
      spot?.z ?? null,
      spot?.slackKm ?? 0,
    ]);
  }

  #tag(cell: string): Buffer {
    return createHmac('sha256', this.#secret).update(`duet place ${cell}`).digest().subarray(0, 16);
  }
}

/** What the index and others may compute with: nothing, for a place that is unknown or hidden. */
function asOthersSee(cell: string | null, hidden: boolean): StoredPlace {
  const open = cell !== null && !hidden;
  return { cell, area: open ? areaOf(cell) : NOWHERE, spot: open ? spotOf(cell) : null };
}

function sharedTags(rows: readonly Tally[]): Set<string> {
  return new Set(rows.filter(({ enough }) => enough).map(({ tag }) => tag.toString('hex')));
}

/** Buffers as PostgreSQL spells an array of bytea. */
function hexArray(tags: readonly Buffer[]): string[] {
  return tags.map((tag) => `\\x${tag.toString('hex')}`);
}
