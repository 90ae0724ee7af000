import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** A program of this folder in C, compiled when it is needed, that reads and writes lines. Linux, with a C compiler (`cc`). */
export class CProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #dir: string;

  private constructor(child: ChildProcess, dir: string) {
    this.#child = child;
    this.#dir = dir;
  }

  /** `take` is given each line that it writes, in words. Rejects with what the compiler says. */
  static async start(
    source: string,
    take: (words: string[]) => void,
    libraries: readonly string[] = [],
  ): Promise<CProgram> {
    const dir = await mkdtemp(join(tmpdir(), 'duet-c-'));
    const program = join(dir, 'program');
    const linked = libraries.map((library) => `-l${library}`);
    await promisify(execFile)('cc', ['-O2', '-o', program, join(import.meta.dirname, source), ...linked]);
    const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => take(line.split(' ')));
    return new CProgram(child, dir);
  }

  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
