/**
 * Preloaded into a measured server: on SIGUSR2 it collects garbage and writes what it holds to its output, as one line
 * of JSON. Asks for `--expose-gc`.
 */
process.on('SIGUSR2', () => {
  // As V8 collects when memory is scarce: what it keeps otherwise, for speed, says how fast connections came and not
  // what they need. Compiled code goes as well, so what is done next costs more than it usually does.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ measured: { rss, heapUsed, external, arrayBuffers } })}\n`);
});
