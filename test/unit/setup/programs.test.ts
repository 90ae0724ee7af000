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
