import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupError } from './command.mjs';
import { machinePath, NODE_MODULES } from './paths.mjs';

/** The oldest: runs TypeScript as it is and knows `import.meta.main`. */
const OLDEST = '24.2';
/** uWebSockets.js has binaries for these. */
const MAJORS = [24, 25];

/** From the npm package `node`, which is Node.js itself. */
const INSTALLED = join(NODE_MODULES, '.bin', 'node');

/** The Node.js that Duet runs on: the machine's own where it is new enough, else the one among the npm packages. */
export function findNode() {
  const own = isInstalledOne(process.execPath) ? machineNode() : process.execPath;
  if (own && isFit(versionOf(own))) return own;
  if (isFit(versionOf(INSTALLED))) return INSTALLED;
  throw new SetupError(
    `Node.js ${OLDEST} is missing: install it from https://nodejs.org, or let npm run install scripts and start again after "rm -rf node_modules".`,
  );
}

function isInstalledOne(path) {
  return path.startsWith(NODE_MODULES);
}

function machineNode() {
  const paths = machinePath().split(delimiter);
  return paths.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
}

function versionOf(node) {
  if (node === process.execPath) return process.versions.node;
  return spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '';
}

/**
 * Whether Duet runs on a version of Node.js.
 *
 * @param {string} version e.g. 24.2.0; empty where there is none
 */
export function isFit(version) {
  const [major, minor] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST.split('.').map(Number);
  return MAJORS.includes(major) && (major > oldestMajor || minor >= oldestMinor);
}
