import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { NODE_MODULES } from './paths.mjs';

/** How long the server may take to begin its answer: without internet this is what the attempt costs at most. */
const ANSWER_TIMEOUT_MS = 8_000;
/** The file has some 3 MB. */
const BODY_TIMEOUT_MS = 120_000;

/**
 * Downloads the worker that the mediasoup project has built, as its own npm-scripts.mjs would: from its releases on
 * GitHub or MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL, unless MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD is set.
 *
 * @param {string} version of the npm package
 * @param {string} folder where to put it
 * @returns {Promise<string | null>} the path of the executable; null if there is none to be had
 */
export async function downloadWorker(version, folder) {
  if (process.env.MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD) return null;
  const archive = await download(`${baseUrl()}/${version}/${archiveName(version)}`);
  if (!archive) return null;

  const target = join(folder, 'prebuilt');
  const file = join(folder, 'prebuilt.tgz');
  mkdirSync(target);
  writeFileSync(file, archive);
  spawnSync('tar', ['-xzf', file, '-C', target], { stdio: 'ignore' });
  const worker = join(target, 'mediasoup-worker');
  if (!existsSync(worker)) return null;
  chmodSync(worker, 0o755);
  return worker;
}

function baseUrl() {
  const own = process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL;
  if (own) return own;
  const { repository } = JSON.parse(readFileSync(join(NODE_MODULES, 'mediasoup', 'package.json'), 'utf8'));
  return `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/releases/download`;
}

function archiveName(version) {
  const kernel = process.platform === 'linux' ? `-kernel${release().split('.')[0]}` : '';
  return `mediasoup-worker-${version}-${process.platform}-${process.arch}${kernel}.tgz`;
}

/** The body, or null: whatever goes wrong here, building from source is the answer. */
async function download(url) {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), ANSWER_TIMEOUT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) return null;
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), BODY_TIMEOUT_MS);
    return Buffer.from(await response.arrayBuffer());
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
