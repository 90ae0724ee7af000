import { delimiter, dirname, join } from 'node:path';
import { prepareDependencies } from './dependencies.mjs';
import { findNode } from './nodeRuntime.mjs';
import { preparePage } from './page.mjs';
import { NODE_MODULES } from './paths.mjs';
import { step } from './progress.mjs';
import { prepareUws } from './uws.mjs';
import { prepareWorker } from './worker.mjs';

/**
 * Packages and Node.js: what the checks need.
 *
 * @returns {Promise<{ node: string, env: NodeJS.ProcessEnv }>} the Node.js to run everything with, and its environment
 */
export async function prepareTools() {
  await step('npm packages', prepareDependencies);
  const node = findNode();
  await step('uWebSockets.js', () => prepareUws(node));
  const env = {
    // What Node.js has compiled once it need not compile at the next start: that takes a second off it.
    NODE_COMPILE_CACHE: join(NODE_MODULES, '.cache', 'node'),
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
  };
  return { node, env };
}

/** All that Duet needs to run: the tools, the media worker, the page. */
export async function prepareAll() {
  const { node, env } = await prepareTools();
  env.MEDIASOUP_WORKER_BIN = await step('media worker', prepareWorker);
  await step('page', (report) => preparePage(node, env, report));
  return { node, env };
}
