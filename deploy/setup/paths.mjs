import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This folder. (`import.meta.dirname` is missing in the first versions of Node 20.) */
export const SETUP = fileURLToPath(new URL('.', import.meta.url));

/** The checkout. */
export const ROOT = resolve(SETUP, '../..');

export const NODE_MODULES = join(ROOT, 'node_modules');

/** What outlives a fresh clone: the media worker, which takes minutes to build. */
export const CACHE = resolve(process.env.DUET_CACHE || join(homedir(), '.cache', 'duet'));

/** The logs of the last set-up, one for each step. */
export const LOGS = join(ROOT, '.data', 'setup');

/** PATH without any `node_modules/.bin`: npm puts those first, and they hide the machine's own Node.js. */
export function machinePath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder)).join(delimiter);
}
