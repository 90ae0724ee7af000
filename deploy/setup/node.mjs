// npm run node -- loadtest/httpPing.ts 3: a program of this checkout, with all that npm start prepares and its arguments.
import { SetupError } from './command.mjs';
import { run } from './entry.mjs';
import { runInForeground } from './foreground.mjs';
import { prepareAll } from './prepare.mjs';

await run(async (program) => {
  if (program.length === 0)
    throw new SetupError('Name a program: npm run node -- loadtest/httpPing.ts (its arguments follow)');
  const { node, env } = await prepareAll();
  return runInForeground(node, [program], { env, wholeGroup: true });
});
