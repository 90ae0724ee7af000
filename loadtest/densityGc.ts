/**
 * Preloaded into a measured server: on SIGUSR2 it collects garbage and writes what it uses (processor time up to then)
 * to its output, as one line of JSON. Asks for `--expose-gc`.
 */
process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.stdout.write(
    `${JSON.stringify({ measured: { rss, heapUsed, external, arrayBuffers, cpuMs: (user + system) / 1000 } })}\n`,
  );
});
