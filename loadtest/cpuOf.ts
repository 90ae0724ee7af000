/** What a statement costs PostgreSQL in processor time, whatever else the machine is doing: asked of itself. */
import type { Client } from 'pg';
import type { Statement } from '../src/db/sql.ts';

/**
 * Runs a prepared statement and resolves with the milliseconds of processor time that executing it took. What it wrote is
 * undone.
 */
export async function cpuMsOf(
  client: Client,
  statement: Statement<unknown>,
  values: unknown[],
): Promise<number> {
  const query = { name: statement.name, text: statement.text, values };
  await undone(client, () => client.query(query));
  await client.query(`set log_executor_stats = on; set client_min_messages = log`);
  let cpuMs = Number.NaN;
  const read = (notice: { message?: string | undefined; detail?: string | undefined }) => {
    const [, user, system] =
      /([\d.]+) s user, ([\d.]+) s system/.exec(notice.detail ?? notice.message ?? '') ?? [];
    if (user !== undefined) cpuMs = (Number(user) + Number(system)) * 1000;
  };
  await undone(client, async () => {
    client.on('notice', read);
    await client.query(query);
    client.off('notice', read);
  });
  await client.query(`set log_executor_stats = off; set client_min_messages = notice`);
  return cpuMs;
}

/** Does something in a transaction that is rolled back. */
export async function undone<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    return await work();
  } finally {
    await client.query('rollback');
  }
}
