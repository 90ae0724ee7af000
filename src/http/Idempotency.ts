/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a request that creates or decides, sent again
 * with the same key, does nothing again and is answered from what it did the first time (`Once`). The same key with
 * another request, or while the first one is still being worked on, is a CONFLICT. A refusal is not remembered: it
 * changed nothing.
 *
 * Answers are not kept. Each is made for whoever is answered, of what may be seen by then: somebody's card is gone from it
 * once they have blocked the asker, and a seat is one that still admits.
 *
 * A failure may have come after the commit, or in the midst of it. The key is kept then, with what the request had
 * remembered (`Remember`): the next one under it finds what there is. What has remembered nothing is the same done twice.
 */
import { createHash } from 'node:crypto';
import type { Database } from '../db/Database.ts';
import { nameIsFree } from '../db/HeldName.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { Remember, Route, RouteContext, RouteWho } from './route.ts';
import { Upload } from './Upload.ts';

type AnyContext = RouteContext<RouteWho, unknown, unknown, unknown, string, string>;

const KEY = /^[\x21-\x7e]{1,255}$/;
const HEADER = 'idempotency-key';
/** How long is known what was done. */
const KEEP_HOURS = 24;
/** A request that has not been answered by then is given up; the next one does the work. */
const GIVE_UP_SEC = 15;
/** And after this if its process is gone. */
const GONE_SEC = 1;

// `status` says that it is done, `body` what: `{ done }`. Until then `body` is what was remembered, if anything was.
// `at` is exact as a text only, and says which attempt has the key.
const takeKey = sql<{
  taken: boolean;
  fingerprint: Buffer;
  status: number | null;
  body: unknown;
  at: string;
}>(
  'idempotency-take',
  `with taken as (
     insert into idempotency_keys as k (user_id, key, fingerprint, holder) values ($1, $2, $3, $4)
     on conflict (user_id, key) do update set created_at = clock_timestamp(), holder = excluded.holder
       where k.status is null and k.fingerprint = excluded.fingerprint
         and (k.created_at < clock_timestamp() - interval '${GIVE_UP_SEC} seconds'
           or k.created_at < clock_timestamp() - interval '${GONE_SEC} seconds' and ${nameIsFree('k.holder')})
     returning fingerprint, status, body, created_at::text as at
   )
   select true as taken, * from taken
   union all
   select false, fingerprint, status, body, created_at::text from idempotency_keys
   where user_id = $1 and key = $2 and not exists (select from taken)`,
);
// Who was given up and goes on all the same does as the next one.
const keepRemembered = sql<{ body: unknown }>(
  'idempotency-remember',
  `update idempotency_keys set body = coalesce(body, to_jsonb($3::text))
   where user_id = $1 and key = $2 and status is null returning body`,
);
const keepDone = sql(
  'idempotency-keep',
  `update idempotency_keys set status = $3, body = $4::jsonb where user_id = $1 and key = $2 and status is null`,
);
const releaseKey = sql(
  'idempotency-release',
  `delete from idempotency_keys
   where user_id = $1 and key = $2 and status is null and created_at = $3::text::timestamptz and (body is null or $4)`,
);
/** The next one need not wait until this one is given up; unless it was, and the key is another's. */
const leaveKey = sql(
  'idempotency-leave',
  `update idempotency_keys set created_at = clock_timestamp() - interval '${GIVE_UP_SEC} seconds'
   where user_id = $1 and key = $2 and status is null and created_at = $3::text::timestamptz`,
);
const dropOld = sql(
  'idempotency-drop',
  `delete from idempotency_keys where created_at < clock_timestamp() - interval '${KEEP_HOURS} hours'`,
);

export class Idempotency {
  readonly #db: Database;
  readonly #processName: () => string;

  /** `processName`: what this process holds in the database for as long as it lives (`HeldName`). */
  constructor(db: Database, processName: () => string) {
    this.#db = db;
    this.#processName = processName;
  }

