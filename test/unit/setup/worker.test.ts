import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const SETUP = resolve(import.meta.dirname, '../../../deploy/setup');
const folder = mkdtempSync(join(tmpdir(), 'duet-setup-'));
const cache = join(folder, 'cache');

afterAll(() => rmSync(folder, { recursive: true }));

/** What the worker does when it is started by hand. */
const WORKER = '#!/bin/sh\nexit 41\n';

test('a downloaded worker is tried in the cache: where temporary files are, nothing may be executable', async () => {
  writeFileSync(join(folder, 'mediasoup-worker'), WORKER, { mode: 0o755 });
  execFileSync('tar', ['-czf', join(folder, 'worker.tgz'), '-C', folder, 'mediasoup-worker']);
  const mirror = createServer((_, response) => response.end(readFileSync(join(folder, 'worker.tgz'))));
  await once(mirror.listen(0, '127.0.0.1'), 'listening');
  const left = join(cache, 'unfinished-killed');
  mkdirSync(left, { recursive: true });
  utimesSync(left, 1, 1);

  const program = `
    const { prepareWorker } = await import(${JSON.stringify(join(SETUP, 'worker.mjs'))});
    console.log(await prepareWorker(() => {}));
  `;
  const { MEDIASOUP_WORKER_BIN: _, ...environment } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    env: {
      ...environment,
      DUET_CACHE: cache,
      TMPDIR: join(folder, 'nowhere'),
      MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`,
    },
  });
  mirror.close();
  const path = stdout.trim();
  expect(readFileSync(path, 'utf8')).toBe(WORKER);
  expect(readdirSync(cache).map((name) => join(cache, name))).toEqual([path]);
});
