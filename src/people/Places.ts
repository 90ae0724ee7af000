/**
 * Where people are stored to be. A coordinate becomes the finest cell that at least `MIN_PEOPLE` people share, before
 * anything else is done with it. How many share a cell is counted under a keyed hash of it, so that the database
 * does not hold a finer place of anybody than the cell that is shown.
 */
import { createHmac } from 'node:crypto';
import { dayOf, secondsLeftOf } from '../days.ts';
import { type Sql, sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { areaOf, cellAndParents, cellsAround, NOWHERE, type Spot, spotOf } from './place.ts';

export interface PlacesOptions {
  /** Secret of the installation: the cells' counts are kept under hashes made with it. */
  secret: string;
  /** How often a day one person may move to another cell. Default 20. */
  movesPerDay?: number;
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
}

/** How many people must share a cell for anybody to be stored in it; the coarsest cell needs none. */
const MIN_PEOPLE = 5;
const MOVES_PER_DAY = 20;

const lockPlace = sql<PlaceRow>(
  'place-lock',
  `insert into places (user_id) select id from users where id = $1 and status = 'active' for key share
   on conflict (user_id) do update set user_id = excluded.user_id
   returning tags, moved_on, moves`,
);
const savePlace = sql(
  'place-save',
  `update places set tags = $2::bytea[], moved_on = $3, moves = $4 where user_id = $1`,
);
const countPlaces = sql<{ tag: Buffer; people: number }>(
  'place-count',
  `insert into place_tallies as t (tag, people)
   select decode(tag, 'hex'), change from unnest($1::text[], $2::int[]) as given (tag, change) order by tag
   on conflict (tag) do update set people = t.people + excluded.people
   returning tag, people`,
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
const lonelyPeople = sql<{ id: string; hide_distance: boolean }>(
  'place-lonely',
  `select id, hide_distance from users where cell = $1 order by id limit $2 for no key update`,
);
/** Locked until a place was chosen by them, in the order in which they are counted. */
const readTallies = sql<{ tag: Buffer; people: number }>(
  'place-tallies',
  `select tag, people from place_tallies where tag = any ($1::bytea[]) order by tag for share`,
);

export class Places {
  readonly #secret: string;
  readonly #movesPerDay: number;

  constructor(options: PlacesOptions) {
    this.#secret = options.secret;
    this.#movesPerDay = options.movesPerDay ?? MOVES_PER_DAY;
  }

  /**
   * Moves somebody, in the caller's transaction. Null forgets the place. NOT_FOUND for who is not active,
   * TOO_MANY_REQUESTS beyond the day's moves. Returns whether anything changed.
   *
   * Counts are locked before rows of people: the caller has written none yet.
   */
  async move(tx: Sql, userId: string, to: Coordinate | null, nowMs: number): Promise<boolean> {
    const cells = to === null ? [] : cellsAround(to.lat, to.lon);
    const tags = cells.map((cell) => this.#tag(cell));
    const [place] = await tx.query(lockPlace, [userId]);
    if (place === undefined) throw new DuetError('NOT_FOUND');
    const before = place.tags;
    const moved = tags.length !== before.length || tags.some((tag, i) => !tag.equals(before[i]!));
    if (!moved) return this.#resettle(tx, userId, cells, tags);

    const today = dayOf(nowMs);
    const movesToday = place.moved_on === today ? place.moves : 0;
    if (movesToday >= this.#movesPerDay)
      throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: secondsLeftOf(nowMs) });
    const people = await this.#count(tx, before, tags);
    const [old] = await tx.query(readPlace, [userId]);
    await this.#write(tx, userId, old!.hide_distance, this.#finestShared(cells, tags, people));
    await tx.query(savePlace, [userId, hexArray(tags), today, movesToday + 1]);
    if (old!.cell !== null) await this.#coarsen(tx, old!.cell, before, people);
    return true;
  }

  /** Writes the place again as others may see it, after `hide_distance` changed. */
  async rewrite(tx: Sql, userId: string): Promise<void> {
    const [row] = await tx.query(readPlace, [userId]);
    if (row !== undefined) await this.#write(tx, userId, row.hide_distance, row.cell);
  }

  /** Somebody who was stored coarsely may meanwhile have company: the same coordinate again finds the finer cell. */
  async #resettle(tx: Sql, userId: string, cells: string[], tags: Buffer[]): Promise<boolean> {
    if (cells.length === 0) return false;
    const people = tallyMap(await tx.query(readTallies, [hexArray(tags)]));
    const cell = this.#finestShared(cells, tags, people);
    const [row] = await tx.query(readPlace, [userId]);
    if (row!.cell === cell) return false;
    await this.#write(tx, userId, row!.hide_distance, cell);
    return true;
  }

  async #count(tx: Sql, left: readonly Buffer[], entered: readonly Buffer[]): Promise<Map<string, number>> {
    const changes = new Map<string, number>();
    for (const tag of left) changes.set(tag.toString('hex'), -1);
    for (const tag of entered) changes.set(tag.toString('hex'), (changes.get(tag.toString('hex')) ?? 0) + 1);
    if (changes.size === 0) return new Map();
    const people = tallyMap(await tx.query(countPlaces, [[...changes.keys()], [...changes.values()]]));
    await tx.query(dropEmpty, [hexArray(left)]);
    return people;
  }

  /** Who is left in a cell that has become too small to hide in is stored in a coarser one. */
  async #coarsen(
    tx: Sql,
    oldCell: string,
    oldTags: readonly Buffer[],
    people: ReadonlyMap<string, number>,
  ): Promise<void> {
    const nested = cellAndParents(oldCell);
    const tags = oldTags.slice(-nested.length);
    for (let i = 0; i < nested.length - 1; i++) {
      if ((people.get(tags[i]!.toString('hex')) ?? 0) >= MIN_PEOPLE) continue;
      for (const left of await tx.query(lonelyPeople, [nested[i]!, MIN_PEOPLE])) {
        const shared = this.#finestShared(nested.slice(i + 1), tags.slice(i + 1), people);
        await this.#write(tx, left.id, left.hide_distance, shared);
      }
    }
  }

  #finestShared(
    cells: string[],
    tags: readonly Buffer[],
    people: ReadonlyMap<string, number>,
  ): string | null {
    if (cells.length === 0) return null;
    const shared = cells.find((_, i) => (people.get(tags[i]!.toString('hex')) ?? 0) >= MIN_PEOPLE);
    return shared ?? cells.at(-1)!;
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
export function asOthersSee(cell: string | null, hidden: boolean): StoredPlace {
  const open = cell !== null && !hidden;
  return { cell, area: open ? areaOf(cell) : NOWHERE, spot: open ? spotOf(cell) : null };
}

function tallyMap(rows: readonly { tag: Buffer; people: number }[]): Map<string, number> {
  return new Map(rows.map((row) => [row.tag.toString('hex'), row.people]));
}

/** Buffers as PostgreSQL spells an array of bytea. */
function hexArray(tags: readonly Buffer[]): string[] {
  return tags.map((tag) => `\\x${tag.toString('hex')}`);
}
