/** The folder of an embedded PostgreSQL: the cluster with its password, and its log. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
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
import { processInfo } from './processInfo.ts';

const LOG_KEPT_BYTES = 5_000_000;
const PASSWORD = 'duet-password';
/** What a start makes before it takes its place, with the number of its process. `new` is how it was named once. */
const UNFINISHED = /^cluster\.(\d+|new)(\.password)?$/;

export class PostgresFolder {
  readonly path: string;
  /** PostgreSQL's own data directory. */
  readonly cluster: string;
  /** Whom the server runs as; null for the user of this process. */
  readonly user: UnixUser | null;
  readonly logFile: string;

  /** Makes the folder where there is none, closed to everybody but the server's user. */
  constructor(path: string) {
    this.path = resolve(path);
    this.cluster = join(this.path, 'cluster');
    this.logFile = join(this.path, 'postgres.log');
    this.user = postgresUser(this.path);
    mkdirSync(this.path, { recursive: true });
    chmodSync(this.path, 0o700);
    if (this.user) chownSync(this.path, this.user.uid, this.user.gid);
  }

  get isInitialised(): boolean {
    return existsSync(this.cluster);
  }

  get password(): string {
    const within = join(this.cluster, PASSWORD);
    // Folders of earlier versions have it beside the cluster.
    return readFileSync(existsSync(within) ? within : join(this.path, 'password'), 'utf8').trim();
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
   * killed half-way is started over, and of two processes that start at the same moment one's is everybody's.
   */
  async initialise(user: string): Promise<void> {
    this.#clearUnfinished();
    const unfinished = `${this.cluster}.${process.pid}`;
    const passwordFile = `${unfinished}.password`;
    this.#write(passwordFile, randomBytes(24).toString('base64url'));
    try {
      await this.#initdb(unfinished, user, passwordFile);
      renameSync(passwordFile, join(unfinished, PASSWORD));
      renameSync(unfinished, this.cluster);
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      this.#clearUnfinished();
    }
  }

  async #initdb(cluster: string, user: string, passwordFile: string): Promise<void> {
    const { initdb } = await postgresBinaries();
    const { prefix, options } = startingAs(this.user, [initdb, cluster]);
    const [file, ...args] = [
      ...prefix,
      initdb,
      `--pgdata=${cluster}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // PostgreSQL's own UTF-8 rules: they depend on no locale of the machine.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ];
    try {
      await promisify(execFile)(file!, args, { ...options, cwd: '/', env: POSTGRES_ENVIRONMENT });
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim() ?? '';
      if (/could not look up effective user/.test(said))
        throw new Error('PostgreSQL needs a user that /etc/passwd knows: run Duet as one, or set DB_URL');
      throw new Error(`initdb failed: ${said || (error as Error).message}`);
    }
  }

  /** Of this process, and of those that are gone. */
  #clearUnfinished(): void {
    for (const name of readdirSync(this.path)) {
      const pid = Number(UNFINISHED.exec(name)?.[1]);
      if (!UNFINISHED.test(name) || (pid !== process.pid && processInfo(pid))) continue;
      rmSync(join(this.path, name), { recursive: true, force: true, maxRetries: 5 });
    }
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
