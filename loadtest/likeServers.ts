/** The two servers that likes.ts compares: `duet` or `express`, and the database. */
import pg from 'pg';
import { SystemClock } from '../src/clock.ts';
import { Database } from '../src/db/Database.ts';
import { decisionRoutes } from '../src/http/routes/decisions.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { Decisions } from '../src/matching/decisions.ts';
import { createExpress, jsonBody, listen, signedIn } from './express4.ts';
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

function serveExpress(url: string): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const app = createExpress();
  app.post('/api/v1/matches/like/:userId', jsonBody, signedIn, (req, res, next) => {
    like(pool, req.userId, req.params.userId!).then(
      (matchId) => res.json({ decision: 'like', match: matchId && { id: matchId } }),
      next,
    );
  });
  return listen(app);
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

const [kind, url] = process.argv.slice(2) as ['duet' | 'express', string];
answerAsServer(await (kind === 'duet' ? serveDuet : serveExpress)(url));
