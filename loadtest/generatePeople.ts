/**
 * Makes people around 50 cities, with decisions, in a migrated and empty database: the same ones every time.
 *
 *   npm run node -- loadtest/generatePeople.ts --db postgres://… --people 100000 --decisions 500000
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Database } from '../src/db/Database.ts';
import { createLog } from '../src/log.ts';
import { areaOf, cellsAround, spotOf } from '../src/people/place.ts';
import { SCORE_STEP } from '../src/people/score.ts';
import { CITIES } from './cities.ts';
import { copyRows } from './copyRows.ts';

export interface GenerateOptions {
  /** postgres:// URL of an empty database; it is migrated here. */
  url: string;
  people: number;
  decisions: number;
  onStep?: (step: string) => void;
}

interface Generated {
  id: string;
  city: number;
}

/** Viewers who decided on the best people around them, this many each: discovery's worst customers. */
export const HEAVY_DECISIONS = 10_000;
export const HEAVY_VIEWERS = 20;
/** The mean of what cells need (`src/people/Places.ts`). */
const MIN_PEOPLE_A_CELL = 8;
const START_MS = Date.UTC(2026, 0, 1);
const GENDERS = ['woman', 'man', 'nonbinary'] as const;
const INTERESTS = [
  'Jazz',
  'Hiking',
  'Cooking',
  'Reading',
  'Games',
  'Tea',
  'Dancing',
  'Cycling',
  'Cats',
  'Dogs',
  'Travel',
  'Science',
];

export async function generatePeople(options: GenerateOptions): Promise<void> {
  const step = options.onStep ?? (() => {});
  const db = await Database.open({ url: options.url, poolSize: 2, log: createLog('silent') });
  await db.migrate();
  await db.close();
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  await client.query(`set synchronous_commit = off`);
  await client.query(`set maintenance_work_mem = '512MB'`);
  const indexes = await dropIndexes(client, ['users', 'pair_decisions']);
  step(`people: ${options.people}`);
  const people: Generated[] = [];
  await copyRows(client, USERS_INTO, userRows(options.people, people));
  step(`decisions: ${options.decisions}`);
  await copyRows(
    client,
    'pair_decisions (low_id, high_id, low_decision, low_at, high_decision, high_at)',
    decisionRows(people, options.decisions),
  );
  step('indexes');
  for (const index of indexes) await client.query(index);
  await client.query('analyze users');
  step('heavy viewers');
  await addHeavyViewers(client);
  step('matches');
  await client.query(MATCHES);
  step('vacuum');
  await client.query('vacuum (analyze) users');
  await client.query('vacuum (analyze) pair_decisions');
  await client.query('vacuum (analyze) matches');
  await client.end();
}

