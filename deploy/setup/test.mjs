// npm test: all tests, or those that the arguments choose, as for vitest: npm test -- test/unit -t "a name"
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './entry.mjs';
import { runInForeground } from './foreground.mjs';
import { LOGS, NODE_MODULES } from './paths.mjs';
import { prepareAll } from './prepare.mjs';
import { step } from './progress.mjs';
import { countTests, triedAgain } from './testReport.mjs';
import { prepareTestTools } from './testTools.mjs';

const VITEST = join(NODE_MODULES, 'vitest', 'vitest.mjs');
const REPORT = join(LOGS, 'tests.json');

await run(async (args) => {
  const { node, env } = await prepareAll();
  Object.assign(
    env,
    await step('Redis, coturn, Chromium, Firefox', (report) => prepareTestTools(node, env.PATH, report)),
  );

  rmSync(REPORT, { force: true });
  mkdirSync(LOGS, { recursive: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`];
  const exitCode = await runInForeground(node, [[VITEST, 'run', ...reporters, ...args]], {
    env,
    wholeGroup: true,
  });

  const { passed, failed, again } = readReport(exitCode);
  for (const { file, test, failure } of again) console.log(`\ntried again: ${file}\n  ${test}\n  ${failure}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? exitCode : exitCode || 1;
});

/** A run that left no report failed as a whole. */
function readReport(exitCode) {
  try {
    const report = JSON.parse(readFileSync(REPORT, 'utf8'));
    return { ...countTests(report, exitCode), again: triedAgain(report) };
  } catch {
    return { passed: 0, failed: 1, again: [] };
  }
}
