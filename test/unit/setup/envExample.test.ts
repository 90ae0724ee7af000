import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const example = readFileSync(resolve(ROOT, '.env.example'), 'utf8');
const entries = [...example.matchAll(/^#([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(
  ([, name, value]) => [name!, value!] as const,
);
const names = entries.map(([name]) => name);

/** What the files that fit `pattern` read from the environment. */
function readIn(pattern: string, reads: RegExp): string[] {
  const files = globSync(pattern, { cwd: ROOT });
  expect(files, pattern).not.toEqual([]);
  return files.flatMap((file) => {
    const text = readFileSync(resolve(ROOT, file), 'utf8');
    return [...text.matchAll(reads)].map(([, name]) => name!);
  });
}

const config = readFileSync(resolve(ROOT, 'src/config.ts'), 'utf8');
const known = [...config.matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name!);

test('.env.example names every variable that is read, once, and no other', () => {
  expect(known.length).toBeGreaterThan(40);
  const programs = ['deploy/setup/*.mjs', 'test/**/*.ts', 'web/vite.config.ts'];
  const others = programs
    .flatMap((pattern) => readIn(pattern, /(?:process\.env\.|ownChoice\(')([A-Z][A-Z0-9_]+)/g))
    .concat(readIn('docker-compose.yml', /\$\{([A-Z0-9_]+)/g))
    .filter((name) => name !== 'PATH' && !known.includes(name));
  expect([...names].sort()).toEqual([...known, ...new Set(others)].sort());
});

test('its defaults are the defaults', () => {
  expect(readConfig(Object.fromEntries(entries.filter(([name]) => known.includes(name))))).toEqual(
    readConfig({}),
  );
});

test('nothing in it is set', () => {
  expect(example.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});
