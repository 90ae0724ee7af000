import { existsSync, globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const COMMAND = /(.{0,16})\bnode (?:-- )?((?:loadtest|src)\/\w+\.ts)/gs;

/** In the image Node.js is the right one, and all is prepared. */
const HOW = ['npm run node -- ', '(in the image: node '];

test('a program that somebody is told to run is there, and is run with what it needs', () => {
  const files = globSync(['README.md', 'docs/*.md', 'loadtest/*.ts', 'src/*.ts', 'test/simulation/*.ts'], {
    cwd: ROOT,
  });
  const commands = files.flatMap((file) => [...readFileSync(resolve(ROOT, file), 'utf8').matchAll(COMMAND)]);
  expect(commands.length).toBeGreaterThan(30);
  for (const [command, , program] of commands) {
    expect(existsSync(resolve(ROOT, program!)), program).toBe(true);
    expect(
      HOW.some((how) => command.endsWith(how + program)),
      command,
    ).toBe(true);
  }
});

test('every load test that can be run is in their list, and nothing else is', () => {
  const listed = readFileSync(resolve(ROOT, 'loadtest/README.md'), 'utf8').matchAll(/^\| `(\w+\.ts)` \|/gm);
  const programs = globSync('loadtest/*.ts', { cwd: ROOT }).filter((file) =>
    readFileSync(resolve(ROOT, file), 'utf8').includes(`npm run node -- ${file}`),
  );
  expect([...listed].map(([, name]) => `loadtest/${name}`).toSorted()).toEqual(programs.toSorted());
});
