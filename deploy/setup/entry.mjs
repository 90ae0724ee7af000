import { relative } from 'node:path';
import { SetupError } from './command.mjs';
import './signals.mjs';
import { adviceOn } from './systemError.mjs';

const OLDEST_NODE = 20;

/** Runs one of the commands: its result is the exit code; a step that failed is told in a sentence. */
export async function run(main) {
  try {
    const major = Number.parseInt(process.versions.node, 10);
    if (major < OLDEST_NODE) {
      throw new SetupError(
        `Node.js ${OLDEST_NODE} or newer is needed to begin with (this is ${major}): https://nodejs.org`,
      );
    }
    process.exitCode = await main(process.argv.slice(2));
  } catch (failure) {
    process.exitCode = 1;
    const error = failure.syscall ? new SetupError(adviceOn(failure), { cause: failure }) : failure;
    if (!(error instanceof SetupError)) throw error;
    console.error(`\n${error.message}`);
    if (error.cause) console.error(`(${error.cause.message})`);
    if (error.logPath) console.error(`Log: ${relative('.', error.logPath)}`);
  }
}
