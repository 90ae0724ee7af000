import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './command.mjs';
import { withLock } from './lock.mjs';
import { CACHE, NODE_MODULES } from './paths.mjs';
import { buildWorker } from './workerBuild.mjs';
import { downloadWorker } from './workerDownload.mjs';

/** The worker's exit code when nobody tells it the version of its Node.js library (worker/src/main.cpp). */
const NO_VERSION_GIVEN = 41;

/** Beside the worker's place, and not in the folder for temporary files: that may be one where nothing is executed. */
const UNFINISHED = 'unfinished-';
/** No set-up takes that long: one that was killed has left its folder. */
const LEFT_MS = 24 * 60 * 60 * 1000;

/**
 * Finds, downloads or builds the mediasoup worker, and keeps it in the cache.
 *
 * @param {import('./progress.mjs').Report} report
 * @returns {Promise<string>} the path of an executable that runs on this machine, for MEDIASOUP_WORKER_BIN
 */
export async function prepareWorker(report) {
  const own = process.env.MEDIASOUP_WORKER_BIN;
  if (own) {
    if (runs(own)) return own;
    throw new SetupError(
      `MEDIASOUP_WORKER_BIN names ${own}, which does not run here: correct it, or unset it.`,
    );
  }

  const { version } = JSON.parse(readFileSync(join(NODE_MODULES, 'mediasoup', 'package.json'), 'utf8'));
  const cached = join(CACHE, `mediasoup-worker-${version}-${process.platform}-${process.arch}`);
  if (runs(cached)) return cached;

  await withLock(
    `${cached}.lock`,
    async () => {
      if (!runs(cached)) await obtain(version, cached, report);
    },
    () => report('waiting for another set-up that is at the media worker'),
  );
  return cached;
}

async function obtain(version, cached, report) {
  clearLeft();
  const folder = mkdtempSync(join(CACHE, UNFINISHED));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', clear);
  try {
    report('downloading the media worker');
    const downloaded = await downloadWorker(version, folder);
    const worker = downloaded && runs(downloaded) ? downloaded : await buildWorker(folder, report);
    if (!runs(worker))
      throw new SetupError(
        'The media worker was built but does not run: set MEDIASOUP_WORKER_BIN to one from elsewhere.',
      );
    renameSync(worker, cached);
  } finally {
    process.off('exit', clear);
    clear();
  }
}

function clearLeft() {
  const left = readdirSync(CACHE).filter((name) => name.startsWith(UNFINISHED));
  for (const path of left.map((name) => join(CACHE, name))) {
    if (Date.now() - statSync(path).mtimeMs > LEFT_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Whether an executable is a mediasoup worker whose libraries are all there. Takes some milliseconds. */
function runs(path) {
  return existsSync(path) && spawnSync(path, [], { env: {}, stdio: 'ignore' }).status === NO_VERSION_GIVEN;
}
