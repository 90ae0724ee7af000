/**
 * Preloaded into a measured server: on SIGUSR2 it collects garbage and writes what it uses (processor time before
 * and after that) to its output, as one line of JSON. Asks for `--expose-gc`.
 */
process.on('SIGUSR2', () => {
  const cpuMs = usedMs();
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.stdout.write(
    `${JSON.stringify({ measured: { rss, heapUsed, external, arrayBuffers, cpuMs, cpuMsAfter: usedMs() } })}\n`,
  );
});

function usedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
