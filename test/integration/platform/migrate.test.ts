/** Processes that start at once on one database. */
import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { openDatabase } from '../../support/database.ts';
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
