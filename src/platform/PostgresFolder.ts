/** The folder of an embedded PostgreSQL: the cluster, its password, its log, and who started its server. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { POSTGRES_ENVIRONMENT, postgresBinaries } from './postgresBinaries.ts';
import { postgresUser, startingAs, type UnixUser } from './postgresUser.ts';

const LOG_KEPT_BYTES = 5_000_000;

export class PostgresFolder {
  readonly path: string;
  /** PostgreSQL's own data directory. */
  readonly cluster: string;
  /** Whom the server runs as; null for the user of this process. */
  readonly user: UnixUser | null;
  readonly logFile: string;
  readonly #passwordFile: string;
  readonly #ownerFile: string;

  /** Makes the folder where there is none, closed to everybody but the server's user. */
  constructor(path: string) {
    this.path = resolve(path);
    this.cluster = join(this.path, 'cluster');
    this.logFile = join(this.path, 'postgres.log');
    this.#passwordFile = join(this.path, 'password');
    this.#ownerFile = join(this.path, 'owner');
    this.user = postgresUser(this.path);
    mkdirSync(this.path, { recursive: true });
    chmodSync(this.path, 0o700);
    if (this.user) chownSync(this.path, this.user.uid, this.user.gid);
  }

  get isInitialised(): boolean {
    return existsSync(this.cluster);
  }

  get password(): string {
    return readFileSync(this.#passwordFile, 'utf8').trim();
  }

  /** The process that started the server, or would have to close it; null if it was closed. */
  get ownerPid(): number | null {
    return Number(readLines(this.#ownerFile)[0]) || null;
  }

  set ownerPid(pid: number | null) {
    if (pid === null) rmSync(this.#ownerFile, { force: true });
    else this.#write(this.#ownerFile, `${pid}\n`);
  }

  /** What the server writes about itself while it runs; null if it does not, or was killed with its pid file gone. */
  get server(): { pid: number; isReady: boolean } | null {
    const lines = readLines(join(this.cluster, 'postmaster.pid'));
    const pid = Number(lines[0]);
    return pid > 0 ? { pid, isReady: lines[7]?.trim() === 'ready' } : null;
  }

  /** For a server that is known to be gone. */
  forgetServer(): void {
    rmSync(join(this.cluster, 'postmaster.pid'), { force: true });
  }

  /**
   * Makes the cluster, with a superuser `user` and a random password. It gets its place when it is complete: what was
   * killed half-way is started over.
   */
  async initialise(user: string): Promise<void> {
    const unfinished = `${this.cluster}.new`;
    rmSync(unfinished, { recursive: true, force: true });
    this.#write(this.#passwordFile, randomBytes(24).toString('base64url'));

    const { initdb } = await postgresBinaries();
    const { prefix, options } = startingAs(this.user, [initdb, unfinished]);
    const [file, ...args] = [
      ...prefix,
      initdb,
      `--pgdata=${unfinished}`,
      `--username=${user}`,
      `--pwfile=${this.#passwordFile}`,
      '--auth=scram-sha-256',
      // PostgreSQL's own UTF-8 rules: they depend on no locale of the machine.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ];
    await promisify(execFile)(file!, args, { ...options, cwd: '/', env: POSTGRES_ENVIRONMENT });
    renameSync(unfinished, this.cluster);
  }

  /** A file descriptor to append to, and how long the log is before that. */
  openLog(): { output: number; sizeBytes: number } {
    const sizeBytes = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    return sizeBytes > LOG_KEPT_BYTES
      ? { output: openSync(this.logFile, 'w', 0o600), sizeBytes: 0 }
      : { output: openSync(this.logFile, 'a', 0o600), sizeBytes };
  }

  /** What was logged after the first `sizeBytes`, its end if that is long. */
  logSince(sizeBytes: number): string {
    return readFileSync(this.logFile).subarray(sizeBytes).toString('utf8').trim().slice(-2000);
  }

  #write(path: string, text: string): void {
    writeFileSync(path, text, { mode: 0o600 });
    if (this.user) chownSync(path, this.user.uid, this.user.gid);
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
