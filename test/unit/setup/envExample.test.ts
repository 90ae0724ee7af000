import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../../src/config.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const example = readFileSync(resolve(ROOT, '.env.example'), 'utf8');
const entries = [...example.matchAll(/^#([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(
  ([, name, value]) => [name!, value!] as const,
);
const names = entries.map(([name]) => name);

/** Read by deploy/setup, not by the server. */
const SETUP = ['DUET_CACHE', 'MEDIASOUP_WORKER_BIN', 'DUET_CHROMIUM', 'DUET_FIREFOX'];

test('.env.example names every variable of the configuration, once, and no other', () => {
  const config = readFileSync(resolve(ROOT, 'src/config.ts'), 'utf8');
  const known = [...config.matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name!);
  expect(known.length).toBeGreaterThan(40);
  expect([...names].sort()).toEqual([...known, ...SETUP].sort());
});

test('its defaults are the defaults', () => {
  expect(readConfig(Object.fromEntries(entries.filter(([name]) => !SETUP.includes(name))))).toEqual(
    readConfig({}),
  );
});

test('nothing in it is set', () => {
  expect(example.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});
