import { createServer } from 'node:net';

const FIRST = 20_000;
/** Processes that ask at the same time seldom share one: what both found free, both would use. */
const SLICES = 20;
const SLICE = 500;
/** Asked for by this process before: it may not be in use yet. Forgotten when all of the slice have been. */
const given = new Set<number>();

/**
 * A port of loopback that nobody listens on, for a program that has to be told its port. Below those that outgoing
 * connections get (from 32,768 on with Linux): one of them may take a port between this question and its use.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    if (given.size === SLICE) given.clear();
    const port = FIRST + (process.pid % SLICES) * SLICE + Math.floor(Math.random() * SLICE);
    if (given.has(port)) continue;
    given.add(port);
    const isFree = await new Promise<boolean>((done) => {
      const probe = createServer()
        .once('error', () => done(false))
        .listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (isFree) return port;
  }
}
