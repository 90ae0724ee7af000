/**
 * A like over HTTP, end to end and committed: Duet beside Express with `pg` doing the textbook transaction (insert the
 * like, look for the other one, insert the match), in one run on one database.
 *
 *   node loadtest/likes.ts --db postgres://…  [--seconds 5] [--rounds 3]
 *
 * The database is an empty one or one that `generatePeople.ts` filled. Rounds alternate; the best of each counts.
 * Beside requests a second it prints the server's own processor time for one like, which a busy machine changes less.
 * One like in ten is answered at once: each of those pairs must have its match afterwards.
 */

import { App, us_socket_local_port } from 'uWebSockets.js';
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { SystemClock } from '../src/clock.ts';
import { Database } from '../src/db/Database.ts';
import { Router } from '../src/http/router.ts';
import { decisionRoutes } from '../src/http/routes/decisions.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { Decisions } from '../src/matching/decisions.ts';
import { listenOn } from '../src/transport/uws.ts';
import { generatePeople } from './generatePeople.ts';
import { LikeLoad } from './LikeLoad.ts';

type Kind = 'duet' | 'express';

interface Round {
  perSecond: number;
  cpuUs: number;
  p50Ms: number;
  p99Ms: number;
  lost: number;
}

const KINDS: Kind[] = ['duet', 'express'];
const PEOPLE = 4_000;
const POOL = 16;

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
  const { rows } = await client.query<{ id: string }>('select id from users order by id limit $1', [PEOPLE]);
  const ids = rows.map((row) => row.id);
  const best = new Map<Kind, Round>();
  let from = 1;
  for (let round = 0; round < rounds; round++) {
    for (const kind of KINDS) {
      await client.query(
        'truncate plain_likes, plain_matches, pair_decisions, matches, outbox, inboxes cascade',
      );
      const result = await measure(kind, url, client, pairsOf(ids, from), seconds);
      if ((best.get(kind)?.perSecond ?? 0) < result.perSecond) best.set(kind, result);
      from += 40;
    }
  }
  await client.end();
  for (const kind of KINDS) {
    const { perSecond, cpuUs, p50Ms, p99Ms, lost } = best.get(kind)!;
    console.log(
      `| ${kind} | ${perSecond.toFixed(0)} | ${cpuUs.toFixed(0)} | ${p50Ms.toFixed(1)} | ${p99Ms.toFixed(1)} | ${lost} |`,
    );
  }
  const [duet, express] = KINDS.map((kind) => best.get(kind)!);
  console.log(
    `\n${(duet!.perSecond / express!.perSecond).toFixed(1)} times as many a second, ${(express!.cpuUs / duet!.cpuUs).toFixed(1)} times less processor time.`,
  );
}

/** Likes without end, of ever new pairs; one in ten is answered at once. */
function* pairsOf(ids: readonly string[], from: number): Generator<[string, string]> {
  for (let step = from; ; step++) {
    for (let i = 0; i < ids.length; i++) {
      const [one, other] = [ids[i]!, ids[(i + step) % ids.length]!];
      yield [one, other];
      if (i % 10 === 0) yield [other, one];
    }
  }
}

async function measure(
  kind: Kind,
  url: string,
  client: pg.Client,
  pairs: Generator<[string, string]>,
  seconds: number,
): Promise<Round> {
  const child = fork(import.meta.filename, ['--serve', kind, '--db', url]);
  const heard = () =>
    new Promise<number>((resolve) => child.once('message', (answer) => resolve(Number(answer))));
  const port = await heard();
  const load = new LikeLoad(port, pairs);
  await load.run(1);
  child.send('cpu');
  const before = await heard();
  load.latencies.length = 0;
  const startedAt = performance.now();
  await load.run(seconds);
  const elapsed = (performance.now() - startedAt) / 1000;
  child.send('cpu');
  const after = await heard();
  load.close();
  child.kill();
  const sorted = load.latencies.sort((a, b) => a - b);
  const { rows } = await client.query<{ n: string }>(
    `select count(*) as n from ${kind === 'duet' ? 'matches' : 'plain_matches'}`,
  );
  return {
    perSecond: sorted.length / elapsed,
    cpuUs: (after - before) / sorted.length,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)]!,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)]!,
    lost: load.mutual - Number(rows[0]!.n),
  };
}

