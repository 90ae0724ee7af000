import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/freePort.ts';
import { startServer, type TestServer } from '../../support/server.ts';

/** One of several processes of the program that share a database, a Redis and their secrets. */
export async function startShared(environment: Record<string, string>): Promise<TestServer> {
  const port = await freePort();
  return startServer({
    DATA_KEY: 'a-data-key-that-all-processes-share-0123456789',
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...environment,
  });
}

/** The environment of a server that a file of this folder is loaded into before it starts. */
export function preloaded(file: string): { NODE_OPTIONS: string } {
  return { NODE_OPTIONS: `--import ${pathToFileURL(resolve(import.meta.dirname, file)).href}` };
}

/** Gives SIGUSR2 to a server that something was loaded into; resolves when that has said what it does. */
export async function signal(server: TestServer, says: string): Promise<void> {
  const times = () => server.output().split(`${says}\n`).length;
  const before = times();
  process.kill(server.pid, 'SIGUSR2');
  await eventually(times).toBe(before + 1);
}

/** The same person, through another process. */
export const at = (server: TestServer, person: Person) =>
  new Person(server.url, person.id, person.email, person.token);

/** Asks again until it works: what a client does that lost its process. */
export async function again<T>(ask: () => Promise<T>, withinMs = 20_000): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > end) throw error;
      await pause(100);
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
