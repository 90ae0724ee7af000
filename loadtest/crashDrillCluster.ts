/**
 * What the crash drill runs against: a PostgreSQL and a Redis of its own, and two processes of Duet that it kills. A
 * third is always being started, to take the place of the next that is killed: starting takes several seconds, in
 * which a drill could learn nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createLog } from '../src/log.ts';
import { startEmbeddedPostgres } from '../src/platform/EmbeddedPostgres.ts';
import { freePort } from '../test/support/freePort.ts';

/** Shared by all processes; the drill signs its people's tokens with it. */
export const SECRET = 'a-secret-of-the-crash-drill-0123456789abcdef';
/** Short, so that many deadlines fall due within the drill. Milliseconds. */
export const DURATIONS = {
  ringMs: 8_000,
  durationMs: 9_000,
  extensionMs: 5_000,
  reconnectMs: 40_000,
} as const;

const ROOT = resolve(import.meta.dirname, '..');
const START_MS = 120_000;
const UNLIMITED = '10000000';

interface DuetProcess {
  url: string;
  child: ChildProcess;
}

export class Cluster {
  readonly dbUrl: string;
  readonly #redisUrl: string;
  readonly #dir: string;
  readonly #closing: AsyncDisposableStack;
  readonly #live: DuetProcess[] = [];
  readonly #children = new Set<ChildProcess>();
  #spare: Promise<DuetProcess> | undefined;
  #started = 0;
  /** What processes wrote to standard error, and log lines of level error. */
  readonly complaints: string[] = [];

  private constructor(dbUrl: string, redisUrl: string, dir: string, closing: AsyncDisposableStack) {
    this.dbUrl = dbUrl;
    this.#redisUrl = redisUrl;
    this.#dir = dir;
    this.#closing = closing;
  }

  static async start(): Promise<Cluster> {
    await using closing = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), 'duet-drill-'));
    closing.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    // Durable as in production: what is acknowledged is in the write-ahead log.
    const postgres = await startEmbeddedPostgres({
      dataDir: join(dir, 'postgres'),
      log: createLog('silent'),
      settings: { max_connections: 200 },
    });
    closing.defer(() => postgres.close());
    const redisPort = await freePort();
    const redis = spawn('redis-server', ['--port', `${redisPort}`, '--bind', '127.0.0.1', '--save', ''], {
      stdio: 'ignore',
      // Ctrl-C is for the drill alone.
      detached: true,
    });
    closing.defer(() => end(redis));
    const cluster = new Cluster(postgres.url, `redis://127.0.0.1:${redisPort}`, dir, closing.move());
    for (let i = 0; i < 2; i++) cluster.#live.push(await cluster.#spawn());
    cluster.#startSpare();
    return cluster;
  }

  /** The addresses of the processes that live, as a load balancer finds out at once. */
  get urls(): string[] {
    return this.#live.filter(({ child }) => child.signalCode === null).map(({ url }) => url);
  }

  /** Kills one of the two at random and resolves when another serves in its place. */
  async killOne(): Promise<void> {
    const place = Math.random() < 0.5 ? 0 : 1;
    await end(this.#live[place]!.child);
    const spare = this.#spare ?? this.#spawn();
    this.#live[place] = await spare;
    this.#startSpare();
  }

  async close(): Promise<void> {
    // One that is being started may end like that.
    this.#spare?.catch(() => {});
    await Promise.all([...this.#children].map(end));
    await this.#closing.disposeAsync();
  }

  #startSpare(): void {
    this.#spare = this.#spawn();
    // Whoever takes it hears of a failure.
    this.#spare.catch(() => {});
  }

  async #spawn(): Promise<DuetProcess> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, ['--import', './loadtest/crashDrillMedia.ts', 'src/main.ts'], {
      cwd: ROOT,
      env: { ...process.env, ...this.#environment(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    await new Promise<void>((done, fail) => {
      const late = setTimeout(() => fail(new Error(`no start within ${START_MS} ms`)), START_MS);
      child.once('exit', () =>
        fail(new Error(`a process ended by itself:\n${this.complaints.slice(-5).join('')}`)),
      );
      child.stderr!.on('data', (chunk: Buffer) => this.complaints.push(chunk.toString()));
      child.stdout!.on('data', (chunk: Buffer) => {
        const text = chunk.toString();
        this.complaints.push(...text.split('\n').filter((line) => line.includes('"level":50')));
        if (text.includes('Duet is at')) {
          clearTimeout(late);
          done();
        }
      });
    });
    return { url, child };
  }

  #environment(port: number): Record<string, string> {
    const limits = [
      'LOGIN',
      'ANONYMOUS',
      'BROWSE',
      'DECIDE',
      'WRITE',
      'SAFETY',
      'MESSAGES',
      'SOCKETS_PER_ADDRESS',
      'UNANSWERED_CALLS',
    ];
    return {
      NODE_ENV: 'test',
      NODE_COMPILE_CACHE: join(this.#dir, 'compiled'),
      LOG_LEVEL: 'info',
      HOST: '127.0.0.1',
      PORT: `${port}`,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      DATA_DIR: join(this.#dir, `process-${++this.#started}`),
      DB_URL: this.dbUrl,
      REDIS_URL: this.#redisUrl,
      JWT_SECRET: SECRET,
      DATA_KEY: SECRET,
      MEDIA_WORKERS: '1',
      CALL_RING_SEC: `${DURATIONS.ringMs / 1000}`,
      CALL_DURATION_SEC: `${DURATIONS.durationMs / 1000}`,
      CALL_EXTENSION_SEC: `${DURATIONS.extensionMs / 1000}`,
      CALL_RECONNECT_SEC: `${DURATIONS.reconnectMs / 1000}`,
      CALL_WARNING_SEC: '3',
      CALL_REQUEST_SEC: '4',
      LIKES_PER_DAY_REGULAR: UNLIMITED,
      ...Object.fromEntries(limits.map((name) => [`LIMIT_${name}`, UNLIMITED])),
    };
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
