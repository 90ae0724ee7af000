// npm start: brings Duet up. npm run dev (--watch): the same, and again on every change.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './entry.mjs';
import { runInForeground } from './foreground.mjs';
import { VITE_BUILD } from './page.mjs';
import { ROOT, SETUP } from './paths.mjs';
import { prepareAll } from './prepare.mjs';

const RESTARTING = join(SETUP, 'restarting.mjs');
const ENV_FILE = join(ROOT, '.env');
const SERVER = [...(existsSync(ENV_FILE) ? [`--env-file=${ENV_FILE}`] : []), 'src/main.ts'];

await run(async (args) => {
  const { node, env } = await prepareAll();
  if (!args.includes('--watch')) return runInForeground(node, [SERVER], { env, endWithParent: true });
  const page = [...VITE_BUILD, '--watch', '--logLevel', 'warn'];
  return runInForeground(node, [[RESTARTING, ...SERVER], page], {
    // A restart after a change does not wait for calls to end.
    env: { DRAIN_SEC: '0', ...env },
    endWithParent: true,
  });
});
