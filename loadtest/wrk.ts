/**
 * `wrk` as the load of the HTTP benchmarks: a generator written in Node costs as much as the server that it measures.
 * Where `taskset` exists and there are two cores, the measured server has one and wrk the other; everything else, such
 * as PostgreSQL, is left where it is.
 */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Served {
  perSecond: number;
  /** Of the server's process, user and system, for one request. */
  cpuUs: number;
  p50Ms: number;
  p99Ms: number;
}

export interface Load {
  seconds: number;
  connections: number;
  /** A file of this folder; it must `dofile` report.lua. */
  script: string;
  args: string[];
}

const isPinned = availableParallelism() >= 2 && existsSync('/usr/bin/taskset');

/** A server in a process of its own: `program` calls `answerAsServer`. */
export class MeasuredServer {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** `program`: a file of this folder. */
  static async start(program: string, args: string[]): Promise<MeasuredServer> {
    const child = fork(join(import.meta.dirname, program), args);
    const port = await heard(child);
    if (isPinned) await promisify(execFile)('taskset', ['-a', '-p', '-c', '0', String(child.pid)]);
    return new MeasuredServer(child, port);
  }

  /** Throws when an answer was not 2xx or a connection broke. */
  async measure(load: Load): Promise<Served> {
    const before = await this.#cpuUs();
    const { requests, elapsedUs, p50Us, p99Us } = await runWrk(this.#port, load);
    const cpuUs = (await this.#cpuUs()) - before;
    return {
      perSecond: requests / (elapsedUs / 1e6),
      cpuUs: cpuUs / requests,
      p50Ms: p50Us / 1_000,
      p99Ms: p99Us / 1_000,
    };
  }

  close(): void {
    this.#child.kill();
  }

  async #cpuUs(): Promise<number> {
    this.#child.send('cpu');
    return heard(this.#child);
  }
}

/** In the server's process: tells the port, then its processor time whenever it is asked; ends with its parent. */
export function answerAsServer(port: number): void {
  process.send!(port);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  });
  process.on('disconnect', () => process.exit());
}

function heard(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(Number(answer)));
    child.once('exit', () => reject(new Error('The server ended')));
  });
}

async function runWrk(port: number, { seconds, connections, script, args }: Load) {
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', join(import.meta.dirname, script)];
  const command = [...(isPinned ? ['taskset', '-c', '1'] : []), ...wrk, `http://127.0.0.1:${port}`, ...args];
  const { stdout } = await promisify(execFile)(command[0]!, command.slice(1), {
    env: { ...process.env, LUA_PATH: `${import.meta.dirname}/?.lua` },
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error('This benchmark needs wrk: apt-get install wrk');
    throw error;
  });
  const figures = (/RESULT (.+)/.exec(stdout)?.[1] ?? '').split(' ').map(Number);
  const [requests, elapsedUs, p50Us, p99Us, refused, broken] = figures as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (!(requests > 0) || refused > 0 || broken > 0) throw new Error(`wrk was not served well:\n${stdout}`);
  return { requests, elapsedUs, p50Us, p99Us };
}