  /** The same routes; signed-in people's POSTs take the header. Tokens are never kept, so `/auth` is left out. */
  guard(routes: readonly Route[]): Route[] {
    return routes.map((route) => {
      if (route.method !== 'post' || route.who === 'anyone' || route.path.includes('/auth/')) return route;
      const run = (ctx: AnyContext) => (ctx.header(HEADER) === '' ? route.run(ctx) : this.#once(route, ctx));
      return { ...route, headers: [...route.headers, HEADER], run };
    });
  }

  /** Forgets what was done more than a day ago. */
  async dropOld(): Promise<void> {
    await this.#db.query(dropOld);
  }

  async #once(route: Route, ctx: AnyContext): Promise<unknown> {
    const key = ctx.header(HEADER);
    if (!KEY.test(key)) {
      throw new DuetError('VALIDATION_FAILED', {
        details: [{ path: HEADER, message: 'must be 1 to 255 visible ASCII characters' }],
      });
    }
    const { userId } = ctx.auth!;
    const fingerprint = await fingerprintOf(route, ctx);
    const [known] = await this.#db.query(takeKey, [userId, key, fingerprint, this.#processName()]);
    if (known === undefined) throw new DuetError('CONFLICT');
    if (known.taken) return this.#first(route, ctx, key, known);
    if (!known.fingerprint.equals(fingerprint) || known.status === null || !isDone(known.body))
      throw new DuetError('CONFLICT');
    const { done } = known.body;
    ctx.once = async <T>() => done as T;
    return route.run(ctx);
  }

  /** The first one under its key, or the next after one that failed. */
  async #first(
    route: Route,
    ctx: AnyContext,
    key: string,
    { body: remembered, at }: { body: unknown; at: string },
  ): Promise<unknown> {
    const { userId } = ctx.auth!;
    let isKept = false;
    // Whether what is remembered was remembered by another attempt, which has perhaps done it.
    let isAnothers = remembered !== null;
    const keep = async (done: unknown) => {
      isKept = true;
      const kept = JSON.stringify({ done: done ?? null });
      await this.#db.query(keepDone, [userId, key, route.status, kept]).catch(() => {
        // The database is away. It is done all the same; who asks again finds what was remembered.
      });
    };
    const remember: Remember = async <T extends string>(choose: () => T | Promise<T>) => {
      if (remembered !== null) return remembered as T;
      const chosen = await choose();
      const kept = await this.#remember(userId, key, chosen);
      isAnothers = kept !== chosen;
      return kept as T;
    };
    // Named first: written where the property is set it would live too long (`src/db/ask.ts`).
    const once: typeof ctx.once = async (work) => {
      const done = await work(remember);
      await keep(done);
      return done;
    };
    ctx.once = once;
    try {
      const answer = await route.run(ctx);
      if (!isKept) await keep(null);
      return answer;
    } catch (error) {
      const isRefusal = error instanceof DuetError && error.status < 500;
      await this.#letGo(userId, key, at, { isRefusal, isAnothers }).catch(() => {
        // The database is away; the key frees itself after a while.
      });
      throw error;
    }
  }

  async #remember(userId: string, key: string, value: string): Promise<unknown> {
    const [row] = await this.#db.query(keepRemembered, [userId, key, value]);
    if (row === undefined) throw new DuetError('CONFLICT');
    return row.body;
  }

  /** After a failure the key is for the next one to take; after a refusal there is none, unless another attempt did it. */
  async #letGo(
    userId: string,
    key: string,
    at: string,
    { isRefusal, isAnothers }: { isRefusal: boolean; isAnothers: boolean },
  ): Promise<void> {
    if (isRefusal) await this.#db.query(releaseKey, [userId, key, at, !isAnothers]);
    await this.#db.query(leaveKey, [userId, key, at]);
  }
}

/** Not so where an earlier release kept an answer: nobody can say any more what was done. */
function isDone(body: unknown): body is { done: unknown } {
  return typeof body === 'object' && body !== null && 'done' in body;
}

/** What makes two requests the same: route, parameters, query and body. */
async function fingerprintOf(route: Route, ctx: AnyContext): Promise<Buffer> {
  const hash = createHash('sha256').update(`${route.method} ${route.path}\n`);
  hash.update(JSON.stringify([ctx.params, ctx.query ?? null]));
  const { body } = ctx;
  if (body instanceof Upload)
    return hash
      .update(body.contentType)
      .update(await body.digest())
      .digest();
  return hash.update(JSON.stringify(body ?? null)).digest();
}
