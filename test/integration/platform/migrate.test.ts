/** Processes that start at once on one database. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { openDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { onServer, withDatabase } from '../../support/postgresServer.ts';

test('one of them migrates, the others find it done', async () => {
  const { url } = inject('postgres');
  const name = `duet_migrate_${randomBytes(4).toString('hex')}`;
  await onServer(url, `create database ${name}`);
  const processes = await Promise.all([1, 2, 3].map(() => openDatabase(withDatabase(url, name), 2)));
  try {
    await Promise.all(processes.map((db) => db.migrate()));
    for (const db of processes) expect(await db.orm.migrator.getPending()).toEqual([]);
  } finally {
    await Promise.all(processes.map((db) => db.close()));
    await onServer(url, `drop database ${name} with (force)`);
  }
});

test('one whose connection is lost while it waits for its turn is told so', async () => {
  const { url } = inject('postgres');
  const name = `duet_migrate_${randomBytes(4).toString('hex')}`;
  await onServer(url, `create database ${name}`);
  const first = new pg.Client(withDatabase(url, name));
  await first.connect();
  await first.query(`select pg_advisory_lock(hashtextextended('duet migrations', 0))`);
  const db = await openDatabase(withDatabase(url, name), 1);
  try {
    const migrating = expect(db.migrate()).rejects.toThrow();
    await eventually(async () => {
      const { rows } = await first.query(
        `select pg_terminate_backend(pid) as ended from pg_locks where not granted`,
      );
      return rows;
    }).toEqual([{ ended: true }]);
    await migrating;
  } finally {
    await Promise.all([db.close(), first.end()]);
    await onServer(url, `drop database ${name} with (force)`);
  }
});
