/**
 * The crash drill (FT-07): two processes of Duet under the traffic of scripted people, one of them killed (`kill -9`)
 * again and again; afterwards everything that anybody was told is compared with what is there.
 *
 *     npm run node -- loadtest/crashDrill.ts --kills 500 --people 50 --minutes 60
 *
 * Ends after so many kills or minutes, whichever comes first, or early on Ctrl-C; prints what it found, and exits with 1
 * if anything acknowledged was lost or doubled, told twice or not at all, acted on more than 5 s late, or credited more
 * than the outage took. Needs `redis-server`.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { Cluster } from './crashDrillCluster.ts';
import { DrillPerson, type Ledger, pause } from './crashDrillPerson.ts';
import { type Findings, verify } from './crashDrillVerify.ts';

/** Until everything that was under way is over: the longest call, and a little. */
const SETTLE_MS = 120_000;
/** Kills between two lines of progress. */
const PROGRESS_EVERY = 20;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '500' },
    people: { type: 'string', default: '50' },
    minutes: { type: 'string', default: '60' },
  },
});
// The SDK warns of each socket that a killed process takes along; the summary counts them.
console.warn = () => {};
const startedAt = performance.now();
let cutShort = false;
process.on('SIGINT', () => {
  console.log('Ending: what is under way comes to its end first.');
  cutShort = true;
});
const ledger: Ledger = {
  acknowledged: [],
  refused: new Map(),
  attempts: { lost: 0, unavailable: 0, keyInWork: 0 },
  unexpected: [],
  givenUp: 0,
  recoveredInMs: [],
};

const cluster = await Cluster.start();
try {
  const people = Array.from(
    { length: Number(values.people) },
    () => new DrillPerson(ledger, () => cluster.urls),
  );
  await insert(people);
  const lives = people.map((person) => person.live(people.filter((other) => other !== person)));
  const kills = await killAgainAndAgain(Number(values.kills), startedAt + Number(values.minutes) * 60_000);
  for (const person of people) person.stop();
  await Promise.all(people.map((person) => person.idle()));
  await settle(people);
  for (const person of people) person.inbox.stop();
  await Promise.all(lives);
  const found = await verify(cluster.dbUrl, people, ledger.acknowledged);
  const violations = [...found.violations, ...ledger.unexpected];
  report(kills, people, found, violations);
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await cluster.close();
}

async function killAgainAndAgain(atMost: number, endsAt: number): Promise<number> {
  let kills = 0;
  while (!cutShort && kills < atMost && performance.now() < endsAt) {
    await pause(500 + Math.random() * 1_500);
    await cluster.killOne();
    kills += 1;
    if (kills % PROGRESS_EVERY !== 0) continue;
    const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
    console.log(
      `${minutes} min: ${kills} kills, ${ledger.acknowledged.length} acknowledged answers, ` +
        `${ledger.unexpected.length} that must not come`,
    );
  }
  return kills;
}

/** Verified people, as sign-up leaves them; hashing their passwords is not drilled here. */
async function insert(people: readonly DrillPerson[]): Promise<void> {
  const client = new pg.Client(cluster.dbUrl);
  await client.connect();
  await client.query(
    `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
     select id, id || '@example.org', id || '@example.org', now(), '', 'Somebody', '1990-01-01', 'woman'
     from unnest($1::uuid[]) as given (id)`,
    [people.map(({ id }) => id)],
  );
  await client.end();
}

/** Waits until no call is live and every inbox was delivered; gives up after a while, and the checks will say. */
async function settle(people: readonly DrillPerson[]): Promise<void> {
  const client = new pg.Client(cluster.dbUrl);
  await client.connect();
  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end) {
    await pause(1_000);
    const live = await client.query(`select 1 from calls where phase <> 'ended' limit 1`);
    const { rows } = await client.query('select user_id, seq::int from inboxes');
    const standing = new Map(rows.map(({ user_id, seq }) => [user_id, seq]));
    const behind = people.some(({ id, inbox }) => inbox.seq < (standing.get(id) ?? 0));
    if (live.rows.length === 0 && !behind) break;
  }
  await client.end();
}

function report(kills: number, people: readonly DrillPerson[], found: Findings, violations: string[]): void {
  const { acknowledged, refused, attempts, givenUp, recoveredInMs } = ledger;
  const count = (action: string) => acknowledged.filter((fact) => fact.action === action).length;
  const actions = ['like', 'unmatch', 'initiate', 'answer', 'reject', 'extend', 'end'];
  recoveredInMs.sort((a, b) => a - b);
  const minutes = (performance.now() - startedAt) / 60_000;
  const sum = (of: (person: DrillPerson) => number) => people.reduce((all, person) => all + of(person), 0);
  console.log(`
${kills} kills in ${minutes.toFixed(1)} minutes, ${people.length} people; load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} on ${availableParallelism()} cores
acknowledged   ${acknowledged.length} answers (${actions.map((action) => `${action} ${count(action)}`).join(', ')})
               of which ${acknowledged.filter(({ repeated }) => repeated).length} at a second attempt or later
refused        ${[...refused].map(([code, n]) => `${code} ${n}`).join(', ') || 'none'}
attempts       ${attempts.lost} without an answer, ${attempts.unavailable} times 503, ${attempts.keyInWork} times "still in work", ${givenUp} given up
               a lost attempt was made good in ${ms(recoveredInMs)}
written        ${found.matches} matches, ${found.calls} calls, ${found.journalLines} journal lines, ${found.events} inbox events
calls ended    ${Object.entries(found.outcomes)
    .map(([outcome, n]) => `${outcome} ${n}`)
    .join(', ')}
takeovers      ${found.takeovers}; nobody held the call for ${ms(found.creditMs)}
deadlines      ${found.lateMs.length} fell due; acted on late by ${ms(found.lateMs)}
inboxes        joined again ${sum(({ inbox }) => inbox.reconnections)} times, ${sum(({ inbox }) => inbox.again)} events came twice, ${sum(({ inbox }) => inbox.gaps.length)} gaps
violations     ${violations.length}`);
  for (const violation of violations.slice(0, 50)) console.log(`  - ${violation}`);
  const complaints = new Map<string, number>();
  for (const line of cluster.complaints) {
    const text = line
      .replace(/"(time|pid|hostname|requestId|callId)":("[^"]*"|\d+),?/g, '')
      .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')
      .slice(0, 900)
      .trim();
    complaints.set(text, (complaints.get(text) ?? 0) + 1);
  }
  for (const [text, n] of complaints) console.log(`  logged ${n} times: ${text}`);
}

function ms(sortedMs: readonly number[]): string {
  if (sortedMs.length === 0) return '(none)';
  const at = (share: number) =>
    Math.round(sortedMs[Math.min(sortedMs.length - 1, Math.floor(share * sortedMs.length))]!);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, at most ${at(1)} ms`;
}
