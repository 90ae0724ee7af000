import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.mjs';
import { withLock } from './lock.mjs';
import { LOGS, machinePath, NODE_MODULES, ROOT } from './paths.mjs';
import { hashOf, hasStamp, writeStamp } from './stamp.mjs';

const LOCK_FILE = join(ROOT, 'package-lock.json');
/** What npm writes when it has finished: what is installed. */
const INSTALLED = join(NODE_MODULES, '.package-lock.json');
const STAMP = join(NODE_MODULES, '.duet-packages');

/** Runs `npm ci` where node_modules is missing or is not what the lock file says. */
export async function prepareDependencies(report) {
  const stamp = `${hashOf(LOCK_FILE)} ${process.platform} ${process.arch}`;
  if (hasStamp(STAMP, stamp)) return;
  await withLock(
    join(LOGS, 'packages.lock'),
    async () => {
      if (hasStamp(STAMP, stamp)) return;
      if (!isInstalled()) await install(report);
      writeStamp(STAMP, stamp);
    },
    () => report('waiting for another set-up that is at the npm packages'),
  );
}

/** Whether somebody has run npm by hand, or before there was a stamp. */
function isInstalled() {
  if (!existsSync(INSTALLED)) return false;
  const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;
  const installed = read(INSTALLED);
  return isSatisfied(read(LOCK_FILE), installed);
}

/**
 * Whether the packages of a lock file are all installed, apart from optional ones (those for other machines).
 *
 * @param {Record<string, { version?: string, optional?: boolean }>} locked
 * @param {Record<string, { version?: string }>} installed
 */
export function isSatisfied(locked, installed) {
  return Object.entries(locked).every(
    ([path, { version, optional }]) =>
      path === '' || (installed[path] ? installed[path].version === version : optional === true),
  );
}

async function install(report) {
  report('installing the npm packages');
  await command('npm', ['ci', '--include=dev'], {
    log: 'packages',
    // npm tries to put back what was there, for minutes; the next npm ci begins from nothing anyhow.
    stopSignal: 'SIGKILL',
    failure: 'The npm packages could not be installed: see what "npm ci" says, most often about the network.',
    env: {
      ...process.env,
      PATH: machinePath(),
      // Keeps mediasoup's own installation from downloading or building its worker: worker.mjs does that better.
      MEDIASOUP_WORKER_BIN: process.env.MEDIASOUP_WORKER_BIN || 'later',
    },
  });
}
