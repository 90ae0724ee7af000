/** PV-19: what is sealed in the database, under which key, and how the key is changed. */
import { execFile } from 'node:child_process';
import { createECDH } from 'node:crypto';
import { promisify } from 'node:util';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Addresses } from '../../../src/accounts/Addresses.ts';
import { Sealing } from '../../../src/accounts/Sealing.ts';
import { SystemClock } from '../../../src/clock.ts';
import { ConfigError } from '../../../src/config.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { DataKeys, type StoredText } from '../../../src/platform/DataKeys.ts';
import { TEST_ENVIRONMENT, useApp } from '../../support/app.ts';
import { type Person, request } from '../../support/client.ts';
import { DATA_KEY, openDatabase, useDatabase } from '../../support/database.ts';
import { connect } from '../../support/life.ts';
import { newPerson, registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const ONE = 'the first data key of this test 0123456789';
const TWO = 'the second data key of this test 012345678';
const log = createLog('silent');

/** What a dump would hold: every row of every table of every schema, as text. */
async function dump(db: pg.Client): Promise<string> {
  const { rows } = await db.query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of rows) {
    const { rows: lines } = await db.query(`select t::text as line from ${name} t`);
    texts.push(...lines.map(({ line }) => `${name} ${line}`));
  }
  return texts.join('\n').toLowerCase();
}

describe('the keys of the data (PV-19)', () => {
  const base = useDatabase();
  const open = (current: string, previous?: string) =>
    DataKeys.open({ db: base.db, secrets: { current, previous }, log });
  beforeEach(async () => {
    await base.db.pool.query('delete from data_keys; delete from users');
  });

  it('are the same for processes that start at once, and read what each sealed', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => open(ONE)));
    const sealed = all[0]!.seal('email', 'ann@example.org');
    expect(sealed).not.toContain('ann');
    expect(all[0]!.seal('email', 'ann@example.org')).not.toBe(sealed);
    for (const keys of all) {
      expect(keys.openText(sealed)).toBe('ann@example.org');
      expect(keys.tag('email', 'ann@example.org')).toBe(all[0]!.tag('email', 'ann@example.org'));
      expect(keys.tagSecret).toBe(all[0]!.tagSecret);
    }
    expect(all[0]!.tag('push', 'ann@example.org')).not.toBe(all[0]!.tag('email', 'ann@example.org'));
  });

  it('open nothing that was changed or is of another kind, and leave plain text as it is', async () => {
    const keys = await open(ONE);
    const sealed = keys.seal('report', 'he was rude');
    for (const bad of [
      sealed.replace('report', 'email'),
      `${sealed.slice(0, -3)}${sealed.endsWith('AAA') ? 'BBB' : 'AAA'}`,
      `s1:report:${'A'.repeat(60)}`,
    ])
      expect(() => keys.openText(bad), bad).toThrow('cannot be opened');
    for (const plain of ['', 'ann@example.org', 's1:', 's1:x', 'https://push.example/s1:email:x'])
      expect(keys.openText(plain)).toBe(plain);
  });

  it('are refused at the start with any other DATA_KEY, in words', async () => {
    await open(ONE);
    for (const wrong of [() => open(TWO), () => open(TWO, 'yet another key of the data 0123456789')]) {
      const error = await wrong().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as Error).message).toContain('DATA_KEY');
      expect((error as Error).message).not.toContain(TWO);
    }
    await open(ONE);
  });

  it('go under a new DATA_KEY at one start, and the old one opens nothing then', async () => {
    const before = await open(ONE);
    const sealed = before.seal('email', 'ann@example.org');
    const { rows: wrapped } = await base.db.pool.query('select * from data_keys');
    const during = await Promise.all([open(TWO, ONE), open(TWO, ONE)]);
    await expect(open(ONE)).rejects.toThrow('DATA_KEY');
    const after = await open(TWO);
    for (const keys of [before, ...during, after]) {
      // Processes that still run with the old one as well.
      expect(keys.openText(sealed)).toBe('ann@example.org');
      expect(keys.tag('email', 'x')).toBe(before.tag('email', 'x'));
      expect(keys.tagSecret).toBe(before.tagSecret);
    }
    const { rows } = await base.db.pool.query('select * from data_keys');
    for (const row of rows) expect(wrapped.map((old) => old.wrapped)).not.toContainEqual(row.wrapped);
  });

  it('of a database from before keep what tags were made with', async () => {
    await base.db.pool.query(
      `insert into users (id, email, email_key, password_hash, display_name, birth_date, gender)
       values ($1, 'old@example.org', 'old@example.org', 'x', 'Old', '1990-01-01', 'man')`,
      [newId()],
    );
    expect((await open(ONE)).tagSecret).toBe(ONE);
    expect((await open(TWO, ONE)).tagSecret).toBe(ONE);
    await base.db.pool.query('delete from users; delete from data_keys');
    expect((await open(ONE)).tagSecret).not.toBe(ONE);
  });
});

