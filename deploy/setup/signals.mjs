import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** npm passes on a signal that the terminal, or who stops a whole group, has sent to this process as well. */
const SAME_SIGNAL_MS = 500;

let handle = (signal) => process.exit(128 + constants.signals[signal]);

let last = { signal: '', at: 0 };

for (const signal of SIGNALS) {
  process.on(signal, () => {
    const at = performance.now();
    const isSame = signal === last.signal && at - last.at < SAME_SIGNAL_MS;
    last = { signal, at };
    if (!isSame) handle(signal);
  });
}

/**
 * What a signal does from now on. Until the first call this process exits, and what it has registered for its exit (locks,
 * folders) is cleared away.
 *
 * @param {(signal: NodeJS.Signals) => void} handler
 * @returns {() => void} puts back what was before
 */
export function onSignal(handler) {
  const before = handle;
  handle = handler;
  return () => {
    handle = before;
  };
}
