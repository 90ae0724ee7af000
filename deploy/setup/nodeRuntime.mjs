import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupError } from './command.mjs';
import { machinePath, NODE_MODULES } from './paths.mjs';

/** Runs TypeScript as it is, and uWebSockets.js has binaries for it. */
const MAJORS = [24, 25];

/** From the npm package `node`, which is Node.js itself. */
const INSTALLED = join(NODE_MODULES, '.bin', 'node');

/** The Node.js that Duet runs on: the machine's own where it is new enough, else the one among the npm packages. */
export function findNode() {
  const own = isInstalledOne(process.execPath) ? machineNode() : process.execPath;
  if (own && MAJORS.includes(majorOf(own))) return own;
  if (MAJORS.includes(majorOf(INSTALLED))) return INSTALLED;
  throw new SetupError(
    `Node.js ${MAJORS[0]} is missing: install it from https://nodejs.org, or let npm run install scripts and start again after "rm -rf node_modules".`,
  );
}

function isInstalledOne(path) {
  return path.startsWith(NODE_MODULES);
}

function machineNode() {
  const paths = machinePath().split(delimiter);
  return paths.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
}

function majorOf(node) {
  if (node === process.execPath) return Number.parseInt(process.versions.node, 10);
  return Number.parseInt(spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout, 10);
}
