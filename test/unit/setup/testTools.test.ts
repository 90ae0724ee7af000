import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const MODULE = resolve(import.meta.dirname, '../../../deploy/setup/testTools.mjs');
const folder = mkdtempSync(join(tmpdir(), 'duet-tools-'));

afterAll(() => rmSync(folder, { recursive: true }));

test('tests get the programs that were found, wherever that was', () => {
  for (const name of ['redis-server', 'turnserver', 'browser'])
    writeFileSync(join(folder, name), '#!/bin/sh\n', { mode: 0o755 });
  const program = `
    const { prepareTestTools } = await import(${JSON.stringify(MODULE)});
    console.log(JSON.stringify(await prepareTestTools(process.execPath, '/its/own', () => {})));
  `;
  const browser = join(folder, 'browser');
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { PATH: folder, DUET_CHROMIUM: browser, DUET_FIREFOX: browser },
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toEqual({
    PATH: ['/its/own', folder].join(delimiter),
    TURNSERVER_BIN: join(folder, 'turnserver'),
    DUET_CHROMIUM: browser,
    DUET_FIREFOX: browser,
  });
});
