/** The servers that likes.ts compares: which one, and the database. */
import pg from 'pg';
import { SystemClock } from '../src/clock.ts';
import { Database } from '../src/db/Database.ts';
import { decisionRoutes } from '../src/http/routes/decisions.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { Decisions } from '../src/matching/decisions.ts';
import { createExpress, jsonBody, listen, signedIn } from './express4.ts';
import type { LikeServer } from './likes.ts';
import { serveRoutes } from './serveRoutes.ts';
import { answerAsServer } from './wrk.ts';

const POOL = 16;

async function serveDuet(url: string): Promise<number> {
  const db = await Database.open({ url, poolSize: POOL, log: createLog('silent') });
  const decisions = new Decisions({
    db,
    clock: new SystemClock(),
    match: { acceptMs: 86_400_000, warningMs: 3_600_000 },
    likesPerDay: { regular: 1e9, premium: 1e9 },
    publish: () => {},
  });
  // The view of the match is left out on both sides: what is compared is the like.
  const matchView = (id: string) => Promise.resolve({ id } as never);
  return serveRoutes(decisionRoutes({ decisions, people: undefined as never, matchView }));
}

function serveExpress(url: string, like: Like): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const app = createExpress();
  app.post('/api/v1/matches/like/:userId', jsonBody, signedIn, (req, res, next) => {
    inTransaction(pool, (client) => like(client, req.userId, req.params.userId!)).then(
      (matchId) => res.json({ decision: 'like', match: matchId && { id: matchId } }),
      next,
    );
  });
  return listen(app);
}

/** Resolves with the id of the match that came of it. */
type Like = (client: pg.PoolClient, actor: string, target: string) => Promise<string | null>;

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** As usually written: is the other one there, the like, the other's like, the match. */
async function textbookLike(client: pg.PoolClient, actor: string, target: string): Promise<string | null> {
  await client.query({
    name: 'there',
    text: `select 1 from users where id = $1 and status = 'active'`,
    values: [target],
  });
  await insertLike(client, actor, target);
  return matchIfLikedBack(client, actor, target);
}

/** The same with what Duet's like does besides: who may like whom, the day's likes, and what both are told. */
async function likeByAllRules(client: pg.PoolClient, actor: string, target: string): Promise<string | null> {
  const { rows: people } = await client.query({
    name: 'people',
    text: `select id, tier, email_verified_at from users where id in ($1, $2) and status = 'active'`,
    values: [actor, target],
  });
  const liker = people.find(({ id }) => id === actor);
  if (people.length < 2 || liker.email_verified_at === null) throw new Error('not to be liked');
  const { rows: blocks } = await client.query({
    name: 'blocks',
    text: 'select 1 from blocks where blocker_id = $1 and blocked_id = $2 or blocker_id = $2 and blocked_id = $1',
    values: [actor, target],
  });
  if (blocks.length > 0) throw new Error('not to be liked');
  const isNew = await insertLike(client, actor, target);
  if (!isNew) return null;
  const { rows: counted } = await client.query({
    name: 'count',
    text: `insert into like_counts as c values ($1, current_date, 1) on conflict (user_id) do update
      set day = current_date, used = case when c.day = current_date then c.used + 1 else 1 end
      where c.day <> current_date or c.used < $2 returning used`,
    values: [actor, liker.tier === 'premium' ? 2e9 : 1e9],
  });
  if (counted.length === 0) throw new Error('used up');
  const matchId = await matchIfLikedBack(client, actor, target);
  if (matchId !== null) {
    for (const id of [actor, target].sort()) {
      const { rows: numbers } = await client.query({
        name: 'number',
        text: `insert into inboxes (user_id, seq) values ($1, 1)
          on conflict (user_id) do update set seq = inboxes.seq + 1 returning seq, epoch`,
        values: [id],
      });
      await client.query({
        name: 'event',
        text: `insert into outbox (user_id, seq, epoch, type, payload) values ($1, $2, $3, 'match:created', $4)`,
        values: [id, numbers[0].seq, numbers[0].epoch, { matchId }],
      });
    }
  }
  return matchId;
}

/** Whether they had not liked before. */
async function insertLike(client: pg.PoolClient, actor: string, target: string): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'like',
    text: 'insert into plain_likes values ($1, $2) on conflict do nothing',
    values: [actor, target],
  });
  return rowCount === 1;
}

async function matchIfLikedBack(
  client: pg.PoolClient,
  actor: string,
  target: string,
): Promise<string | null> {
  const { rows } = await client.query({
    name: 'back',
    text: 'select 1 from plain_likes where actor = $2 and target = $1',
    values: [actor, target],
  });
  if (rows.length === 0) return null;
  const id = newId();
  await client.query({
    name: 'match',
    text: 'insert into plain_matches values ($1, least($2::uuid, $3::uuid), greatest($2::uuid, $3::uuid))',
    values: [id, actor, target],
  });
  return id;
}

const [kind, url] = process.argv.slice(2) as [LikeServer, string];
const serve: Record<LikeServer, (url: string) => Promise<number>> = {
  duet: serveDuet,
  'express, all rules': (url) => serveExpress(url, likeByAllRules),
  'express, textbook': (url) => serveExpress(url, textbookLike),
};
answerAsServer(await serve[kind](url));
