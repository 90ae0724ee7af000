/** What `promises.ts` breaks: two processes of Duet on a PostgreSQL and a Redis of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';
import { again, at, pause, startShared } from '../test/integration/survival/processes.ts';
import { Inbox, type Json, type Person, request } from '../test/support/client.ts';
import { TestRedis } from '../test/support/redis.ts';
import type { TestServer } from '../test/support/server.ts';
import { newMatch, newPeople, registerPerson, type Talk } from '../test/support/signedIn.ts';
import type { PromisedBy, PromiseRow } from './PromiseRow.ts';

export { again, at, pause };

/** Breaks something and measures; `row` adds a line to the table. */
export type Provoke = (world: PromiseWorld, row: (promised: PromisedBy) => PromiseRow) => Promise<void>;

/** Enough for two processes with ten connections each in their pools, and what they have beside them. */
export const MAX_CONNECTIONS = 60;
const ADMIN_EMAIL = 'boss@example.org';
export const GIVE_UP_MS = 30_000;
/** How often is looked whether something has happened. */
const LOOK_EVERY_MS = 5;
/** Nobody here has a microphone: what tells a call that audio flows is said there, as in the crash drill. */
const MEDIA = pathToFileURL(resolve(import.meta.dirname, 'crashDrillMedia.ts')).href;

export class PromiseWorld implements AsyncDisposable {
  readonly dbUrl: string;
  readonly redis: TestRedis;
  /** Connected throughout. */
  readonly admin: pg.Client;
  readonly #closing: AsyncDisposableStack;
  a!: TestServer;
  b!: TestServer;

  private constructor(dbUrl: string, redis: TestRedis, admin: pg.Client, closing: AsyncDisposableStack) {
    this.dbUrl = dbUrl;
    this.redis = redis;
    this.admin = admin;
    this.#closing = closing;
  }

  static async start(): Promise<PromiseWorld> {
    await using closing = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'duet-promises-'));
    closing.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    const postgres = await startEmbeddedPostgres({
      dataDir: join(dir, 'postgres'),
      log: createLog('silent'),
      settings: { max_connections: MAX_CONNECTIONS },
    });
    closing.defer(() => postgres.close());
    const redis = new TestRedis();
    await redis.start();
    closing.defer(() => redis.stop());
    const admin = new pg.Client(postgres.url);
    await admin.connect();
    closing.defer(() => admin.end());
    const world = new PromiseWorld(postgres.url, redis, admin, closing.move());
    try {
      world.a = await world.startProcess();
      world.b = await world.startProcess();
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  get both(): readonly [TestServer, TestServer] {
    return [this.a, this.b];
  }

  /** One more process; it ends with all this, if not before. */
  async startProcess(environment: Record<string, string> = {}): Promise<TestServer> {
    const server = await startShared({
      DB_URL: this.dbUrl,
      DB_POOL: '10',
      REDIS_URL: this.redis.url,
      NODE_OPTIONS: `--import ${MEDIA}`,
      ADMIN_EMAILS: ADMIN_EMAIL,
      CALL_RING_SEC: '600',
      CALL_DURATION_SEC: '3600',
      CALL_RECONNECT_SEC: '600',
      ...environment,
    });
    this.#closing.defer(() => server.kill());
    return server;
  }

  registerAdmin(): Promise<Person> {
    return registerPerson(this.a.url, { email: ADMIN_EMAIL });
  }

  people(count: number): Promise<Person[]> {
    return newPeople(this.a, count);
  }

  /** Both talk, in a room of the given process. */
  async talkAt(server: TestServer): Promise<Talk> {
    const { ann, bob, matchId } = await newMatch({ url: server.url, dbUrl: this.dbUrl });
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    const [atAnn, atBob] = [new Inbox(await ann.sit(seat)), new Inbox(await bob.sit(answered.seat))];
    await again(async () => {
      const { phase } = (await ann.ok('GET', `/calls/${call.id}`)).call;
      if (phase !== 'active') throw new Error(phase);
    });
    return { ann, bob, matchId, callId: call.id, atAnn, atBob };
  }

  /** Resolves when both processes are ready again. */
  async heal(): Promise<void> {
    for (const server of this.both) await again(() => readiness(server, 200), GIVE_UP_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closing.disposeAsync();
  }
}

/** Throws unless a process says so of itself. */
export async function readiness(server: TestServer, wanted: number): Promise<void> {
  const { status } = await request(server.url, 'GET', '/health/readiness');
  if (status !== wanted) throw new Error(`readiness ${status}`);
}

/** What a process says of itself in its metrics. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await fetch(`${url}/metrics`).then((answer) => answer.text());
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
}

/** When something became so, by `performance.now()`. */
export async function momentOf(isSo: () => Promise<boolean>): Promise<number> {
  const end = performance.now() + GIVE_UP_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${GIVE_UP_MS} ms`);
    await pause(LOOK_EVERY_MS);
  }
  return performance.now();
}

/** When a room was left, and by which code. */
export function closing({ room }: Inbox): Promise<{ at: number; code: number }> {
  return new Promise((done, fail) => {
    const timer = setTimeout(
      () => fail(new Error(`${room.name} not left within ${GIVE_UP_MS} ms`)),
      GIVE_UP_MS,
    );
    room.onLeave((code) => {
      clearTimeout(timer);
      done({ at: performance.now(), code });
    });
  });
}

/** When an event was heard, and what it says. */
export async function hearing(
  inbox: Inbox,
  type: string,
  fits: (payload: Json) => boolean = () => true,
): Promise<{ at: number; payload: Json }> {
  const payload = await inbox.next(type, fits, GIVE_UP_MS);
  return { at: performance.now(), payload };
}

/** What was answered, in a few words. */
export function told({ status, body }: { status: number; body: Json }): string {
  return `${status} ${body?.code ?? ''}`;
}

export const isUnavailable = ({ status, body }: { status: number; body: Json }): boolean =>
  status === 503 && body.code === 'UNAVAILABLE';