async function serveDuet(url: string): Promise<number> {
  const db = await Database.open({ url, poolSize: POOL, log: createLog('silent') });
  const clock = new SystemClock();
  const likesPerDay = { regular: 1e9, premium: 1e9 };
  const match = { acceptMs: 86_400_000, warningMs: 3_600_000 };
  const decisions = new Decisions({ db, clock, match, likesPerDay, publish: () => {} });
  const router = new Router(
    {
      authenticate: (authorization) => ({
        userId: String(authorization).slice(7),
        sessionId: 's',
        role: 'user',
      }),
      limit: () => {},
      observe: () => {},
      log: createLog('silent'),
      clock,
    },
    {
      allowedOrigins: [],
      trustedProxies: [],
      bodyCapBytes: 65_536,
      slowBodyMs: 10_000,
      checkResponses: false,
      hsts: false,
    },
  );
  // The view of the match is left out on both sides: what is compared is the like.
  const routes = decisionRoutes({
    decisions,
    people: undefined as never,
    matchView: (id) => Promise.resolve({ id } as never),
  });
  router.add(routes);
  const app = App();
  router.bind(app);
  return us_socket_local_port(await listenOn(app, '127.0.0.1', 0));
}

/** As much of Express as is used here; it has no types of its own. */
interface ExpressApp {
  post(
    path: string,
    run: (
      req: { params: { userId: string }; headers: { authorization: string } },
      res: { json(value: unknown): void },
      next: (error: unknown) => void,
    ) => void,
  ): void;
  listen(port: number, host: string, fn: () => void): { address(): { port: number } };
}

async function serveExpress(url: string): Promise<number> {
  const express = createRequire(import.meta.url)('express') as () => ExpressApp;
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const app = express();
  app.post('/api/v1/matches/like/:userId', (req, res, next) => {
    const actor = req.headers.authorization.slice(7);
    like(pool, actor, req.params.userId).then(
      (matchId) => res.json({ decision: 'like', match: matchId && { id: matchId } }),
      next,
    );
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

async function like(pool: pg.Pool, actor: string, target: string): Promise<string | null> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query({
      name: 'there',
      text: `select 1 from users where id = $1 and status = 'active'`,
      values: [target],
    });
    await client.query({
      name: 'like',
      text: 'insert into plain_likes values ($1, $2) on conflict do nothing',
      values: [actor, target],
    });
    const { rows } = await client.query({
      name: 'back',
      text: 'select 1 from plain_likes where actor = $2 and target = $1',
      values: [actor, target],
    });
    const id = rows.length > 0 ? newId() : null;
    if (id !== null)
      await client.query({
        name: 'match',
        text: 'insert into plain_matches values ($1, least($2::uuid, $3::uuid), greatest($2::uuid, $3::uuid))',
        values: [id, actor, target],
      });
    await client.query('commit');
    return id;
  } finally {
    client.release();
  }
}

const { values } = parseArgs({
  options: {
    db: { type: 'string' },
    serve: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
  },
});
if (values.db === undefined) throw new Error('Say which database: --db postgres://…');
if (values.serve === undefined) {
  console.log(
    '| server | likes a second | processor time a like, µs | p50 ms | p99 ms | matches lost |\n|---|---|---|---|---|---|',
  );
  await compare(values.db, Number(values.seconds), Number(values.rounds));
} else {
  process.send!(await (values.serve === 'duet' ? serveDuet : serveExpress)(values.db));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  });
}
