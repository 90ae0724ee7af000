import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.mjs';
import { NODE_MODULES, ROOT } from './paths.mjs';
import { hasStamp, stampOf, writeStamp } from './stamp.mjs';

const WEB = join(ROOT, 'web');
const BUILT = join(WEB, 'dist', 'index.html');
const STAMP = join(NODE_MODULES, '.duet-page');

/** The program that builds the page. */
export const VITE_BUILD = [
  join(NODE_MODULES, 'vite', 'bin', 'vite.js'),
  'build',
  'web',
  '--config',
  'web/vite.config.ts',
];

/** Builds web/ into web/dist where something in it is newer than what was built last. */
export async function preparePage(node, env, report) {
  const stamp = stampOf([WEB, join(ROOT, 'package-lock.json')], (name) =>
    ['dist', 'node_modules'].includes(name),
  );
  if (existsSync(BUILT) && hasStamp(STAMP, stamp)) return;
  report('building the page');
  await command(node, VITE_BUILD, {
    log: 'page',
    env,
    failure: 'The page in web/ could not be built: the log has the error.',
  });
  writeStamp(STAMP, stamp);
}
