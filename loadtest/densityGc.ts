/**
 * Preloaded into a measured server: on SIGUSR2 it collects garbage and writes what it uses (processor time before
 * and after that) to its output, as one line of JSON. Asks for `--expose-gc`.
 */
process.on('SIGUSR2', () => {
  const cpuMs = usedMs();
  // As V8 collects when memory is scarce: what it keeps otherwise, for speed, says how fast connections came and not
  // what they need.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.stdout.write(
    `${JSON.stringify({ measured: { rss, heapUsed, external, arrayBuffers, cpuMs, cpuMsAfter: usedMs() } })}\n`,
  );
});

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
