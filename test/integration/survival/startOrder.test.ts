/** A start lets nobody in before the others would hear of the end of the process. */
import { connect, createServer, type Server } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { freePort } from '../../support/freePort.ts';

const port = await freePort();
let way: Server | undefined;
/** Whether the program listened when it asked for the connection of its name. */
const wasOpen: boolean[] = [];

const app = useApp({ PORT: `${port}` }, async (dbUrl) => {
  const url = new URL(dbUrl);
  const postgresPort = Number(url.port);
  way = createServer((from) => {
    const to = connect(postgresPort, '127.0.0.1');
    for (const socket of [from, to])
      socket
        .on('error', () => {})
        .once('close', () => {
          from.destroy();
          to.destroy();
        });
    to.pipe(from);
    from.once('data', async (startup) => {
      if (startup.includes('duet name')) wasOpen.push(await isOpen());
      to.write(startup);
      from.pipe(to);
    });
  });
  await new Promise<void>((done) => way!.listen(0, '127.0.0.1', done));
  url.host = `127.0.0.1:${(way.address() as { port: number }).port}`;
  return url.href;
});
afterAll(() => way?.close());

function isOpen(): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('the name is asked for before the program listens', async () => {
  expect(wasOpen).toEqual([false]);
  expect(await isOpen()).toBe(true);
  expect((await fetch(`${app.url}/health/liveness`)).status).toBe(200);
});