describe('a dump of the database (PV-19)', () => {
  const BOSS = 'boss.of.all@example.org';
  const app = useApp({ ADMIN_EMAILS: BOSS });
  const endpoint = 'https://fcm.googleapis.com/fcm/send/a-device-of-somebody';
  const deviceKey = createECDH('prime256v1').generateKeys('base64url');
  let db: pg.Client;
  beforeAll(async () => {
    db = await connect(app.dbUrl);
  });
  afterAll(() => db.end());
  const subscribe = (person: Person) =>
    person.ok('POST', '/users/me/push-subscriptions', {
      endpoint,
      keys: { p256dh: deviceKey, auth: 'B'.repeat(22) },
    });

  it('has no address, no device and no complaint, and all of them work', async () => {
    const [ann, boss, bob] = await Promise.all([
      registerPerson(app.url, { email: 'Ann.At.Rest@Example.org' }),
      registerPerson(app.url, { email: BOSS }),
      newPerson(app),
    ]);
    await request(app.url, 'POST', '/api/v1/auth/register', {
      body: {
        email: 'waits.for.mail@example.org',
        password: TEST_PASSWORD,
        displayName: 'W',
        birthDate: '1990-01-01',
        gender: 'man',
      },
    });
    await request(app.url, 'POST', '/api/v1/auth/forgot-password', { body: { email: ann.email } });
    await subscribe(ann);
    const details = 'he told me about his whippets for hours';
    const complaint = { reason: 'rude', details, block: false };
    const headers = { 'idempotency-key': newId() };
    const { body } = await ann.call('POST', `/users/report/${bob.id}`, complaint, headers);
    const text = await dump(db);
    expect(text).toContain(ann.id);
    for (const secret of [
      'ann.at.rest',
      'boss.of.all',
      'waits.for.mail',
      'whippets',
      'a-device-of-somebody',
      deviceKey,
      'B'.repeat(22),
    ])
      expect(text.split('\n').filter((line) => line.includes(secret.toLowerCase()))).toEqual([]);

    expect((await ann.ok('GET', '/users/me')).email).toBe('Ann.At.Rest@Example.org');
    expect((await signIn(app.url, 'ANN.at.rest@example.org')).id).toBe(ann.id);
    const { held } = await (await signIn(app.url, ann.email)).ok('GET', '/users/me/export');
    expect(held.push_subscriptions).toMatchObject([{ endpoint }]);
    expect(held.reports).toMatchObject([{ details }]);
    const found = await boss.ok('GET', '/admin/users?query=Ann.At.Rest@example.ORG');
    expect(found.items).toMatchObject([{ id: ann.id, email: 'Ann.At.Rest@Example.org' }]);
    const { items } = await boss.ok('GET', '/admin/reports');
    expect(items.find(({ id }: { id: string }) => id === body.reportId)).toMatchObject({ details });
    await ann.call('DELETE', '/users/me/push-subscriptions', { endpoint });
    expect((await db.query('select from push_subscriptions')).rowCount).toBe(0);
  });

  it('cannot be used by a program with another DATA_KEY, which says why and ends', async () => {
    const environment = { ...process.env, ...TEST_ENVIRONMENT, DB_URL: app.dbUrl, DATA_KEY: TWO };
    const ended = promisify(execFile)(process.execPath, ['src/main.ts'], { env: environment });
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^The configuration is wrong:\n {2}- DATA_KEY: is not the one [^\n]*\n$/),
    });
  });

  it('has none of before either, once they were sealed; until then they work', async () => {
    const ann = await newPerson(app, { email: 'plain.before@example.org' });
    const [bob, carl] = [await newPerson(app), await newPerson(app)];
    await db.query(
      `insert into registrations (id, user_id, first, email, password_hash, display_name, birth_date, gender, created_at)
       values ($1, $2, false, 'plain.waiting@example.org', 'x', 'X', '1990-01-01', 'man', now())`,
      [newId(), bob.id],
    );
    await db.query(
      `insert into reports (id, reporter_id, reported_id, reason, details) values ($1, $2, $3, 'rude', 'plain words')`,
      [newId(), ann.id, bob.id],
    );
    const plain = `insert into push_subscriptions (endpoint, user_id, p256dh, auth) values ($1, $2, 'x', 'y')`;
    await db.query(plain, [`${endpoint}-plain`, ann.id]);
    await db.query(plain, [endpoint, carl.id]);
    await signIn(app.url, 'Plain.Before@example.org');
    // A known address is not registered again, though it is found by itself.
    const body = { email: 'PLAIN.before@example.org', password: TEST_PASSWORD, displayName: 'Other' };
    const profile = { birthDate: '1990-01-01', gender: 'man' };
    await request(app.url, 'POST', '/api/v1/auth/register', { body: { ...body, ...profile } });
    const { rows } = await db.query(`select id from users where display_name = 'Other'`);
    expect(rows).toEqual([]);
    // Whose device subscribes again has one row, not two.
    await subscribe(carl);
    expect((await db.query('select from push_subscriptions where user_id = $1', [carl.id])).rowCount).toBe(1);

    const pool = await openDatabase(app.dbUrl);
    const keys = await DataKeys.open({ db: pool, secrets: { current: DATA_KEY }, log });
    const clock = new SystemClock();
    const sealing = new Sealing({ db: pool, clock, log, keys, addresses: new Addresses(keys) });
    await sealing.run();
    await sealing.run();
    await sealing.close();
    const text = await dump(db);
    for (const secret of ['plain.before', 'plain.waiting', 'plain words', 'fcm/send'])
      expect(text.split('\n').filter((line) => line.includes(secret))).toEqual([]);
    await pool.close();

    expect((await signIn(app.url, 'Plain.Before@example.org')).id).toBe(ann.id);
    const { held } = await ann.ok('GET', '/users/me/export');
    expect(held.push_subscriptions).toMatchObject([{ endpoint: `${endpoint}-plain` }]);
    expect(held.reports).toMatchObject([{ details: 'plain words' }]);
    const { rows: stored } = await db.query('select email from users where id = $1', [ann.id]);
    expect(keys.open(stored[0].email as StoredText)).toBe('plain.before@example.org');
  });

  it('is sealed anew by a command, and was of no use with the secrets of before then', async () => {
    const pool = await openDatabase(app.dbUrl);
    const options = { db: pool, secrets: { current: DATA_KEY }, log };
    const before = await DataKeys.open(options);
    await subscribe(await newPerson(app));
    await registerPerson(app.url, { email: 'sealed.anew@example.org' });
    // Wherever there are any: a column that is sealed and that the command does not know of fails here.
    const sealed = async () => {
      const { rows: columns } = await db.query(
        `select table_name as name, column_name as text from information_schema.columns
         where table_schema = 'public' and data_type = 'text'`,
      );
      const texts: string[] = [];
      for (const { name, text } of columns) {
        const { rows } = await db.query(`select ${text} as text from ${name} where ${text} like 's1:%'`);
        texts.push(...rows.map((row) => row.text));
      }
      return texts.sort();
    };
    const texts = await sealed();
    expect(texts.length).toBeGreaterThan(4);
    // A run that was ended halfway, after which nothing starts.
    await DataKeys.renew(options);
    await expect(DataKeys.open(options)).rejects.toBeInstanceOf(ConfigError);
    const run = () =>
      promisify(execFile)(process.execPath, ['src/resealData.ts'], {
        env: { ...process.env, ...TEST_ENVIRONMENT, DB_URL: app.dbUrl },
      });
    expect((await run()).stdout).toMatch(/^\d+ texts were sealed anew\n$/);
    const after = await DataKeys.open(options);
    const anew = await sealed();
    expect(anew).toHaveLength(texts.length);
    expect(anew.filter((text) => before.opens(text) || !after.opens(text))).toEqual([]);
    const words = (keys: DataKeys, all: string[]) => all.map((text) => keys.openText(text)).sort();
    expect(words(after, anew)).toEqual(words(before, texts));
    expect(after.tag('email', 'x')).toBe(before.tag('email', 'x'));
    await pool.close();
  });
});
