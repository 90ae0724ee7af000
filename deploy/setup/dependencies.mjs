import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.mjs';
import { withLock } from './lock.mjs';
import { LOGS, machinePath, NODE_MODULES, ROOT } from './paths.mjs';
import { hashOf, hasStamp, stampOf, writeStamp } from './stamp.mjs';
import { glibcVersion } from './uws.mjs';

const LOCK_FILE = join(ROOT, 'package-lock.json');
/** What npm writes when it has finished: what is installed. */
const INSTALLED = join(NODE_MODULES, '.package-lock.json');
const STAMP = join(NODE_MODULES, '.duet-packages');

/** Runs `npm ci` where node_modules is missing or is not what the lock file says. */
export async function prepareDependencies(report) {
  // What npm wrote belongs to it: "npm prune" by hand leaves the stamp where it is, and takes packages away.
  const stamp = () => `${hashOf(LOCK_FILE)} ${process.platform} ${process.arch} ${stampOf([INSTALLED])}`;
  if (hasStamp(STAMP, stamp())) return;
  await withLock(
    join(LOGS, 'packages.lock'),
    async () => {
      if (hasStamp(STAMP, stamp())) return;
      if (!isInstalled()) await install(report);
      writeStamp(STAMP, stamp());
    },
    () => report('waiting for another set-up that is at the npm packages'),
  );
}

/** Whether somebody has run npm by hand, or before there was a stamp. */
function isInstalled() {
  if (!existsSync(INSTALLED)) return false;
  const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;
  const libc = process.platform !== 'linux' ? undefined : glibcVersion() ? 'glibc' : 'musl';
  return isSatisfied(read(LOCK_FILE), read(INSTALLED), { os: process.platform, cpu: process.arch, libc });
}

/**
 * Whether the packages of a lock file are all installed, apart from optional ones that are not for this machine.
 *
 * @typedef {{ os?: string[], cpu?: string[], libc?: string[] }} Machines
 * @param {Record<string, { version?: string, optional?: boolean } & Machines>} locked
 * @param {Record<string, { version?: string }>} installed
 * @param {{ os: string, cpu: string, libc?: string }} machine
 */
export function isSatisfied(locked, installed, machine) {
  return Object.entries(locked).every(
    ([path, entry]) =>
      path === '' ||
      (installed[path]
        ? installed[path].version === entry.version
        : entry.optional && !isFor(entry, machine)),
  );
}

/** An optional package that names no machine is one that another optional one needs, which may be for any. */
function isFor({ os, cpu, libc }, machine) {
  if (!os && !cpu) return false;
  return includes(os, machine.os) && includes(cpu, machine.cpu) && includes(libc, machine.libc);
}

/** As in a package.json: names, or names that are excluded. */
function includes(names, name) {
  if (!names) return true;
  return names.includes(name) || (names[0].startsWith('!') && !names.includes(`!${name}`));
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
