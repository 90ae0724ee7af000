import { type ChildProcess, fork } from 'node:child_process';
import { constants, getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DuetError } from '../errors.ts';
import type { HashingAnswer, HashingRequest } from './hashing.ts';

const PROGRAM = fileURLToPath(new URL('./hashing.ts', import.meta.url));

/**
 * How long nothing at all may come back while somebody waits. A hash takes a fiftieth of a second, or some on a machine
 * that is busy with more important things. The program's own start takes half a second of a core, of which it gets a
 * fiftieth where a dozen others want it.
 */
const SILENT_MS = 10_000;
const START_MS = 60_000;

type Work = HashingRequest extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never;

/**
 * Computes argon2id in a process of its own, at a low priority. In the server's own thread pool a storm of
 * logins competes with signing, file access and the event loop for the same cores; measured on two cores it more than
 * doubled other people's p95. Here it gets what the others leave.
 *
 * A process that dies (also by a terminal's Ctrl-C, while the server still drains) takes the hashes in flight with it
 * (UNAVAILABLE: nothing was decided); the next one starts another. One that stands still is killed. Not bounded here:
 * `Passwords` admits.
 */
export class HashingProcess {
  readonly #concurrency: number;
  readonly #pending = new Map<number, PromiseWithResolvers<string | boolean>>();
  #child: ChildProcess | undefined;
  /** Whether this one has answered at all. */
  #hasStarted = false;
  /** Runs while somebody waits, anew with each answer. */
  #silence: NodeJS.Timeout | undefined;
  #lastId = 0;

  /** `concurrency`: hashes computed at a time, at least 1. */
  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** Of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The PHC string of a password, with today's parameters. */
  async hash(password: string): Promise<string> {
    return (await this.#ask({ kind: 'hash', password })) as string;
  }

  /** Whether the password is the one of the PHC string. */
  async verify(stored: string, password: string): Promise<boolean> {
    return (await this.#ask({ kind: 'verify', stored, password })) as boolean;
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#child?.kill('SIGKILL');
  }

  #ask(work: Work): Promise<string | boolean> {
    // First of all: where none can be started, nobody is left waiting.
    this.#child ??= this.#start();
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<string | boolean>();
    this.#pending.set(id, answer);
    if (this.#pending.size === 1) this.#listen();
    this.#child.send({ id, ...work }, (error) => {
      if (error) this.#settle({ id });
    });
    return answer.promise;
  }

  #start(): ChildProcess {
    this.#hasStarted = false;
    const child = fork(PROGRAM, {
      execArgv: [],
      env: { UV_THREADPOOL_SIZE: String(this.#concurrency) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    // Not `detached`: Linux weighs priorities within a session only (sched_autogroup), another one has its full share.
    if (child.pid !== undefined) lowerPriority(child.pid);
    // It does not keep the server alive; whoever waits for a hash holds a socket that does.
    child.unref();
    child.channel?.unref();
    child.on('message', (answer: HashingAnswer) => {
      this.#hasStarted = true;
      this.#settle(answer);
    });
    child.on('error', () => this.#ended(child));
    child.on('exit', () => this.#ended(child));
    return child;
  }

  #listen(): void {
    clearTimeout(this.#silence);
    if (this.#pending.size === 0) return;
    // Its end gives up what waits for it.
    const silentMs = this.#hasStarted ? SILENT_MS : START_MS;
    this.#silence = setTimeout(() => this.#child?.kill('SIGKILL'), silentMs).unref();
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const id of [...this.#pending.keys()]) this.#settle({ id });
  }

  #settle({ id, result }: HashingAnswer): void {
    const answer = this.#pending.get(id);
    this.#pending.delete(id);
    this.#listen();
    if (result === undefined) answer?.reject(new DuetError('UNAVAILABLE', { retryAfterSec: 2 }));
    else answer?.resolve(result);
  }
}

/** Never above this process, which may have been started below others itself: raising a priority takes a privilege. */
function lowerPriority(pid: number): void {
  try {
    setPriority(pid, Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
  } catch {
    // Forbidden here, or the process is gone already: it hashes as well at any other priority.
  }
}
