/**
 * Preloaded into a server: from SIGUSR2 on, until the next one, no time-out of two seconds or more ever comes. What waits
 * for one waits for ever, however fast or slow the machine is.
 */
const LONG_MS = 2_000;
const NEVER_MS = 2 ** 31 - 1;
const { setTimeout } = globalThis;
let isPatient = false;

process.on('SIGUSR2', () => {
  isPatient = !isPatient;
  process.stdout.write(isPatient ? 'patient from now on\n' : 'patient no more\n');
});

function setPatientTimeout(fn, delayMs, ...given) {
  return setTimeout(fn, isPatient && delayMs >= LONG_MS ? NEVER_MS : delayMs, ...given);
}

globalThis.setTimeout = Object.defineProperties(
  setPatientTimeout,
  Object.getOwnPropertyDescriptors(setTimeout),
);
