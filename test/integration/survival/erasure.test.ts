/** FT-05: a process that dies in the middle of an erasure; the next one finishes it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { connect, deleteAccount, photoFiles, tablesThatMention, uploadPhoto } from '../../support/life.ts';
import type { TestServer } from '../../support/server.ts';
import { newPerson } from '../../support/signedIn.ts';
import { startShared } from './processes.ts';

/** The program starts three times in here. */
const START_MS = 240_000;
let database: TestDatabase;
let db: pg.Client;
let dataDir: string;
let server: TestServer | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  db = await connect(database.url);
  dataDir = await mkdtemp(join(tmpdir(), 'duet-erasure-'));
});
afterAll(async () => {
  await server?.kill();
  await db?.end();
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

const start = () => startShared({ DB_URL: database.url, DATA_DIR: dataDir, ACCOUNT_GRACE_SEC: '3600' });
const rowsOf = async (table: string, userId: string) =>
  (await db.query(`select from ${table} where ${table === 'users' ? 'id' : 'user_id'} = $1`, [userId]))
    .rowCount;

test(
  'kill -9 between the files and the rows, and before either: the next process erases the rest',
  async () => {
    server = await start();
    const ann = await newPerson(server);
    for (const seed of [1, 2]) await uploadPhoto(ann, seed);
    expect(await photoFiles(dataDir)).not.toEqual([]);
    expect((await deleteAccount(ann)).status).toBe(202);

    // The files can go, the rows cannot: somebody holds on to the profile's photos.
    const holder = await connect(database.url);
    await holder.query('begin');
    await holder.query('select from photos where user_id = $1 for update', [ann.id]);
    await db.query('update users set erase_at = now() where id = $1', [ann.id]);
    await eventually(() => photoFiles(dataDir)).toEqual([]);
    await server.kill();
    await holder.query('rollback');
    await holder.end();
    expect([await rowsOf('users', ann.id), await rowsOf('photos', ann.id)]).toEqual([1, 2]);

    server = await start();
    await eventually(() => rowsOf('users', ann.id)).toBe(0);
    expect(await rowsOf('photos', ann.id)).toBe(0);
    const left = await tablesThatMention(db, ann.id);
    expect(left).toEqual(['audit_log']);
    const { rows } = await db.query(
      `select from audit_log where user_id = $1 and action = 'account_erased'`,
      [ann.id],
    );
    expect(rows).toHaveLength(1);

    // What falls due while nothing runs is done at the next start.
    const bob = await newPerson(server);
    await uploadPhoto(bob, 3);
    await deleteAccount(bob);
    await server.kill();
    await db.query('update users set erase_at = now() where id = $1', [bob.id]);
    server = await start();
    await eventually(() => rowsOf('users', bob.id)).toBe(0);
    expect(await photoFiles(dataDir)).toEqual([]);
  },
  START_MS,
);
