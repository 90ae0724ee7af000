import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOGS, ROOT } from './paths.mjs';

/** A step that could not be done: `message` says in a sentence what to do, `logPath` where to read more. */
export class SetupError extends Error {
  constructor(message, { logPath, cause } = {}) {
    super(message, { cause });
    this.logPath = logPath;
  }
}

/** Where the commands of the step `name` write. */
export function logPathOf(name) {
  return join(LOGS, `${name}.log`);
}

/**
 * Runs a command with its output going to the step's log file.
 *
 * @param {{ log: string, failure: string, cwd?: string, env?: NodeJS.ProcessEnv, append?: boolean,
 *   onTail?: (tail: string) => void }} options `log` is the step's name; `failure` the sentence of the SetupError that a
 *   non-zero exit throws; `append` keeps what earlier commands of the step wrote; `onTail` is called every second
 *   with the last line of the log.
 */
export async function command(file, args, { log, failure, cwd = ROOT, env = process.env, append = false, onTail }) {
  mkdirSync(LOGS, { recursive: true });
  const logPath = logPathOf(log);
  const output = openSync(logPath, append ? 'a' : 'w');
  const tail = onTail && setInterval(() => onTail(lastLine(logPath)), 1000);
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(file, args, { cwd, env, stdio: ['ignore', output, output] });
      child.once('error', (cause) => reject(new SetupError(failure, { logPath, cause })));
      child.once('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new SetupError(failure, { logPath, cause: new Error(`${file}: ${signal ?? `exit code ${code}`}`) }));
      });
    });
  } finally {
    clearInterval(tail);
    closeSync(output);
  }
}

function lastLine(path) {
  const lines = readFileSync(path, 'utf8').trimEnd().split(/[\r\n]+/);
  return lines.at(-1) ?? '';
}
