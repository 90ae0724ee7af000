/**
 * A like over HTTP, end to end and committed: Duet beside Express 4 with jsonwebtoken and `pg` doing the textbook
 * transaction (insert the like, look for the other one, insert the match), in one run on one database.
 *
 *   node loadtest/likes.ts --db postgres://…  [--seconds 5] [--rounds 3]
 *
 * Needs `wrk` (`apt-get install wrk`): a load generator of Node costs as much as the server that it measures. Where
 * `taskset` exists and there are two cores, the server has one, wrk the other; PostgreSQL is left where it is.
 *
 * The database is an empty one or one that `generatePeople.ts` filled. Rounds alternate; the best of each counts.
 * Beside requests a second it prints the server's own processor time for one like, which a busy machine changes less.
 * One like in ten is answered at once: each pair whose two likes are in the database must have its match.
 */
import { execFile, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import pg from 'pg';
import { AccessTokens } from '../src/accounts/AccessTokens.ts';
import { SystemClock } from '../src/clock.ts';
import { newId } from '../src/ids.ts';
import { generatePeople } from './generatePeople.ts';
import { type LikeServer, TOKEN_SECRET } from './likeServers.ts';

interface Round {
  perSecond: number;
  cpuUs: number;
  p50Ms: number;
  p99Ms: number;
  lost: number;
}

const KINDS: LikeServer[] = ['duet', 'express'];
const PEOPLE = 4_000;
const CONNECTIONS = 64;
/** Pairs whose two likes are there, and which of them has no match. */
const LOST = {
  duet: `select count(*) as n from pair_decisions d where low_decision = 'like' and high_decision = 'like'
    and not exists (select from matches m where m.low_id = d.low_id and m.high_id = d.high_id)`,
  express: `select count(*) as n from plain_likes a join plain_likes b on b.actor = a.target and b.target = a.actor
    where a.actor < a.target
      and not exists (select from plain_matches m where m.low_id = a.actor and m.high_id = a.target)`,
};
const isPinned = availableParallelism() >= 2 && existsSync('/usr/bin/taskset');

async function compare(url: string, seconds: number, rounds: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows: tables } = await client.query(`select to_regclass('users') as users`);
  if (tables[0].users === null) await generatePeople({ url, people: PEOPLE, decisions: 0 });
  await client.query(
    'create table if not exists plain_likes (actor uuid, target uuid, primary key (actor, target))',
  );
  await client.query(
    'create table if not exists plain_matches (id uuid primary key, low_id uuid, high_id uuid)',
  );
  const folder = await mkdtemp(join(tmpdir(), 'duet-likes-'));
  const people = join(folder, 'people');
  await writeFile(people, await tokensOf(client));
  const best = new Map<LikeServer, Round>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of KINDS) {
      await client.query(
        'truncate plain_likes, plain_matches, pair_decisions, matches, outbox, inboxes cascade',
      );
      const result = await measure(kind, url, client, people, seconds);
      if ((best.get(kind)?.perSecond ?? 0) < result.perSecond) best.set(kind, result);
    }
  }
  await client.end();
  await rm(folder, { recursive: true });
  for (const kind of KINDS) {
    const { perSecond, cpuUs, p50Ms, p99Ms, lost } = best.get(kind)!;
    console.log(
      `| ${kind} | ${perSecond.toFixed(0)} | ${cpuUs.toFixed(1)} | ${p50Ms.toFixed(1)} | ${p99Ms.toFixed(1)} | ${lost} |`,
    );
  }
  const [duet, express] = KINDS.map((kind) => best.get(kind)!);
  console.log(
    `\n${(duet!.perSecond / express!.perSecond).toFixed(1)} times as many a second, ${(express!.cpuUs / duet!.cpuUs).toFixed(1)} times less processor time.`,
  );
}

/** One line a person: the id, and an access token. */
async function tokensOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('select id from users order by id limit $1', [PEOPLE]);
  const tokens = new AccessTokens({ clock: new SystemClock(), secrets: { current: TOKEN_SECRET } });
  const lines = rows.map(async ({ id }) => {
    const { token } = await tokens.sign({ userId: id, sessionId: newId(), role: 'user' });
    return `${id} ${token}`;
  });
  return `${(await Promise.all(lines)).join('\n')}\n`;
}

async function measure(
  kind: LikeServer,
  url: string,
  client: pg.Client,
  people: string,
  seconds: number,
): Promise<Round> {
  const child = fork(join(import.meta.dirname, 'likeServers.ts'), [kind, url]);
  const heard = () =>
    new Promise<number>((resolve) => child.once('message', (answer) => resolve(Number(answer))));
  const port = await heard();
  if (isPinned) await promisify(execFile)('taskset', ['-a', '-p', '-c', '0', String(child.pid)]);
  await runWrk(port, people, 1, 1);
  child.send('cpu');
  const before = await heard();
  const { requests, elapsedUs, ...latencies } = await runWrk(port, people, seconds, 1_000);
  child.send('cpu');
  const after = await heard();
  child.kill();
  const { rows } = await client.query<{ n: string }>(LOST[kind]);
  return {
    perSecond: requests / (elapsedUs / 1e6),
    cpuUs: (after - before) / requests,
    ...latencies,
    lost: Number(rows[0]!.n),
  };
}

/** `firstStep`: at what distance people are paired first; each distance gives as many pairs as there are people. */
async function runWrk(port: number, people: string, seconds: number, firstStep: number) {
  const wrk = [
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    '-s',
    join(import.meta.dirname, 'likes.lua'),
    `http://127.0.0.1:${port}`,
    people,
    String(firstStep),
  ];
  const [file, ...args] = isPinned ? ['taskset', '-c', '1', ...wrk] : wrk;
  const { stdout } = await promisify(execFile)(file!, args);
  const [requests, elapsedUs, p50Us, p99Us, refused, broken] = (/RESULT (.+)/.exec(stdout)?.[1] ?? '')
    .split(' ')
    .map(Number) as [number, number, number, number, number, number];
  if (!(requests > 0) || refused > 0 || broken > 0) throw new Error(`wrk was not served well:\n${stdout}`);
  return { requests, elapsedUs, p50Ms: p50Us / 1_000, p99Ms: p99Us / 1_000 };
}

const { values } = parseArgs({
  options: {
    db: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
  },
});
if (values.db === undefined) throw new Error('Say which database: --db postgres://…');
console.log(
  '| server | likes a second | processor time a like, µs | p50 ms | p99 ms | matches lost |\n|---|---|---|---|---|---|',
);
await compare(values.db, Number(values.seconds), Number(values.rounds));
