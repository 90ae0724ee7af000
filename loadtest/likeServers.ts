/** The two servers that likes.ts compares, each in a process of its own that is forked from here. */
import { App, us_socket_local_port } from 'uWebSockets.js';
import { createRequire } from 'node:module';
import pg from 'pg';
import { AccessTokens } from '../src/accounts/AccessTokens.ts';
import { SystemClock } from '../src/clock.ts';
import { Database } from '../src/db/Database.ts';
import { DuetError } from '../src/errors.ts';
import { Router } from '../src/http/router.ts';
import { decisionRoutes } from '../src/http/routes/decisions.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { Decisions } from '../src/matching/decisions.ts';
import { listenOn } from '../src/transport/uws.ts';

export type LikeServer = 'duet' | 'express';

/** Signs the access tokens of both sides, in this benchmark only. */
export const TOKEN_SECRET = 'the secret of a benchmark on loopback';
const POOL = 16;

async function serveDuet(url: string): Promise<number> {
  const db = await Database.open({ url, poolSize: POOL, log: createLog('silent') });
  const clock = new SystemClock();
  const accessTokens = new AccessTokens({ clock, secrets: { current: TOKEN_SECRET } });
  const likesPerDay = { regular: 1e9, premium: 1e9 };
  const match = { acceptMs: 86_400_000, warningMs: 3_600_000 };
  const decisions = new Decisions({ db, clock, match, likesPerDay, publish: () => {} });
  const router = new Router(
    {
      authenticate: (authorization) => {
        const principal = accessTokens.verify(authorization.slice('Bearer '.length));
        if (principal === undefined) throw new DuetError('UNAUTHORIZED');
        return principal;
      },
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

/** As much of Express 4 and jsonwebtoken as is used here; they have no types of their own. */
interface ExpressApp {
  use(run: ExpressHandler): void;
  post(path: string, run: ExpressHandler): void;
  listen(port: number, host: string, fn: () => void): { address(): { port: number } };
}
type ExpressHandler = (
  req: { params: { userId: string }; headers: { authorization: string }; userId: string },
  res: { json(value: unknown): void; status(status: number): { end(): void } },
  next: (error?: unknown) => void,
) => void;
interface JsonWebToken {
  verify(token: string, secret: string, options: { algorithms: string[] }): { sub: string };
}

async function serveExpress(url: string): Promise<number> {
  const require = createRequire(import.meta.url);
  const express = require('express4') as { (): ExpressApp; json(): ExpressHandler };
  const { verify } = require('jsonwebtoken') as JsonWebToken;
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const app = express();
  app.use(express.json());
  app.use((req, res, next) => {
    try {
      req.userId = verify(req.headers.authorization.slice('Bearer '.length), TOKEN_SECRET, {
        algorithms: ['HS256'],
      }).sub;
    } catch {
      return res.status(401).end();
    }
    next();
  });
  app.post('/api/v1/matches/like/:userId', (req, res, next) => {
    like(pool, req.userId, req.params.userId).then(
      (matchId) => res.json({ decision: 'like', match: matchId && { id: matchId } }),
      next,
    );
  });
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

/** As usually written: is the other one there, the like, the other's like, the match. */
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

if (import.meta.main) {
  const [kind, url] = process.argv.slice(2) as [LikeServer, string];
  process.send!(await (kind === 'duet' ? serveDuet : serveExpress)(url));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  });
  process.on('disconnect', () => process.exit());
}
