import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { withLock } from '../../../deploy/setup/lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'duet-lock-'));
const path = join(folder, 'deep', 'lock');

afterAll(() => rmSync(folder, { recursive: true }));

test('one at a time, each with its own result; the lock is gone afterwards', async () => {
  const order: string[] = [];
  let waited = 0;
  const one = (name: string) =>
    withLock(
      path,
      async () => {
        order.push(`${name} in`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push(`${name} out`);
        return name;
      },
      () => {
        waited += 1;
      },
    );
  expect(await Promise.all([one('a'), one('b')])).toEqual(['a', 'b']);
  expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
  expect(waited).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test('a failure gives the lock back', async () => {
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(existsSync(path)).toBe(false);
});

test('the lock of a process that is gone is taken over', async () => {
  const { pid } = spawnSync('true');
  writeFileSync(path, JSON.stringify({ host: hostname(), pid }));
  expect(await withLock(path, async () => 'mine')).toBe('mine');
});

test('so is one of another machine that has not been touched for long', async () => {
  writeFileSync(path, JSON.stringify({ host: 'elsewhere', pid: 1 }));
  const longAgo = Date.now() / 1000 - 3600;
  utimesSync(path, longAgo, longAgo);
  expect(await withLock(path, async () => 'mine')).toBe('mine');
});