/** Loading is several times faster without them; returns how to make them again. Primary keys stay. */
async function dropIndexes(client: pg.Client, tables: string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexname as name, i.indexdef as definition from pg_indexes i
     where i.tablename = any ($1) and not exists (select from pg_constraint c where c.conname = i.indexname)`,
    [tables],
  );
  for (const { name } of rows) await client.query(`drop index ${name}`);
  // `ON ONLY` would leave the partitions without one.
  return rows.map(({ definition }) => definition.replace(' ON ONLY ', ' ON '));
}

const USERS_INTO = `users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender, bio, interests,
  cell, area, x, y, z, slack_km, min_age, max_age, genders, max_distance_km, photo_count, score, last_active_at, created_at)`;

function* userRows(count: number, people: Generated[]): Generator<string> {
  const random = randomFrom(42);
  const weights = CITIES.map((_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const cellsOf: string[][] = [];
  const tallies = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    let at = random() * total;
    let city = 0;
    while (city < CITIES.length - 1 && at >= weights[city]!) at -= weights[city++]!;
    const [lat, lon] = CITIES[city]!;
    // Cities of many are wider: people settle around the middle, about as densely everywhere.
    const widthKm = 4 + 14 * Math.sqrt(weights[city]!);
    const cells = cellsAround(
      lat + gauss(random) * (widthKm / 111),
      lon + (gauss(random) * (widthKm / 111)) / Math.cos((lat * Math.PI) / 180),
    );
    for (const cell of cells) tallies.set(cell, (tallies.get(cell) ?? 0) + 1);
    cellsOf.push(cells);
    people.push({ id: uuid(i, random), city });
  }
  for (const [i, { id }] of people.entries()) yield userRow(i, id, cellsOf[i]!, tallies, random);
}

function userRow(
  i: number,
  id: string,
  cells: string[],
  tallies: ReadonlyMap<string, number>,
  random: () => number,
): string {
  const cell = cells.find((one) => tallies.get(one)! >= MIN_PEOPLE_A_CELL) ?? cells.at(-1)!;
  const { x, y, z, slackKm } = spotOf(cell);
  const age = 18 + Math.floor(Math.min(random(), random()) * 52);
  const gender = random() < 0.04 ? 2 : random() < 0.5 ? 0 : 1;
  const seeks =
    random() < 0.15
      ? '{woman,man,nonbinary}'
      : gender === 0
        ? '{man}'
        : gender === 1
          ? '{woman}'
          : '{woman,nonbinary}';
  const minAge = Math.max(18, age - 3 - Math.floor(random() * 8));
  const maxAge = Math.min(99, age + 3 + Math.floor(random() * 10));
  const photos = Math.floor(random() * 5);
  const hoursAway = Math.floor(random() ** 3 * 1_000);
  const points =
    [40, 25, 10, 0][hoursAway < 24 ? 0 : hoursAway < 168 ? 1 : hoursAway < 720 ? 2 : 3]! +
    [0, 15, 20, 25, 25][photos]! +
    (random() < 0.6 ? 10 : 0) +
    10;
  const interests = [0, 1, 2].map((n) => INTERESTS[(i * 7 + n * 5) % INTERESTS.length]);
  const active = new Date(Date.now() - hoursAway * 3_600_000).toISOString();
  const born = `${2025 - age}-${String(1 + (i % 12)).padStart(2, '0')}-${String(1 + (i % 28)).padStart(2, '0')}`;
  return [
    id,
    `p${i}@load.test`,
    `p${i}@load.test`,
    active,
    '$argon2id$none',
    `Person ${i}`,
    born,
    GENDERS[gender],
    'A few words about me, as people write them.',
    `{${interests.join(',')}}`,
    cell,
    areaOf(cell),
    x.toFixed(3),
    y.toFixed(3),
    z.toFixed(3),
    slackKm,
    minAge,
    maxAge,
    seeks,
    [10, 25, 50, 100][Math.floor(random() * 4)],
    photos,
    points * SCORE_STEP + Math.floor(random() * SCORE_STEP),
    active,
    active,
  ].join('\t');
}

/**
 * Each person decides on the next ones of the same city, in an order without meaning; that no pair comes twice
 * follows from nobody going half the way round. Some are keen (a hundred times the mean), one pair in ten is mutual.
 */
function* decisionRows(people: readonly Generated[], count: number): Generator<string> {
  const random = randomFrom(7);
  const cities = CITIES.map((_, city) =>
    people.filter((person) => person.city === city).map((person) => person.id),
  );
  const mean = count / people.length;
  const at = new Date(Date.now() - 5 * 86_400_000).toISOString();
  for (const ids of cities) {
    for (let i = 0; i < ids.length; i++) {
      const keen = random() < 0.005 ? 100 : 0.5;
      const most = Math.min(Math.floor((ids.length - 1) / 2), Math.round(mean * keen * 2 * random()));
      for (let step = 1; step <= most; step++) {
        const [one, other] = [ids[i]!, ids[(i + step) % ids.length]!];
        const mine = random() < 0.4 ? 'like' : 'dislike';
        const theirs = random() < 0.1 ? 'dislike' : '\\N';
        const theirsAt = theirs === '\\N' ? '\\N' : at;
        yield one < other
          ? `${one}\t${other}\t${mine}\t${at}\t${theirs}\t${theirsAt}`
          : `${other}\t${one}\t${theirs}\t${theirsAt}\t${mine}\t${at}`;
      }
    }
  }
}

/** The first people of the largest city decide on the best that discovery has for them, as keen people do. */
async function addHeavyViewers(client: pg.Client): Promise<void> {
  await client.query(
    `with viewers as (
       select id, gender, genders, area from users where id in (select id from users order by id limit 2000)
         and cell is not null and max_distance_km >= 25 order by id limit ${HEAVY_VIEWERS}
     ), decided as (
       select v.id as viewer_id, t.id as target_id from viewers v cross join lateral (
         select u.id from users u, users me where me.id = v.id and u.id <> v.id and u.gender = any (v.genders) and u.status = 'active'
           and sqrt((u.x - me.x) * (u.x - me.x) + (u.y - me.y) * (u.y - me.y) + (u.z - me.z) * (u.z - me.z)) < me.max_distance_km
         order by u.score desc limit ${HEAVY_DECISIONS}) t
     )
     insert into pair_decisions (low_id, high_id, low_decision, low_at, high_decision, high_at)
     select least(viewer_id, target_id), greatest(viewer_id, target_id),
       case when viewer_id < target_id then 'dislike' end, case when viewer_id < target_id then now() end,
       case when viewer_id > target_id then 'dislike' end, case when viewer_id > target_id then now() end
     from decided on conflict do nothing`,
  );
}

/** One person in ten has a few active matches. */
const MATCHES = `
  insert into matches (id, low_id, high_id, status, phase, created_at, accept_by)
  select gen_random_uuid(), low_id, high_id, 'active', 'ready', now(), now()
  from pair_decisions where low_decision = 'like' and high_decision = 'dislike' and abs(hashtext(low_id::text)) % 10 = 0
  limit 200000`;

/** A small generator of the same numbers every time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** UUIDv7 by its layout, with time and randomness from the counter. */
function uuid(i: number, random: () => number): string {
  const time = (START_MS + i).toString(16).padStart(12, '0');
  const hex = () =>
    Math.floor(random() * 65536)
      .toString(16)
      .padStart(4, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex().slice(1)}-8${hex().slice(1)}-${hex()}${hex()}${hex()}`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      db: { type: 'string' },
      people: { type: 'string', default: '10000' },
      decisions: { type: 'string', default: '50000' },
    },
  });
  if (values.db === undefined) throw new Error('Say which database: --db postgres://…');
  await generatePeople({
    url: values.db,
    people: Number(values.people),
    decisions: Number(values.decisions),
    onStep: console.log,
  });
}
