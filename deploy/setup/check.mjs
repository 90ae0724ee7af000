// npm run check: format and lint, types, arrows of the house and the other unit tests.
import { join } from 'node:path';
import { run } from './entry.mjs';
import { runInForeground } from './foreground.mjs';
import { NODE_MODULES } from './paths.mjs';
import { prepareTools } from './prepare.mjs';

const BIOME = join(NODE_MODULES, '@biomejs', 'biome', 'bin', 'biome');
const TSC = join(NODE_MODULES, 'typescript', 'bin', 'tsc');
const VITEST = join(NODE_MODULES, 'vitest', 'vitest.mjs');

const CHECKS = [
  ['format and lint', [BIOME, 'check', '--error-on-warnings', '.']],
  ['types', [TSC, '--noEmit', '-p', '.']],
  ['types of the page', [TSC, '--noEmit', '-p', 'web']],
  ['unit tests', [VITEST, 'run', '--project', 'unit']],
];

await run(async () => {
  const { node, env } = await prepareTools();
  const failed = [];
  for (const [title, program] of CHECKS) {
    console.log(`\n== ${title}`);
    const code = await runInForeground(node, [program], { env, wholeGroup: true });
    if (code > 128) return code;
    if (code !== 0) failed.push(title);
  }
  console.log(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.join(', ')}.`);
  return failed.length === 0 ? 0 : 1;
});
