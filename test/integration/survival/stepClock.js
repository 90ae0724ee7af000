/**
 * Preloaded into a server, its wall clock as `Date` shows it: wrong by START_OFFSET_MS from the start, and each SIGUSR2
 * steps it by the next of STEPS_MS.
 */
const steps = (process.env.STEPS_MS ?? '').split(',').map(Number);
const RealDate = Date;
let offsetMs = Number(process.env.START_OFFSET_MS ?? 0);

process.on('SIGUSR2', () => {
  offsetMs += steps.shift() ?? 0;
  process.stdout.write(`stepped to ${offsetMs}\n`);
});

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + offsetMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};
