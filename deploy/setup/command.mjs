import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { LOGS, ROOT } from './paths.mjs';
import { onSignal } from './signals.mjs';

/** A step that could not be done: the message says in a sentence what to do, `logPath` where to read more. */
export class SetupError extends Error {
  constructor(message, { logPath, cause } = {}) {
    super(message, { cause });
    this.logPath = logPath;
  }
}

/**
 * Runs a command to its end, with its output going to a log file. A signal to this process stops the command first; a second
 * one does not wait for that.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {object} options
 * @param {string} options.log the name of the step, and of its log
 * @param {string} options.failure what to do when the command fails: the message of the SetupError
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {boolean} [options.append] keeps what an earlier command of the step has logged
 * @param {(line: string) => void} [options.onLine] gets the last line of the log every second
 * @param {NodeJS.Signals} [options.stopSignal] what stops the command
 */
export async function command(file, args, options) {
  const { log, failure, env = process.env, append = false, onLine, stopSignal = 'SIGTERM' } = options;
  mkdirSync(LOGS, { recursive: true });
  const logPath = join(LOGS, `${log}.log`);
  const output = openSync(logPath, append ? 'a' : 'w');
  const child = spawn(file, args, { cwd: ROOT, env, stdio: ['ignore', output, output] });
  let exitCode;
  const restore = onSignal((signal) => {
    if (exitCode !== undefined) process.exit(exitCode);
    exitCode = 128 + constants.signals[signal];
    child.kill(stopSignal);
  });
  const follow = onLine && setInterval(() => onLine(lastLineOf(logPath)), 1000);
  try {
    await new Promise((resolve, reject) => {
      const fail = (cause) => reject(new SetupError(failure, { logPath, cause }));
      child.once('error', fail);
      child.once('exit', (code, signal) => {
        if (exitCode !== undefined) process.exit(exitCode);
        if (code === 0) resolve();
        else fail(new Error(`${file} ended with ${signal ?? code}`));
      });
    });
  } finally {
    restore();
    clearInterval(follow);
    closeSync(output);
  }
}

function lastLineOf(path) {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split(/[\r\n]+/)
    .at(-1);
}
