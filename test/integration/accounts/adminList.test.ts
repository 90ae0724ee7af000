/** Who is an admin after a start with another list. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { openAccounts } from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';
import { newPerson } from '../../support/signedIn.ts';

const base = useDatabase();
let pool: pg.Pool;
let ids: string[];

beforeAll(async () => {
  pool = new pg.Pool({ connectionString: base.url });
  const made = ['ann@example.org', 'bob@example.org'].map((email) =>
    newPerson({ url: '', dbUrl: base.url }, { email }),
  );
  ids = (await Promise.all(made)).map(({ id }) => id);
});
afterAll(() => pool.end());

const [ANN, BOB] = [0, 1];

beforeEach(async () => {
  await pool.query(`update users set role = 'admin'`);
  await pool.query('update sessions set revoked_at = null');
});

/** Starts with a list; resolves with the warnings. */
async function start(adminEmails: string[]): Promise<string[]> {
  const warned: string[] = [];
  const log = Object.assign(createLog('silent'), {
    warn: (_: object, message: string) => void warned.push(message),
  });
  const parts = await openAccounts({ db: base.db, url: base.url, adminEmails, log });
  await parts.close();
  return warned.filter((message) => message.includes('ADMIN_EMAILS'));
}

const admins = async () =>
  (await pool.query(`select id from users where role = 'admin'`)).rows.map(({ id }) => id).sort();
const signedIn = async () =>
  (await pool.query('select user_id from sessions where revoked_at is null')).rows
    .map(({ user_id: id }) => id)
    .sort();

it('is who is on it: the others lose the role and their sessions', async () => {
  expect(await start(['Ann@Example.org'])).toEqual([]);
  expect(await admins()).toEqual([ids[ANN]]);
  expect(await signedIn()).toEqual([ids[ANN]]);
});

it('is nobody where nobody has an address of it', async () => {
  expect(await start(['nobody@invalid'])).toEqual([]);
  expect(await admins()).toEqual([]);
});

it('is who was, where the list is empty, and that is told as long as there is one', async () => {
  expect(await start([])).toHaveLength(1);
  expect(await admins()).toEqual([ids[ANN], ids[BOB]].sort());
  expect(await signedIn()).toEqual([ids[ANN], ids[BOB]].sort());
  await pool.query(`update users set role = 'user'`);
  expect(await start([])).toEqual([]);
});
