import { existsSync } from 'node:fs';
import * as mediasoup from 'mediasoup';
import type { Log } from '../log.ts';

/** What a worker's environment may hold: how to find libraries, and the time zone of its log lines. */
const INHERITED = ['PATH', 'TZ', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'DYLD_FALLBACK_LIBRARY_PATH'];

const SETSID = ['/usr/bin/setsid', '/bin/setsid'].find((path) => existsSync(path));

/** Anything in a log line of mediasoup that looks like an IP address, with or without a port. */
const ADDRESS = /\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}\b/gi;

/**
 * Starts one mediasoup worker process, with three habits of mediasoup's taken off:
 *
 * - It spawns with the whole environment of the server, secrets included. It reads `process.env` inside the call,
 *   so for the length of that call `process.env` is a small one.
 * - It closes the worker when the server gets SIGINT or SIGTERM, in the middle of calls that are still to be
 *   drained. `main.ts` owns signals; the two listeners that the call adds are removed, and only those.
 * - The worker is in the server's process group, and ends itself on the SIGINT of a terminal's Ctrl-C. Where
 *   `setsid` exists it gets a session of its own (through the hook for valgrind, the only prefix that mediasoup
 *   offers; `setsid` replaces itself by the worker, the process id stays). It still ends when the server dies,
 *   however that happens: its channel to the server closes.
 *
 * `workerBin` is the path of the binary; absent, mediasoup's own choice (`MEDIASOUP_WORKER_BIN` or its build).
 */
export function spawnWorker(workerBin?: string): Promise<mediasoup.types.Worker> {
  const environment = process.env;
  const listeners = new Set([...process.rawListeners('SIGINT'), ...process.rawListeners('SIGTERM')]);
  process.env = workerEnvironment(environment);
  try {
    // Everything up to the spawn happens before this returns.
    return mediasoup.createWorker({ logLevel: 'error', ...(workerBin === undefined ? {} : { workerBin }) });
  } finally {
    process.env = environment;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      for (const listener of process.rawListeners(signal)) {
        if (!listeners.has(listener)) process.off(signal, listener as NodeJS.SignalsListener);
      }
    }
  }
}

/** Sends what mediasoup has to say into the log, addresses masked. Its log is one for the whole process. */
export function logMediasoup(log: Log): void {
  mediasoup.setLogEventListeners({
    onwarn: (source, text) => log.debug({ source }, masked(text)),
    onerror: (source, text, error) =>
      log.warn({ source, ...(error === undefined ? {} : { error: masked(error.message) }) }, masked(text)),
  });
}

function workerEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = INHERITED.filter((name) => environment[name] !== undefined);
  return {
    ...Object.fromEntries(kept.map((name) => [name, environment[name]])),
    ...(SETSID === undefined ? {} : { MEDIASOUP_USE_VALGRIND: 'true', MEDIASOUP_VALGRIND_BIN: SETSID }),
  };
}

function masked(text: string): string {
  return text.replace(ADDRESS, '[address]');
}
