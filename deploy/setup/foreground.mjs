import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ROOT } from './paths.mjs';
import { onSignal } from './signals.mjs';

const END_WITH_PARENT = new URL('endWithParent.mjs', import.meta.url).href;

/**
 * Runs Node.js programs on this terminal until they end. When one of them ends, the others are asked to.
 *
 * Each has a process group of its own, so that Ctrl-C reaches only this process, which passes it on exactly once: a
 * server that gets it twice, from the terminal and from here, would take that for impatience.
 *
 * @param {string} node
 * @param {string[][]} programs the arguments of each
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env
 * @param {boolean} [options.endWithParent] they end as well when this process is killed and cannot pass anything on
 * @param {boolean} [options.wholeGroup] signals go to what they have started as well. Not for the server, which ends
 *   its own processes when it needs them no more.
 * @returns {Promise<number>} the exit code of the first that ended; 128 + n where signal n ended it
 */
export async function runInForeground(node, programs, { env, endWithParent = false, wholeGroup = false }) {
  const children = programs.map((args) => startProgram(node, args, { env, endWithParent }));
  const killAll = (signal) => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null || !child.pid) continue;
      process.kill(wholeGroup ? -child.pid : child.pid, signal);
    }
  };
  // Who closes the terminal does not wait for calls to end, any more than who presses Ctrl-C.
  onSignal((signal) => killAll(signal === 'SIGHUP' ? 'SIGINT' : signal));
  process.once('exit', () => killAll('SIGTERM'));

  const ends = children.map(endOf);
  const first = await Promise.race(ends);
  killAll('SIGTERM');
  await Promise.all(ends);
  return first;
}

/** Starts one, with options as for `runInForeground`. */
export function startProgram(node, args, { env, endWithParent = false }) {
  return spawn(node, endWithParent ? ['--import', END_WITH_PARENT, ...args] : args, {
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', endWithParent ? 'pipe' : 'ignore'],
  });
}

/** The exit code of a program that was started, when it has ended. */
export function endOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
