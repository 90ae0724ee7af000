import { linkSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HEARTBEAT_MS = 5_000;
const STALE_MS = 30_000;
const RETRY_MS = 250;

/**
 * Runs `run` while no other process runs its own under the same lock file. A lock whose owner was killed is taken over:
 * at once where its process is seen to be gone, else when it has not been touched for half a minute.
 *
 * @param {string} path the lock file
 * @param {() => Promise<T>} run
 * @param {() => void} [onWait] called once, if somebody else holds the lock
 * @returns {Promise<T>}
 * @template T
 */
export async function withLock(path, run, onWait = () => {}) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = false; !take(path); waited = true) {
    if (isStale(path)) rmSync(path, { force: true });
    else {
      if (!waited) onWait();
      await sleep(RETRY_MS);
    }
  }
  const heartbeat = setInterval(() => touch(path), HEARTBEAT_MS);
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await run();
  } finally {
    process.off('exit', release);
    clearInterval(heartbeat);
    release();
  }
}

/** A link to a finished file: the lock appears with its owner's name in it, or not at all. */
function take(path) {
  const own = `${path}.${process.pid}`;
  try {
    writeFileSync(own, JSON.stringify({ host: hostname(), pid: process.pid }));
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function isStale(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return false;
  if (Date.now() - stat.mtimeMs > STALE_MS) return true;
  try {
    const { host, pid } = JSON.parse(readFileSync(path, 'utf8'));
    return host === hostname() && !isAlive(pid);
  } catch {
    return false;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Taken over after this process stood still for too long: two set-ups at once are slow, not wrong.
  }
}
