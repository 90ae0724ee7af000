import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localSecrets } from '../../../src/platform/localSecrets.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'duet-secrets-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('are made once, and what is missing in those of before is added', () => {
  const made = localSecrets(dir);
  expect(localSecrets(dir)).toEqual(made);
  writeFileSync(join(dir, 'secrets.json'), JSON.stringify({ jwt: made.jwt, dataKey: made.dataKey }));
  const completed = localSecrets(dir);
  expect(completed).toMatchObject({ jwt: made.jwt, dataKey: made.dataKey });
  expect(localSecrets(dir)).toEqual(completed);
});

test('are the same for processes that start at once', async () => {
  const script = join(dir, 'child.mjs');
  const folder = join(dir, 'data');
  writeFileSync(
    script,
    `import { localSecrets } from ${JSON.stringify(import.meta.resolve('../../../src/platform/localSecrets.ts'))};
     process.once('message', () => process.send(localSecrets(${JSON.stringify(folder)}).dataKey));
     process.send('ready');`,
  );
  const children = Array.from({ length: 4 }, () => fork(script));
  await Promise.all(children.map((child) => once(child, 'message')));
  const keys = children.map(async (child) => (await once(child, 'message'))[0]);
  for (const child of children) child.send('go');
  expect(new Set(await Promise.all(keys)).size).toBe(1);
  expect(readdirSync(folder)).toEqual(['secrets.json']);
});
