import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '../..');

export const NODE_MODULES = join(ROOT, 'node_modules');

/** What outlives a fresh clone: the mediasoup worker, which takes minutes to build. */
export const CACHE = resolve(process.env.DUET_CACHE || join(homedir(), '.cache', 'duet'));

/** One log for each step of the last set-up. */
export const LOGS = join(ROOT, '.data', 'setup');

/** PATH without any `node_modules/.bin`: npm puts those first, and they hide the machine's own Node. */
export function machinePath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder)).join(delimiter);
}
