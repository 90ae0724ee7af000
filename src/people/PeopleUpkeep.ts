/**
 * What time does to people's data: uploads that a crash left half done and files without a photo go, scores of those
 * who stay away sink, sightings older than this month and the last one go.
 */
import type { Clock } from '../clock.ts';
import { HOUR_MS, monthOf } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { dropMonthsBefore, ensureMonths } from '../db/months.ts';
import { sql } from '../db/sql.ts';
import { LOWEST_ID } from '../ids.ts';
import type { Log } from '../log.ts';
import type { ObjectStore } from '../platform/ObjectStore.ts';
import { Rounds } from '../platform/Rounds.ts';
import type { People } from './People.ts';
import { ABANDONED_AFTER_MS, PHOTO_PREFIX } from './Photos.ts';
import { misplaced } from './Places.ts';
import { SCORE_SQL } from './score.ts';

export interface PeopleUpkeepOptions {
  db: Database;
  store: ObjectStore;
  clock: Clock;
  log: Log;
  people: People;
}

const FAILURE = 'Upkeep of people failed and will be tried again';
/** A file younger than this may belong to an upload that is still running. */
const ORPHAN_AFTER_MS = HOUR_MS;
const PEOPLE_AT_ONCE = 2_000;

const dropAbandoned = sql<{ key: string }>(
  'upkeep-abandoned',
  `delete from photos where not ready and created_at < $1 returning key`,
);
const knownKeys = sql<{ key: string }>(
  'upkeep-known-keys',
  `select key from photos where key = any ($1::text[])`,
);
const nextPeople = sql<{ last: string | null }>(
  'upkeep-next-people',
  `select id as last from (select id from users where id > $1 order by id limit $2) batch order by id desc limit 1`,
);
const sinkScores = sql(
  'upkeep-sink-scores',
  `update users u set score = ${SCORE_SQL}
   from (select id from users u where u.id > $1 and u.id <= $2
           and u.last_active_at < now() - interval '1 day' and u.score <> ${SCORE_SQL}
         order by u.id for no key update) them
   where u.id = them.id`,
);

export class PeopleUpkeep {
  readonly #options: PeopleUpkeepOptions;
  readonly #rounds: Rounds;

  constructor(options: PeopleUpkeepOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#rounds = new Rounds({ clock, log, everyMs: HOUR_MS, work: () => this.run(), failure: FAILURE });
  }

  /** Runs now and then again and again. */
  start(): void {
    this.#rounds.startNow();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** All of it once. Each part is safe to run in two processes at a time. */
  async run(): Promise<void> {
    const works = [
      () => this.keepMonths(),
      () => this.sweepAbandoned(),
      () => this.sinkScores(),
      () => this.recountPlaces(),
      () => this.sweepOrphans(),
    ];
    for (const work of works) {
      if (this.#rounds.closed) return;
      await work().catch((error: unknown) => {
        this.#options.log.warn({ err: error }, FAILURE);
      });
    }
  }

  /** Makes the months to come; drops those whose sightings count no more. */
  async keepMonths(): Promise<void> {
    const { db, clock } = this.#options;
    const now = clock.now();
    await ensureMonths(db, 'sightings', now);
    await dropMonthsBefore(db, 'sightings', Date.parse(monthOf(now, -1)));
  }

  /** Removes uploads that never became ready, with the files that made it. Returns how many. */
  async sweepAbandoned(): Promise<number> {
    const { db, store, clock } = this.#options;
    const rows = await db.query(dropAbandoned, [new Date(clock.now() - ABANDONED_AFTER_MS)]);
    for (const { key } of rows) {
      for await (const files of store.list(`${PHOTO_PREFIX}${key}/`))
        await store.remove(files.map((file) => file.key));
    }
    return rows.length;
  }

  /** Removes files that belong to no photo. Returns how many. */
  async sweepOrphans(): Promise<number> {
    const { db, store, clock } = this.#options;
    const before = clock.now() - ORPHAN_AFTER_MS;
    let removed = 0;
    for await (const files of store.list(PHOTO_PREFIX)) {
      const old = files.filter((file) => file.modifiedAt < before);
      if (old.length === 0) continue;
      const known = new Set((await db.query(knownKeys, [old.map(keyOf)])).map((row) => row.key));
      const orphans = old.filter((file) => !known.has(keyOf(file))).map((file) => file.key);
      await store.remove(orphans);
      removed += orphans.length;
    }
    return removed;
  }

  /** Brings the scores of those who were away down a step. */
  async sinkScores(): Promise<void> {
    await this.#everybody(async (from, to) => {
      await this.#options.db.query(sinkScores, [from, to]);
    });
  }

  /** Counts who began or ceased to be counted where they live, and makes coarser what erased people left too small. */
  async recountPlaces(): Promise<void> {
    const { db, people } = this.#options;
    await this.#everybody(async (from, to) => {
      for (const { id } of await db.query(misplaced, [from, to])) {
        if (this.#rounds.closed) return;
        await people.recount(id);
      }
    });
  }

  /** All people, a few thousand at a time: those after `from`, up to `to`. */
  async #everybody(work: (from: string, to: string) => Promise<void>): Promise<void> {
    for (let from = LOWEST_ID; !this.#rounds.closed; ) {
      const [next] = await this.#options.db.query(nextPeople, [from, PEOPLE_AT_ONCE]);
      if (next?.last == null) return;
      await work(from, next.last);
      from = next.last;
    }
  }
}

function keyOf(file: { key: string }): string {
  return file.key.slice(PHOTO_PREFIX.length).split('/')[0]!;
}
