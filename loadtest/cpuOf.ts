/** What a statement costs PostgreSQL in processor time, whatever else the machine is doing: asked of itself. */
import type { Client } from 'pg';
import type { Statement } from '../src/db/sql.ts';

/** Runs a prepared statement and resolves with the milliseconds of processor time that executing it took. */
export async function cpuMsOf(
  client: Client,
  statement: Statement<unknown>,
  values: unknown[],
): Promise<number> {
  await client.query(`set plan_cache_mode = force_generic_plan`);
  await client.query({ name: statement.name, text: statement.text, values });
  await client.query(`set log_executor_stats = on; set client_min_messages = log`);
  let cpuMs = Number.NaN;
  const read = (notice: { message?: string | undefined; detail?: string | undefined }) => {
    const [, user, system] =
      /([\d.]+) s user, ([\d.]+) s system/.exec(notice.detail ?? notice.message ?? '') ?? [];
    if (user !== undefined) cpuMs = (Number(user) + Number(system)) * 1000;
  };
  client.on('notice', read);
  await client.query({ name: statement.name, text: statement.text, values });
  client.off('notice', read);
  await client.query(`set log_executor_stats = off; set client_min_messages = notice`);
  return cpuMs;
}
