/** What brings a PostgreSQL into trouble, by a connection that is there before and stays. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

const OF_OTHERS = `datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;

/** Process ids of all backends of this database but that of `admin`. */
export async function backendsOf(admin: pg.Client): Promise<number[]> {
  const { rows } = await admin.query(`select pid from pg_stat_activity where ${OF_OTHERS}`);
  return rows.map(({ pid }) => pid);
}

/** Process id of the server itself, which lets new connections in. */
export async function postmasterOf(admin: pg.Client): Promise<number> {
  const { rows } = await admin.query('show data_directory');
  return Number((await readFile(join(rows[0].data_directory, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

/** Takes every connection that the server has, but that of `admin`; resolves with them. */
export async function takeConnections(
  admin: pg.Client,
  url: string,
  maxConnections: number,
): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  // A program gives up its connections unwillingly: ended, it may be first at the door again.
  for (let tries = 0; tries < 200 && taken.length < maxConnections - 1; tries++) {
    const own = taken.map((client) => (client as unknown as { processID: number }).processID);
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where ${OF_OTHERS} and pid <> all ($1::int[])`,
      [own],
    );
    while (taken.length < maxConnections) {
      const client = new pg.Client(url);
      client.on('error', () => {});
      const isIn = await client.connect().then(
        () => true,
        () => false,
      );
      if (!isIn) break;
      taken.push(client);
    }
  }
  return taken;
}
