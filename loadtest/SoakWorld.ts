/** What the soak runs on: two processes of Duet on a PostgreSQL, a Redis and an S3 of their own; and what each of them holds. */
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';
import { startEmbeddedS3 } from '../src/platform/EmbeddedS3.ts';
import { startShared } from '../test/integration/survival/processes.ts';
import { TestRedis } from '../test/support/redis.ts';
import type { TestServer } from '../test/support/server.ts';
import { type HeapClass, heapClasses } from './heapClasses.ts';
import type { Reading } from './soakProbe.ts';

/** Figures by name. */
export type Figures = Record<string, number>;

const PROBE = pathToFileURL(resolve(import.meta.dirname, 'soakProbe.ts')).href;
const BYTES_A_KIB = 1024;
const KIB_A_MIB = 1024;
/** What Redis answers to `TTL`. */
const NO_EXPIRY = -1;

interface Soaked {
  name: string;
  server: TestServer;
  probe: string;
}

export class SoakWorld implements AsyncDisposable {
  readonly db: pg.Client;
  readonly #redis: Redis;
  readonly #processes: Soaked[] = [];
  readonly #closing: AsyncDisposableStack;

  private constructor(db: pg.Client, redis: Redis, closing: AsyncDisposableStack) {
    this.db = db;
    this.#redis = redis;
    this.#closing = closing;
  }

  static async start(): Promise<SoakWorld> {
    await using closing = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'duet-soak-'));
    closing.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    const postgres = await startEmbeddedPostgres({
      dataDir: join(dir, 'postgres'),
      log: createLog('silent'),
    });
    closing.defer(() => postgres.close());
    const s3 = await startEmbeddedS3({ dataDir: join(dir, 's3') });
    closing.defer(() => s3.close());
    const testRedis = new TestRedis();
    await testRedis.start();
    closing.defer(() => testRedis.stop());
    const db = new pg.Client(postgres.url);
    await db.connect();
    closing.defer(() => db.end());
    const redis = new Redis(testRedis.url);
    closing.defer(() => redis.disconnect());
    const world = new SoakWorld(db, redis, closing.move());
    try {
      for (const name of ['A', 'B']) {
        const server = await startShared({
          DB_URL: postgres.url,
          REDIS_URL: testRedis.url,
          S3_ENDPOINT: s3.endpoint,
          S3_BUCKET: s3.bucket,
          AWS_ACCESS_KEY_ID: s3.accessKeyId,
          AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
          DATA_DIR: join(dir, name),
          NODE_OPTIONS: `--expose-gc --import ${PROBE}`,
          LOG_LEVEL: 'warn',
          ACCOUNT_GRACE_SEC: '0',
          CALL_RING_SEC: '4',
          CALL_DURATION_SEC: '8',
          CALL_EXTENSION_SEC: '4',
          CALL_WARNING_SEC: '3',
          CALL_REQUEST_SEC: '4',
          CALL_RECONNECT_SEC: '5',
          LIMIT_UNANSWERED_CALLS: '1000000',
        });
        world.#closing.defer(() => server.kill());
        const [, probe] = /soak probe at (\S+)/.exec(server.output()) ?? [];
        if (probe === undefined) throw new Error(`no probe:\n${server.output()}`);
        world.#processes.push({ name, server, probe });
      }
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  get urls(): string[] {
    return this.#processes.map(({ server }) => server.url);
  }

  /** What the processes logged, of level warn and above. */
  get complaints(): string[] {
    return this.#processes.flatMap(({ server }) =>
      server
        .output()
        .split('\n')
        .filter((line) => line.includes('"level":') || line.includes('Error')),
    );
  }

  async read(): Promise<Figures> {
    const [database, redis, ...processes] = await Promise.all([
      this.#readDatabase(),
      this.#readRedis(),
      ...this.#processes.map(readProcess),
    ]);
    return Object.assign({}, ...processes, database, redis);
  }

  /** The heap of B by class. The process stands still for some seconds. */
  async heap(): Promise<Map<string, HeapClass>> {
    const snapshot = await fetch(`${this.#processes[1]!.probe}/heap`);
    return heapClasses(await snapshot.text());
  }

  /** Rows by table, and Redis' keys by what they begin with, as they are. */
  async rows(): Promise<Figures> {
    const { rows } = await this.db.query(
      `select schemaname || '.' || relname as name, schemaname, relname from pg_stat_user_tables`,
    );
    const counted: Figures = {};
    for (const { name, schemaname, relname } of rows) {
      const count = await this.db.query(`select count(*)::int as n from "${schemaname}"."${relname}"`);
      counted[name] = count.rows[0].n;
    }
    for (const key of await this.#redis.keys('*')) {
      const forGood = (await this.#redis.ttl(key)) === NO_EXPIRY ? ', for good' : '';
      const name = `Redis: ${key.replace(/[^:]*$/, '…')}${forGood}`;
      counted[name] = (counted[name] ?? 0) + 1;
    }
    return counted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closing.disposeAsync();
  }

  async #readDatabase(): Promise<Figures> {
    const { rows } = await this.db.query(`
      select
        (select count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())
          as "PostgreSQL: connections",
        (select count(*)::int from pg_stat_activity where datname = current_database() and state like 'idle in%')
          as "PostgreSQL: idle in transaction",
        (select coalesce(max(age(backend_xmin)), 0)::int from pg_stat_activity where pid <> pg_backend_pid())
          as "PostgreSQL: oldest snapshot, transactions",
        (select count(*)::int from pg_locks where locktype = 'advisory') as "PostgreSQL: advisory locks",
        (select sum(n_dead_tup)::int from pg_stat_user_tables) as "PostgreSQL: dead rows",
        (select sum(n_live_tup)::int from pg_stat_user_tables) as "PostgreSQL: rows",
        (select (pg_database_size(current_database()) / 1024)::int) as "PostgreSQL: database, KiB",
        (select (sum(size) / 1024)::int from pg_ls_waldir()) as "PostgreSQL: WAL kept, KiB",
        (select count(*)::int from pg_replication_slots) as "PostgreSQL: replication slots",
        (select count(*)::int from jobs.job) as "pg-boss: jobs",
        (select count(*)::int from jobs.job where state < 'completed') as "pg-boss: jobs to be done"`);
    return rows[0];
  }

  async #readRedis(): Promise<Figures> {
    const info = await this.#redis.info();
    const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
    const [, keys = 0, expiring = 0] = (/keys=(\d+),expires=(\d+)/.exec(info) ?? []).map(Number);
    const channels = (await this.#redis.pubsub('CHANNELS')) as string[];
    return {
      'Redis: keys': keys,
      'Redis: keys for good': keys - expiring,
      'Redis: clients': figure('connected_clients'),
      'Redis: channels': channels.length,
      'Redis: memory, KiB': Math.round(figure('used_memory') / BYTES_A_KIB),
    };
  }
}

