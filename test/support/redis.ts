import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll } from 'vitest';
import { freePort } from './freePort.ts';

/** A redis-server of one's own, which a test may stop and start again on the same port. */
export class TestRedis {
  #child: ChildProcess | undefined;
  port = 0;

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.port ||= await freePort();
    const child = spawn(
      'redis-server',
      ['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const failed = once(child, 'error').then(([error]) => {
      throw new Error('These tests need redis-server: "npm test" installs it where it may', { cause: error });
    });
    let output = '';
    const ready = (async () => {
      for await (const chunk of child.stdout!) {
        output += chunk;
        if (output.includes('Ready to accept connections')) return;
      }
      throw new Error(`redis-server ended: ${output}`);
    })();
    await Promise.race([ready, failed]);
    child.stdout!.resume();
    this.#child = child;
  }

  /** It stands still, with its connections open, until `resume`. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** A running Redis for the file that calls this. */
export function useRedis(): TestRedis {
  const redis = new TestRedis();
  beforeAll(() => redis.start());
  afterAll(() => redis.stop());
  return redis;
}
