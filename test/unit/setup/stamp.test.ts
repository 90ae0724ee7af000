import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashOf, hasStamp, stampOf, writeStamp } from '../../../deploy/setup/stamp.mjs';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'duet-stamp-'));
  mkdirSync(join(folder, 'in', 'dist'), { recursive: true });
  writeFileSync(join(folder, 'in', 'a.ts'), 'a');
});

afterEach(() => rmSync(folder, { recursive: true }));

const stamp = () => stampOf([join(folder, 'in')], (name: string) => name === 'dist');

test('a stamp stays while nothing changes', () => {
  expect(stamp()).toBe(stamp());
});

test.each<[string, () => void]>([
  ['a file gets longer', () => writeFileSync(join(folder, 'in', 'a.ts'), 'ab')],
  ['a file is touched', () => utimesSync(join(folder, 'in', 'a.ts'), 1, 1)],
  ['a file comes', () => writeFileSync(join(folder, 'in', 'b.ts'), '')],
  ['a file goes', () => rmSync(join(folder, 'in', 'a.ts'))],
  ['all goes', () => rmSync(join(folder, 'in'), { recursive: true })],
])('a stamp changes when %s', (_, change) => {
  const before = stamp();
  change();
  expect(stamp()).not.toBe(before);
});

test('what is passed over does not count', () => {
  const before = stamp();
  writeFileSync(join(folder, 'in', 'dist', 'built.js'), 'x');
  expect(stamp()).toBe(before);
});

test('a hash looks at the contents, not at the time', () => {
  const path = join(folder, 'in', 'a.ts');
  const before = hashOf(path);
  utimesSync(path, 1, 1);
  expect(hashOf(path)).toBe(before);
  writeFileSync(path, 'b');
  expect(hashOf(path)).not.toBe(before);
});

test('a stamp is there once it was written, and only that one', () => {
  const file = join(folder, 'deep', 'stamp');
  expect(hasStamp(file, 'x')).toBe(false);
  writeStamp(file, 'x');
  expect(hasStamp(file, 'x')).toBe(true);
  expect(hasStamp(file, 'y')).toBe(false);
});
