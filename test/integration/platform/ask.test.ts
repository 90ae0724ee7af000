import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { ask } from '../../../src/db/ask.ts';
import { useDatabase } from '../../support/database.ts';

const LONG_MS = 60_000;
const database = useDatabase();

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(database.url);
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test('a statement that is not answered in time rejects, with whatever waits behind it', async () => {
  const client = await connect();
  const slow = ask(client, 'select pg_sleep(60)', 100);
  const behind = ask(client, 'select 1', LONG_MS);
  const [first, second] = await Promise.allSettled([slow, behind]);
  expect(first).toMatchObject({ reason: { message: 'Query read timeout' } });
  expect(second).toMatchObject({ reason: { message: 'Connection terminated unexpectedly' } });
  await expect(ask(client, 'select 1', LONG_MS)).rejects.toThrow('not queryable');
});

test('an answer in time is given, and the connection stays', async () => {
  const client = await connect();
  const { rows } = await ask(client, { text: 'select $1::int as n', values: [7] }, 500);
  expect(rows).toEqual([{ n: 7 }]);
  // Longer than the first had: what watched it is gone.
  await ask(client, 'select pg_sleep(0.8)', LONG_MS);
});

test("what PostgreSQL says is thrown with its code and the caller's place", async () => {
  const client = await connect();
  async function whoAsks(): Promise<void> {
    await ask(client, 'select 1 / 0', LONG_MS);
  }
  const error = await whoAsks().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: '22012', stack: expect.stringContaining('whoAsks') });
});
