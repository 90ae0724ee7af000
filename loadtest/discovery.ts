/**
 * What the hot queries of people cost at a given size: time in the database as its client sees it, and pages read.
 *
 *   npm run node -- loadtest/discovery.ts --db postgres://… [--rounds 300]
 *
 * The database is one that `generatePeople.ts` filled. Prints one line of the table in docs/performance.md a query.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { SystemClock } from '../src/clock.ts';
import { Database, PLANNING } from '../src/db/Database.ts';
import { type Statement, sql } from '../src/db/sql.ts';
import { createLog } from '../src/log.ts';
import { batchValues } from '../src/matching/decisionBatch.ts';
import { decideOrders } from '../src/matching/decisionSql.ts';
import { Decisions } from '../src/matching/decisions.ts';
import { listActive, MatchLists } from '../src/matching/MatchLists.ts';
import { Discovery } from '../src/people/Discovery.ts';
import { findAnywhere, findWithin, findWithinAll } from '../src/people/discoverySql.ts';
import { People } from '../src/people/People.ts';
import { PhotoLinks } from '../src/people/PhotoLinks.ts';
import { Photos } from '../src/people/Photos.ts';
import { Places } from '../src/people/Places.ts';
import { ShowCounts } from '../src/people/ShowCounts.ts';
import { MemoryBus } from '../src/platform/Bus.ts';
import { Cache } from '../src/platform/Cache.ts';
import { DataKeys } from '../src/platform/DataKeys.ts';
import { ObjectStore } from '../src/platform/ObjectStore.ts';
import { cpuMsOf, undone } from './cpuOf.ts';
import { HEAVY_DECISIONS, HEAVY_VIEWERS } from './generatePeople.ts';

const someViewers = sql<{ id: string }>(
  'bench-viewers',
  `select id from users where cell is not null and hashtext(id::text) % 97 = 0 order by hashtext(id::text) limit $1`,
);
const heavyViewers = sql<{ id: string; n: number }>(
  'bench-heavy',
  `select id, n from (select id, (select count(*) from pair_decisions where low_id = u.id) + (select count(*) from pair_decisions where high_id = u.id) as n
     from (select id from users order by id limit 2000) u) counted order by n desc limit $1`,
);
const byEmail = sql<{ id: string; password_hash: string }>(
  'bench-login',
  `select id, password_hash from users where email_key = $1`,
);

const { values } = parseArgs({
  options: { db: { type: 'string' }, rounds: { type: 'string', default: '300' } },
});
if (values.db === undefined) throw new Error('Say which database: --db postgres://…');
const url = values.db;
const rounds = Number(values.rounds);
const log = createLog('warn');
const clock = new SystemClock();

await using stack = new AsyncDisposableStack();
const db = await Database.open({ url, poolSize: 4, log });
stack.defer(() => db.close());
// What the use cases bind to their statements is kept, to run some of them again by themselves.
const parameters = new Map<string, unknown[][]>();
const plain = db.query.bind(db);
db.query = async <Row>(statement: Statement<Row>, bound: readonly never[] = []): Promise<Row[]> => {
  const known = parameters.get(statement.name) ?? [];
  if (known.length < 120) parameters.set(statement.name, [...known, [...bound]]);
  return plain(statement, bound);
};

const cache = new Cache({ clock, bus: new MemoryBus() });
const store = new ObjectStore({
  endpoint: 'http://127.0.0.1:9',
  region: 'none',
  bucket: 'none',
  accessKeyId: 'x',
  secretAccessKey: 'x',
});
const secret = 'nothing here is secret, it is a load test';
const links = new PhotoLinks({ clock, secret, publicUrl: () => 'http://localhost' });
const photos = new Photos({ db, store, links, clock, onChange: async () => {} });
const keys = await DataKeys.open({ db, secrets: { current: secret }, log });
const people = new People({
  db,
  clock,
  cache,
  photos,
  places: new Places({ secret, movesPerDay: 20 }),
  open: keys.open.bind(keys),
});
const shows = new ShowCounts({ db, clock, log, flushEveryMs: 3_600_000 });
stack.defer(() => shows.close());
const discovery = new Discovery({ db, clock, cache, people, shows });
const match = { acceptMs: 86_400_000, warningMs: 3_600_000 };
const likesPerDay = { regular: 1e6, premium: 1e6 };
const decisions = new Decisions({ db, clock, match, likesPerDay, publish: () => {} });
const matchLists = new MatchLists({ db, cache, cards: people.cards.bind(people) });

const viewers = (await plain(someViewers, [rounds] as never)).map((row) => row.id);
const heavy = await plain(heavyViewers, [HEAVY_VIEWERS] as never);
const [size] = await plain(sql<{ n: number }>('bench-size', 'select count(*) as n from users'), []);
console.log(`\n### ${size!.n.toLocaleString('en')} people\n`);
const calibration = sql('bench-calibration', 'select sum(i) from generate_series(1, 1000000) i');
const calibrator = new pg.Client({ connectionString: url });
await calibrator.connect();
console.log(
  `This machine, now: adding up a million numbers takes PostgreSQL ${(await cpuMsOf(calibrator, calibration, [])).toFixed(0)} ms of processor time.\n`,
);
await calibrator.end();
console.log('| what | p50 ms | p95 ms | p99 ms | pages |\n|---|---|---|---|---|');

// Twice: the first round fills PostgreSQL's memory and brings every statement to its generic plan.
for (const viewer of viewers) await page(viewer, true);
parameters.clear();

const cold = await timed(viewers, (viewer) => page(viewer, true));
print('a page of discovery, nothing cached (whole use case)', cold);
await printSearch('its search for candidates', findWithin);
await printStatement('the same without a location or beyond 300 km', findAnywhere);
print('a page from the cached deck (whole use case)', await timed(viewers, (viewer) => page(viewer, false)));

const worst = heavy.filter((row) => row.n >= Math.min(HEAVY_DECISIONS, size!.n / 50)).map((row) => row.id);
const often = Array.from({ length: Math.ceil(rounds / Math.max(worst.length, 1)) }, () => worst).flat();
if (often.length > 0) {
  print(
    `a page for who decided on ${Math.min(...heavy.filter((row) => worst.includes(row.id)).map((row) => row.n)).toLocaleString('en')} or more, nothing cached`,
    await timed(often, (viewer) => page(viewer, true)),
  );
  await printSearch('its search for candidates', findWithin);
  print('the same from the cached deck', await timed(often, (viewer) => page(viewer, false)));
  parameters.clear();
  const browsed: number[] = [];
  for (const viewer of worst.slice(0, 5)) browsed.push(...(await browseOn(viewer, 12)));
  print('the same person browsing on, deciding on everybody shown', browsed);
  await printSearch('its searches beyond the first', findWithinAll);
}

const pairs = viewers.slice(1).map((viewer, i) => [viewers[i]!, viewer] as const);
await printLike('the statement of a like', pairs);
print('a like (one at a time, committed)', await timed(pairs, ([a, b]) => decisions.decide(a, b, 'like')));
const answers = pairs.map(([a, b]) => [b, a] as const);
await printLike('the statement of a mutual like', answers);
print(
  'a mutual like: match and both events',
  await timed(answers, ([a, b]) => decisions.decide(a, b, 'like')),
);
parameters.clear();
const listMatches = (viewer: string) => matchLists.list(viewer, 'active', { limit: 20 });
print(
  'the list of active matches, nothing cached',
  await timed(viewers, async (viewer) => {
    await cache.forget('matches-active', [viewer]);
    await listMatches(viewer);
  }),
);
print('the list of active matches, cached', await timed(viewers, listMatches));
await printStatement('its query', listActive);
print(
  'login: the account by its address',
  await timed(
    viewers.map((_, i) => `p${(i * 7919) % size!.n}@load.test`),
    (email) => db.query(byEmail, [email]),
  ),
);
await printStatement('its query', byEmail);

async function page(viewerId: string, fresh: boolean): Promise<void> {
  if (fresh) await cache.forget('candidates', [viewerId]);
  await discovery.list(viewerId, { limit: 20 });
}

/** Pages in a row, everybody on them decided on before the next; the first search, from the top, is not counted. */
async function browseOn(viewerId: string, pages: number): Promise<number[]> {
  const times: number[] = [];
  await page(viewerId, true);
  for (let n = 0; n < pages; n++) {
    const startedAt = performance.now();
    const { items } = await discovery.list(viewerId, { limit: 20 });
    times.push(performance.now() - startedAt);
    await Promise.all(items.map((card) => decisions.decide(viewerId, card.id, 'dislike')));
  }
  return times;
}

