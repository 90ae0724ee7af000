/**
 * A like over HTTP, end to end and committed, in one run on one database: Duet beside Express 4 with jsonwebtoken and
 * `pg`, once doing the same (who may like whom, the day's likes, like, match, both inboxes), once the textbook transaction
 * alone (insert the like, look for the other one, insert the match).
 *
 *   npm run node -- loadtest/likes.ts --db postgres://…  [--seconds 5] [--rounds 3] [--connections 64]   (needs wrk, see wrk.ts)
 *
 * The database is an empty one or one that `generatePeople.ts` filled. Rounds alternate; the best of each counts.
 * Beside requests a second it prints the server's own processor time for one like, which a busy machine changes less.
 * One like in ten is answered at once: each pair whose two likes are in the database must have its match.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { generatePeople } from './generatePeople.ts';
import { tokenOf } from './serveRoutes.ts';
import { MeasuredServer, type Served } from './wrk.ts';

export type LikeServer = 'duet' | 'express, all rules' | 'express, textbook';
type Round = Served & { lost: number };

const SERVERS: LikeServer[] = ['duet', 'express, all rules', 'express, textbook'];
const PEOPLE = 4_000;
/** Pairs whose two likes are there, and no match. */
const LOST_BY_DUET = `select count(*) as n from pair_decisions d where low_decision = 'like' and high_decision = 'like'
    and not exists (select from matches m where m.low_id = d.low_id and m.high_id = d.high_id)`;
const LOST_BY_EXPRESS = `select count(*) as n from plain_likes a join plain_likes b on b.actor = a.target and b.target = a.actor
    where a.actor < a.target
      and not exists (select from plain_matches m where m.low_id = a.actor and m.high_id = a.target)`;

type Run = { url: string; seconds: number; rounds: number; connections: number };

async function compare({ url, seconds, rounds, connections }: Run): Promise<void> {
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
  await writeFile(people, await peopleLines(client));
  const best = new Map<LikeServer, Round>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of SERVERS) {
      await client.query(
        'truncate plain_likes, plain_matches, pair_decisions, matches, like_counts, outbox, inboxes cascade',
      );
      const server = await MeasuredServer.start('likeServers.ts', [kind, url]);
      // People are paired at a distance that grows; the warm-up has pairs of its own.
      const load = (from: number) => ({ connections, script: 'likes.lua', args: [people, String(from)] });
      await server.measure({ ...load(1), seconds: 2 });
      const served = await server.measure({ ...load(1_000), seconds });
      server.close();
      const { rows } = await client.query<{ n: string }>(kind === 'duet' ? LOST_BY_DUET : LOST_BY_EXPRESS);
      const result = { ...served, lost: Number(rows[0]!.n) };
      if ((best.get(kind)?.perSecond ?? 0) < result.perSecond) best.set(kind, result);
    }
  }
  await client.end();
  await rm(folder, { recursive: true });
  for (const kind of SERVERS) {
    const { perSecond, cpuUs, p50Ms, p99Ms, lost } = best.get(kind)!;
    console.log(
      `| ${kind} | ${perSecond.toFixed(0)} | ${cpuUs.toFixed(1)} | ${p50Ms.toFixed(1)} | ${p99Ms.toFixed(1)} | ${lost} |`,
    );
  }
  const duet = best.get('duet')!;
  console.log();
  for (const kind of SERVERS.slice(1)) {
    const express = best.get(kind)!;
    console.log(
      `Of ${kind}: ${(duet.perSecond / express.perSecond).toFixed(1)} times as many a second, ${(express.cpuUs / duet.cpuUs).toFixed(1)} times less processor time.`,
    );
  }
}

/** One line a person: the id, and an access token. */
async function peopleLines(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('select id from users order by id limit $1', [PEOPLE]);
  const lines = await Promise.all(rows.map(async ({ id }) => `${id} ${await tokenOf(id)}`));
  return `${lines.join('\n')}\n`;
}

const { values } = parseArgs({
  options: {
    db: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
  },
});
if (values.db === undefined) throw new Error('Say which database: --db postgres://…');
console.log(
  '| server | likes a second | processor time a like, µs | p50 ms | p99 ms | matches lost |\n|---|---|---|---|---|---|',
);
await compare({
  url: values.db,
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  connections: Number(values.connections),
});
