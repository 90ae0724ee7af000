import { createServer } from 'node:net';

/**
 * A port of loopback that nobody listens on, for a program that has to be told its port. Below those that outgoing
 * connections get (from 32,768 on with Linux): one of them may take a port between this question and its use.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const isFree = await new Promise<boolean>((done) => {
      const probe = createServer()
        .once('error', () => done(false))
        .listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (isFree) return port;
  }
}
