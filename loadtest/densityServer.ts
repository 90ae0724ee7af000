/** A server to measure, in a process of its own: Duet with its database, or uWebSockets.js with nothing on top. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { AccessTokens } from '../src/accounts/AccessTokens.ts';
import { SystemClock } from '../src/clock.ts';
import { newId } from '../src/ids.ts';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';

const ROOT = resolve(import.meta.dirname, '..');
const SECRET = 'a-secret-of-this-measurement-0123456789abcdef';
const MANY = '10000000';
const MS_A_TICK = 10;
const NS_A_MS = 1_000_000;
const LIMITS = [
  'ANONYMOUS',
  'BROWSE',
  'DECIDE',
  'WRITE',
  'MESSAGES',
  'SOCKETS_PER_USER',
  'SOCKETS_PER_ADDRESS',
];

/** Bytes after a collection of garbage. */
export interface Usage {
  rss: number;
  heapUsed: number;
  external: number;
  arrayBuffers: number;
}

export interface TestPerson {
  id: string;
  token: string;
}

/** A child that can be asked what it uses. */
export class MeasuredServer {
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #lines: () => string;

  private constructor(url: string, child: ChildProcess, lines: () => string) {
    this.url = url;
    this.port = Number(new URL(url).port);
    this.#child = child;
    this.#lines = lines;
  }

  /** Runs `script`, which prints its address, and resolves when it has; `preloaded` are imported before it. */
  static async start(
    script: string,
    environment: Record<string, string> = {},
    preloaded: readonly string[] = [],
  ): Promise<MeasuredServer> {
    const imports = ['./loadtest/densityGc.ts', ...preloaded].flatMap((path) => ['--import', path]);
    const flags = ['--expose-gc', ...imports];
    const child = spawn(process.execPath, [...flags, script], {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const url = await new Promise<string>((done, fail) => {
      child.once('exit', (code) => fail(new Error(`the server ended with ${code}:\n${output}`)));
      child.stdout!.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? [];
        if (address !== undefined) done(address);
      });
    });
    return new MeasuredServer(url, child, () => output);
  }

  async usage(): Promise<Usage> {
    const count = () => this.#lines().split('{"measured":').length;
    const before = count();
    this.#child.kill('SIGUSR2');
    while (count() === before || !this.#lines().endsWith('\n')) await pause(20);
    const line = this.#lines().trimEnd().split('\n').at(-1)!;
    return JSON.parse(line).measured;
  }

  /**
   * Processor time used since the start, milliseconds, to the nanosecond: of its threads, by the scheduler's own count.
   * Asking costs it nothing. Linux only.
   */
  async cpuMs(): Promise<number> {
    const tasks = `/proc/${this.#child.pid}/task`;
    const stats = await Promise.all(
      (await readdir(tasks)).map((thread) => readFile(`${tasks}/${thread}/schedstat`, 'utf8')),
    );
    return stats.reduce((sum, stat) => sum + Number(stat.split(' ')[0]) / NS_A_MS, 0);
  }

  async close(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** Duet on a PostgreSQL of its own, with limits that no measurement runs into. */
export class MeasuredDuet implements AsyncDisposable {
  readonly server: MeasuredServer;
  readonly dbUrl: string;
  readonly #postgresDir: string;
  readonly #closing: AsyncDisposableStack;

  private constructor(
    server: MeasuredServer,
    dbUrl: string,
    postgresDir: string,
    closing: AsyncDisposableStack,
  ) {
    this.server = server;
    this.dbUrl = dbUrl;
    this.#postgresDir = postgresDir;
    this.#closing = closing;
  }

  static async start(
    environment: Record<string, string> = {},
    preloaded: readonly string[] = [],
  ): Promise<MeasuredDuet> {
    await using closing = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'duet-measured-'));
    closing.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    const postgresDir = join(dir, 'postgres');
    const postgres = await startEmbeddedPostgres({ dataDir: postgresDir, log: createLog('silent') });
    closing.defer(() => postgres.close());
    const settings = {
      NODE_ENV: 'test',
      NODE_COMPILE_CACHE: join(dir, 'compiled'),
      LOG_LEVEL: 'silent',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: join(dir, 'data'),
      DB_URL: postgres.url,
      JWT_SECRET: SECRET,
      DATA_KEY: SECRET,
      MEDIA_WORKERS: '1',
      CALL_RING_SEC: '3600',
      LIKES_PER_DAY_REGULAR: MANY,
      ...Object.fromEntries(LIMITS.map((name) => [`LIMIT_${name}`, MANY])),
      ...environment,
    };
    const server = await MeasuredServer.start('src/main.ts', settings, preloaded);
    closing.defer(() => server.close());
    return new MeasuredDuet(server, postgres.url, postgresDir, closing.move());
  }

  /** Processor time that the database has used since its start, milliseconds. Linux only; 0 elsewhere. */
  async postgresCpuMs(): Promise<number> {
    const pidFile = await readFile(join(this.#postgresDir, 'cluster/postmaster.pid'), 'utf8');
    const postmaster = pidFile.split('\n')[0]!;
    const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
    const ticks = await Promise.all(pids.map((pid) => ticksOf(pid, postmaster)));
    return ticks.reduce((sum, some) => sum + some, 0) * MS_A_TICK;
  }

  /** Verified people with access tokens. */
  async people(count: number): Promise<TestPerson[]> {
    const ids = Array.from({ length: count }, () => newId());
    await this.sql(
      `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
       select id, id || '@example.org', id || '@example.org', now(), '', 'Somebody', '1990-01-01', 'woman'
       from unnest($1::uuid[]) as given (id)`,
      [ids],
    );
    const tokens = new AccessTokens({ clock: new SystemClock(), secrets: { current: SECRET } });
    return Promise.all(
      ids.map(async (id) => ({
        id,
        token: (await tokens.sign({ userId: id, sessionId: newId(), role: 'user' })).token,
      })),
    );
  }

  async sql(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
    const client = new pg.Client(this.dbUrl);
    await client.connect();
    try {
      return await client.query(text, values);
    } finally {
      await client.end();
    }
  }

  /** A request below /api/v1; throws for whatever is no success. */
  // biome-ignore lint/suspicious/noExplicitAny: read field by field
  async post(person: TestPerson, path: string, body?: object): Promise<any> {
    const response = await fetch(`${this.server.url}/api/v1${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${person.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closing.disposeAsync();
  }
}

/** Clock ticks of a process of this postmaster's, or of the postmaster and those of its children that have ended. */
async function ticksOf(pid: string, postmaster: string): Promise<number> {
  const [parent, user, system, endedUser, endedSystem] = await timesOf(pid);
  if (parent === postmaster) return user + system;
  return pid === postmaster ? user + system + endedUser + endedSystem : 0;
}

/** The parent of a process and its clock ticks: its own, user and system, and those of its children that have ended (proc(5)). */
async function timesOf(pid: string): Promise<[string, number, number, number, number]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // What comes after the name, which may hold anything: state, parent, … and from the twelfth on the times.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15).map(Number);
  return [fields[1] ?? '', user, system, endedUser, endedSystem];
}

/** Runs `work` for all items, so many at once. */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
