/** The program as a process of its own, with the limits off: on DB_URL, or on an embedded PostgreSQL that goes with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/freePort.ts';

export interface OwnServer {
  url: string;
  close(): Promise<void>;
}

export async function startOwnServer(): Promise<OwnServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'duet-timing-'));
  const port = await freePort();
  const limits = ['LOGIN', 'ANONYMOUS', 'BROWSE', 'DECIDE', 'WRITE', 'UPLOAD', 'SAFETY'].map((name) => [
    `LIMIT_${name}`,
    '10000000',
  ]);
  const child: ChildProcess = spawn(process.execPath, [resolve(import.meta.dirname, '../src/main.ts')], {
    env: {
      ...process.env,
      ...Object.fromEntries(limits),
      NODE_ENV: 'test',
      PORT: `${port}`,
      DATA_DIR: dataDir,
      DATA_KEY: 'a-data-key-of-load-tests-0123456789abcdef-0123456789',
      MEDIA_WORKERS: '1',
      LOG_LEVEL: 'warn',
      SEED_DEMO: 'false',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/health/liveness`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error('The server did not start');
    await sleep(200);
  }
  return {
    url,
    close: async () => {
      child.kill('SIGINT');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
