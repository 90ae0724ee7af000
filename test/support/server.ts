import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TEST_ENVIRONMENT } from './app.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** The program as its user starts it: a process of its own. */
export interface TestServer {
  url: string;
  /** The `DB_URL` it was given. Throws for a server that runs a database of its own. */
  readonly dbUrl: string;
  pid: number;
  /** Ends it as Ctrl-C would; resolves with its exit code. */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<number | null>;
  kill(): Promise<void>;
  /** Its exit code, once it has ended; null when it was a signal. */
  readonly exited: Promise<number | null>;
  /** Everything it printed. */
  output(): string;
  /** Nobody reads what it prints from now on. */
  closeOutput(): void;
}

/** Starts `node src/main.ts` with an environment; resolves when it says where it is. */
export async function startServer(environment: Record<string, string> = {}): Promise<TestServer> {
  const dataDir = environment.DATA_DIR ?? (await mkdtemp(join(tmpdir(), 'duet-server-')));
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, ...TEST_ENVIRONMENT, LOG_LEVEL: 'info', DATA_DIR: dataDir, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  const collect = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const url = await waitForUrl(child, () => output);
  const cleanUp = async () => {
    if (environment.DATA_DIR === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  return {
    url,
    get dbUrl() {
      if (environment.DB_URL === undefined) throw new Error('this server runs a database of its own');
      return environment.DB_URL;
    },
    pid: child.pid!,
    exited,
    output: () => output,
    closeOutput() {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    async stop(signal = 'SIGINT') {
      child.kill(signal);
      const code = await exited;
      await cleanUp();
      return code;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
      await cleanUp();
    },
  };
}

async function waitForUrl(child: ChildProcess, output: () => string): Promise<string> {
  for (let tries = 0; tries < 1_200; tries++) {
    const url = /Duet is at (http:\S+)/.exec(output())?.[1];
    if (url !== undefined) return url;
    if (child.exitCode !== null) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not start:\n${output()}`);
}