/** The statement of a like by itself, before it is made. */
async function printLike(label: string, likes: readonly (readonly [string, string])[]): Promise<void> {
  const settings = { match, likesPerDay, now: clock.now() };
  const bound = likes.map(([actorId, targetId]) =>
    batchValues([{ actorId, targetId, kind: 'like' }], settings),
  );
  parameters.set(decideOrders.name, bound);
  await printStatement(label, decideOrders);
}

async function timed<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (const item of items) {
    const startedAt = performance.now();
    await work(item);
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** A search, apart for small and large reaches. */
async function printSearch(label: string, statement: Statement<unknown>): Promise<void> {
  const samples = parameters.get(statement.name) ?? [];
  const reachOf = (bound: unknown[]) => bound[12] as number;
  for (const [reach, part] of [
    ['up to 25 km', samples.filter((bound) => reachOf(bound) <= 25)],
    ['of 50 or 100 km', samples.filter((bound) => reachOf(bound) > 25)],
  ] as const) {
    parameters.set(statement.name, part);
    await printStatement(`${label}, reach ${reach}`, statement);
  }
}

/** One statement of the use case by itself, for the same parameters: processor time and pages, whatever else runs. */
async function printStatement(label: string, statement: Statement<unknown>): Promise<void> {
  const samples = parameters.get(statement.name);
  if (samples === undefined || samples.length === 0) return;
  const client = new pg.Client({ connectionString: url, options: PLANNING });
  await client.connect();
  const times: number[] = [];
  let pages = 0;
  const text = `explain (analyze, buffers, format json) ${statement.text}`;
  for (const bound of samples) {
    times.push(await cpuMsOf(client, statement, bound));
    const { rows } = await undone(client, () => client.query({ text, values: bound }));
    const plan = rows[0]['QUERY PLAN'][0].Plan;
    pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  }
  await client.end();
  print(`${label} (processor time)`, times, Math.round(pages / samples.length));
  parameters.delete(statement.name);
}

function print(label: string, times: readonly number[], pages?: number): void {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2);
  console.log(`| ${label} | ${at(0.5)} | ${at(0.95)} | ${at(0.99)} | ${pages ?? ''} |`);
}