async function readProcess({ name, server, probe }: Soaked): Promise<Figures> {
  const reading = (await fetch(`${probe}/reading`).then((answer) => answer.json())) as Reading;
  const { pid } = server;
  const mib = (bytes: number) => bytes / BYTES_A_KIB / KIB_A_MIB;
  const figures: Figures = {
    'RSS, MiB': (await rssKib(pid)) / KIB_A_MIB,
    'heap, MiB': mib(reading.heapUsed),
    'heap, resident, MiB': mib(reading.heapResident),
    'external, MiB': mib(reading.external),
    'array buffers, MiB': mib(reading.arrayBuffers),
    ...(await readFiles(pid)),
    routers: 0,
    transports: 0,
    producers: 0,
    consumers: 0,
    'media workers, RSS, MiB': 0,
  };
  for (const worker of reading.workers) {
    for (const what of ['routers', 'transports', 'producers', 'consumers'] as const)
      figures[what]! += worker[what];
    figures['media workers, RSS, MiB']! += (await rssKib(worker.pid)) / KIB_A_MIB;
    figures['media workers, files'] =
      (figures['media workers, files'] ?? 0) + (await readFiles(worker.pid)).files!;
  }
  for (const [kind, count] of Object.entries(reading.resources)) figures[`active ${kind}`] = count;
  return Object.fromEntries(Object.entries(figures).map(([what, value]) => [`${name}: ${what}`, value]));
}

/** Linux only, as what follows. */
async function rssKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
}

async function readFiles(pid: number): Promise<Figures> {
  const names = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  const open = links.filter((link) => link !== '');
  return { files: open.length, sockets: open.filter((link) => link.startsWith('socket:')).length };
}
