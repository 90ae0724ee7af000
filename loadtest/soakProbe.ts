/**
 * Preloaded into the soak's processes (with `--expose-gc`): tells over HTTP, at an address that it prints, what the
 * process holds: `GET /reading` after a collection of garbage, `GET /heap` as a snapshot of V8's.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { getHeapSnapshot, getHeapStatistics } from 'node:v8';
import { observer, type types } from 'mediasoup';

export interface Reading {
  heapUsed: number;
  /** Resident of the heap, with what V8 keeps for later. */
  heapResident: number;
  external: number;
  arrayBuffers: number;
  /** What keeps the event loop busy, by kind. */
  resources: Record<string, number>;
  workers: { pid: number; routers: number; transports: number; producers: number; consumers: number }[];
}

const workers = new Map<types.Worker, Set<types.Router>>();
observer.on('newworker', (worker) => {
  const routers = new Set<types.Router>();
  workers.set(worker, routers);
  worker.observer.once('close', () => workers.delete(worker));
  worker.observer.on('newrouter', (router) => {
    routers.add(router);
    router.observer.once('close', () => routers.delete(router));
  });
});

async function read(): Promise<Reading> {
  globalThis.gc?.({ type: 'major', execution: 'sync' });
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  const { total_physical_size: heapResident } = getHeapStatistics();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const dumps = [...workers].map(([worker, routers]) => dumpOf(worker, [...routers]));
  return { heapUsed, heapResident, external, arrayBuffers, resources, workers: await Promise.all(dumps) };
}

/** What a worker says of itself: routers that nobody here knows count as well, though not what is on them. */
async function dumpOf(worker: types.Worker, known: types.Router[]): Promise<Reading['workers'][number]> {
  const counts = {
    routers: (await worker.dump()).routerIds.length,
    transports: 0,
    producers: 0,
    consumers: 0,
  };
  for (const router of known) {
    // It may be closed in the meantime.
    const dump = await router.dump().catch(() => undefined);
    if (dump === undefined) continue;
    counts.transports += dump.transportIds.length;
    counts.producers += dump.mapProducerIdConsumerIds.length;
    counts.consumers += dump.mapConsumerIdProducerId.length;
  }
  return { pid: worker.pid, ...counts };
}

// Not in the processes that this one starts.
if (process.argv[1]?.endsWith('main.ts')) {
  const server = createServer({ keepAlive: false }, async (request, response) => {
    response.setHeader('connection', 'close');
    if (request.url === '/heap') await pipeline(getHeapSnapshot(), response);
    else response.end(JSON.stringify(await read()));
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`soak probe at http://127.0.0.1:${port}\n`);
  });
  server.unref();
}
