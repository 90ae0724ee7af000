/** The program: owns signals and the exit, nothing else. */
import { App } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import { describeError } from './failure.ts';
import { createLog, type Log } from './log.ts';

/**
 * What is still open this long after the drain is left behind, so that whoever deploys sees the exit within a second of its
 * deadline. Others take the calls over that were not given back.
 */
const CLOSE_MS = 800;
/** After Ctrl-C nobody counts, and a PostgreSQL of one's own has a checkpoint to write. */
const CLOSE_AT_LEISURE_MS = 5_000;
let running: App | undefined;

async function main(): Promise<number> {
  const config = readConfig();
  const log = createLog(config.logLevel);
  // Registered before anything starts: a signal during the start ends it in order as well.
  const signals = listen(log);
  const asked = signals.next();
  const starting = App.start(config, log);
  const early = await Promise.race([starting.then(() => undefined), asked]);
  if (early !== undefined) {
    // The start may wait for a database or for another process: what is up in time is closed in order, no more is waited for.
    endSoon(early, log);
    await starting.then(
      (app) => app.close(),
      () => {},
    );
    return 0;
  }
  await using app = await starting;
  running = app;
  log.info({ url: app.url }, 'Duet is up');
  process.stdout.write(`\n  Duet is at ${app.url}\n\n`);
  const first = await asked;
  // SIGTERM comes from whoever deploys: people finish talking. Ctrl-C comes from a person who waits.
  if (first === 'SIGTERM') await Promise.race([app.drain(config.drainMs), signals.next()]);
  endSoon(first, log);
  return 0;
}

/** From now on closing may take as long as the signal allows. */
function endSoon(signal: string, log: Log): void {
  const overdue = setTimeout(
    () => {
      log.error({}, 'closing took too long, what is left is given up');
      process.exit(0);
    },
    signal === 'SIGTERM' ? CLOSE_MS : CLOSE_AT_LEISURE_MS,
  );
  overdue.unref();
}

/** The signals that end the process, in order of arrival. */
function listen(log: Log) {
  const arrived: string[] = [];
  let waiting: ((signal: string) => void) | undefined;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      log.info({ signal }, 'asked to stop');
      if (waiting === undefined) arrived.push(signal);
      else waiting(signal);
      waiting = undefined;
    });
  }
  return {
    next: () =>
      new Promise<string>((resolve) => {
        const already = arrived.shift();
        if (already !== undefined) resolve(already);
        else waiting = resolve;
      }),
  };
}

process.on('unhandledRejection', (error) => {
  // A rejection that nobody waits for is a bug, but no reason to end other people's calls.
  createLog('error').error({ err: error }, 'a rejection was not handled');
  running?.metrics.unhandled('rejection');
});
process.on('uncaughtException', (error) => {
  // Here something stopped half way, and nobody knows what is true in this process any more: it holds on to nothing, and
  // others take its calls over.
  createLog('error').error({ err: error }, 'an exception was not caught');
  running?.metrics.unhandled('exception');
  process.exit(1);
});
// Whoever reads what is printed may stop: pipes that are closed end nothing here.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {});

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = 1;
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else {
    const what = running ? 'Duet did not end in order' : 'Duet could not start';
    createLog('error').error({ err: error }, what);
    // The line above is for whoever collects logs, this one for the person at the terminal.
    const { name, code = '', message } = describeError(error);
    const withheld = `${name} ${code} (of what is behind DB_URL, REDIS_URL or S3_ENDPOINT)`;
    process.stderr.write(`\n  ${what}: ${message ?? withheld}\n\n`);
  }
}
// Sockets of libraries may linger; everything of ours is closed by now.
process.exit();
