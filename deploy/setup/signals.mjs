import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Ends this process in order: what it has registered for its exit (children, locks, folders) is cleared away. */
let handle = (signal) => process.exit(128 + constants.signals[signal]);

for (const signal of SIGNALS) process.on(signal, () => handle(signal));

/** What a signal does from now on. Until the first call: the process ends. */
export function onSignal(handler) {
  handle = handler;
}
