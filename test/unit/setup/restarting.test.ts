import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SETUP = resolve(import.meta.dirname, '../../../deploy/setup');

/** A checkout whose server only says its number, in a folder whose name is not to be read as part of a URL. */
let checkout = '';
let program = '';
let page = '';
let started: ChildProcess | undefined;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'duet%20dev-'));
  for (const folder of ['src', 'rooms', 'entities', 'web/dist'])
    mkdirSync(join(checkout, folder), { recursive: true });
  cpSync(SETUP, join(checkout, 'deploy', 'setup'), { recursive: true });
  program = join(checkout, 'src', 'main.mjs');
  page = join(checkout, 'web', 'dist', 'index.html');
  writeFileSync(program, 'console.log("up", process.pid); setInterval(() => {}, 1000);');
  writeFileSync(page, 'before');
});

afterEach(() => {
  started?.kill('SIGKILL');
  rmSync(checkout, { recursive: true });
});

function start() {
  const child = spawn(process.execPath, [join(checkout, 'deploy/setup/restarting.mjs'), program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started = child;
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const servers = () => [...output.matchAll(/^up (\d+)$/gm)].map(([, pid]) => Number(pid));
  const running = (count: number) => expect.poll(() => servers().length, { timeout: 10_000 }).toBe(count);
  const gone = () =>
    expect.poll(() => servers().filter((pid) => isAlive(pid)), { timeout: 10_000 }).toEqual([]);
  return { child, servers, running, gone };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('starts the server again when the program or the page has changed, one at a time', async () => {
  const { child, servers, running, gone } = start();
  await running(1);
  writeFileSync(page, 'after');
  await running(2);
  writeFileSync(join(checkout, 'src', 'more.ts'), '');
  await running(3);
  expect(servers().filter(isAlive)).toHaveLength(1);
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([130, null]);
  await gone();
});

test('a page that is being built, and one that was built the same again, are no change', async () => {
  const { child, servers, running } = start();
  await running(1);
  rmSync(page);
  await new Promise((done) => setTimeout(done, 1_200));
  writeFileSync(page, 'before');
  await new Promise((done) => setTimeout(done, 1_200));
  expect(servers()).toHaveLength(1);
  child.kill('SIGINT');
  await once(child, 'exit');
});

test('killed, it leaves nothing running', async () => {
  const { child, running, gone } = start();
  await running(1);
  child.kill('SIGKILL');
  await gone();
});
