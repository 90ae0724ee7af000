/**
 * The demo town: some thirty people with pictures, verified addresses and one password, so that there is somebody
 * to meet on the first day. Made in an empty database only; a seeding that was cut short goes on at the next start.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Log } from '../log.ts';
import type { Decisions } from '../matching/decisions.ts';
import { normalized } from '../normalized.ts';
import type { Photos } from '../people/Photos.ts';
import type { Places } from '../people/Places.ts';
import { GENDERS } from '../people/shapes.ts';
import { Semaphore } from '../platform/Semaphore.ts';
import { DEMO_PEOPLE, type DemoPerson } from './demoPeople.ts';
import { drawings, paint } from './portrait.ts';

export interface DemoTownOptions {
  db: Database;
  clock: Clock;
  log: Log;
  places: Places;
  photos: Photos;
  decisions: Decisions;
  hashPassword: (password: string) => Promise<string>;
  /** How addresses are compared (`src/accounts/emailKey.ts`). */
  emailKey: (email: string) => string;
}

const DEMO_PASSWORD = 'duet-demo';
/** The town's quarters, in the middle of a cell each, with people enough for the finest cell wherever it needs most. */
const QUARTERS = [
  { lat: 51.0604, lon: 3.7304 },
  { lat: 51.0438, lon: 3.7803 },
] as const;
/** Whom each person likes already, as steps along the list; no two of them make a mutual like. */
const LIKES = [1, 5, 9];
const GOLDEN = 0.381966;
/** Enough to keep the cores busy without flooding the store. */
const PAINTERS = 4;

const lockTown = sql('demo-lock', `select pg_advisory_xact_lock(7415108)`);
const countUsers = sql<{ n: number }>(
  'demo-count',
  `select count(*) as n from (select from users limit 1) u`,
);
const insertPerson = sql(
  'demo-insert',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender, bio,
     interests, genders, max_age, last_active_at, created_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 99, $4, $4)`,
);
const townspeople = sql<{ id: string; email: string; photo_count: number }>(
  'demo-people',
  `select id, email, photo_count from users where email_key like '%@demo.duet'`,
);

/** Makes the town. Resolves with how many people it made or completed: 0 where people live already. */
export async function seedDemoTown(options: DemoTownOptions): Promise<number> {
  await insertPeople(options);
  const rows = new Map((await options.db.query(townspeople)).map((row) => [row.email, row]));
  const town = DEMO_PEOPLE.map((person) => rows.get(emailOf(person)));
  const people = DEMO_PEOPLE.flatMap((person, i) => {
    const row = town[i];
    return row?.photo_count === 0 ? [{ person, id: row.id, i }] : [];
  });
  if (people.length === 0) return 0;
  options.log.info({ people: people.length }, 'Making the demo town: some ten seconds, once');
  // Twice: only the second time does everybody have the neighbours that a fine cell needs.
  for (let round = 0; round < 2; round++) {
    for (const { id, i } of people) await settle(options, id, i);
  }
  const painters = new Semaphore(PAINTERS, people.length);
  await Promise.all(
    people.map(({ person, id, i }) => painters.run(() => addPictures(options, person, id, i))),
  );
  await addLikes(
    options,
    town.map((row) => row?.id),
  );
  return people.length;
}

async function insertPeople({ db, clock, hashPassword, emailKey }: DemoTownOptions): Promise<void> {
  const [before] = await db.query(countUsers);
  if (before!.n > 0) return;
  const passwordHash = await hashPassword(DEMO_PASSWORD);
  const now = new Date(clock.now());
  await db.transaction(async (tx) => {
    // Two processes that start on one empty database: the second one waits, looks again and finds people.
    await tx.query(lockTown);
    const [users] = await tx.query(countUsers);
    if (users!.n > 0) return;
    for (const [i, person] of DEMO_PEOPLE.entries()) {
      const email = emailOf(person);
      const birthDate = `${now.getUTCFullYear() - person.age}-01-${String(1 + (i % 9)).padStart(2, '0')}`;
      const { name, gender, bio, interests } = person;
      await tx.query(insertPerson, [
        newId(),
        email,
        emailKey(email),
        now,
        passwordHash,
        name,
        birthDate,
        gender,
        bio,
        interests,
        [...GENDERS],
      ]);
    }
  });
}

async function settle({ db, places, clock }: DemoTownOptions, userId: string, i: number): Promise<void> {
  const quarter = QUARTERS[Math.floor(i / 2) % QUARTERS.length]!;
  const at = {
    lat: quarter.lat + ((i * GOLDEN) % 1) * 0.002,
    lon: quarter.lon + ((i * GOLDEN * 2) % 1) * 0.002,
  };
  await db.transaction((tx) => places.move(tx, userId, at, clock.now()));
}

async function addPictures(
  { photos }: DemoTownOptions,
  person: DemoPerson,
  userId: string,
  i: number,
): Promise<void> {
  // Every third person has two pictures, the others three.
  const pictures = drawings(person.look, (i * GOLDEN) % 1).slice(0, i % 3 === 2 ? 2 : 3);
  for (const picture of pictures) await photos.add(userId, await paint(picture));
}

/** `ids`: of the whole town, in the order of the list; undefined for who has left it. */
async function addLikes({ decisions }: DemoTownOptions, ids: readonly (string | undefined)[]): Promise<void> {
  const like = async (a: string, b: string) => {
    try {
      await decisions.decide(a, b, 'like');
    } catch (error) {
      // Too many for a small day of likes, or one of the two is not there any more: a town with a few less.
      if (!(error instanceof DuetError) || error.status >= 500) throw error;
    }
  };
  const likes = ids.flatMap((id, i) => LIKES.map((step) => [id, ids[(i + step) % ids.length]] as const));
  await Promise.all(likes.map(([a, b]) => a !== undefined && b !== undefined && like(a, b)));
}

function emailOf(person: DemoPerson): string {
  const ascii = normalized(person.name, 'NFD', 50)!.replace(/\p{M}/gu, '').toLowerCase();
  return `${ascii}@demo.duet`;
}
