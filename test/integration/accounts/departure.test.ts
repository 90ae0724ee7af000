/** Deleting an account, having it back, and its erasure: AUTH-18, RC-31, PV-11, PV-13. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOLDINGS, IMPERSONAL } from '../../../src/accounts/holdings.ts';
import { newId } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Json, Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import {
  connect,
  deleteAccount,
  liveFully,
  photoFiles,
  tablesOf,
  tablesThatMention,
  uploadPhoto,
} from '../../support/life.ts';
import { newMatch, newPerson, registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const app = useApp();
let db: pg.Client;

beforeAll(async () => {
  db = await connect(app.dbUrl);
});
afterAll(async () => {
  await db.end();
});

const login = (person: Person, password = TEST_PASSWORD) =>
  request(app.url, 'POST', '/api/v1/auth/login', { body: { email: person.email, password } });
const subjects = async (person: Person) => (await mails(person)).map((mail) => mail.subject);
const mails = async (person: Person): Promise<Json[]> =>
  (await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(person.email)}`)).body.items;
/** Lets the grace period of a deleted account be over. */
const endGrace = (person: Person) =>
  db.query(`update users set erase_at = now() where id = $1 and status = 'deleted'`, [person.id]);
const isErased = async (person: Person) =>
  (await db.query('select from users where id = $1', [person.id])).rowCount === 0;

describe('who deletes the account', () => {
  it('must know the password, and is counted like somebody who guesses', async () => {
    const ann = await newPerson(app);
    expect(await deleteAccount(ann, 'not the password')).toMatchObject({
      status: 401,
      body: { code: 'INVALID_CREDENTIALS' },
    });
    const { rows } = await db.query(`select action, details from audit_log where user_id = $1`, [ann.id]);
    expect(rows).toContainEqual({
      action: 'account_delete_refused',
      details: { reason: 'INVALID_CREDENTIALS' },
    });
    for (const body of [
      {},
      { password: '' },
      { password: TEST_PASSWORD, now: true },
      { password: { $ne: 1 } },
    ])
      expect((await ann.call('DELETE', '/users/me', body)).status).toBe(400);
    expect((await ann.call('GET', '/users/me')).status).toBe(200);
  });

  it('is out of the call, out of sight and signed out everywhere at once (RC-31, AUTH-18)', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const elsewhere = await signIn(app.url, ann.email);
    const photo = await uploadPhoto(ann, 2);
    const [onPhone, toBob] = [await elsewhere.inbox(), await bob.inbox()];
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    const rooms = [new Inbox(await ann.sit(seat)), onPhone];
    const atBob = new Inbox(await bob.sit(answered.seat));
    const left = Promise.all(
      rooms.map(({ room }) => new Promise((done) => room.onLeave((code) => done(code)))),
    );
    const before = await bob.ok('GET', `/users/${ann.id}`);
    const [shown] = before.photos;
    expect((await fetch(shown.url)).status).toBe(200);

    const answer = await deleteAccount(ann);
    expect(answer.status).toBe(202);
    expect(Date.parse(answer.body.eraseAt) - Date.now()).toBeGreaterThan(13 * 86_400_000);

    expect(await left).toEqual([4102, 4102]);
    expect(await atBob.next('call:ended')).toMatchObject({ outcome: 'unavailable' });
    expect(await toBob.next('match:ended')).toMatchObject({ matchId, reason: 'ended' });
    for (const person of [ann, elsewhere]) expect((await person.call('GET', '/users/me')).status).toBe(401);
    expect((await bob.call('GET', `/users/${ann.id}`)).status).toBe(404);
    expect((await fetch(shown.url)).status).toBe(403);
    expect((await fetch(photo.url)).status).toBe(403);
    for (const list of ['active', 'history'])
      expect((await bob.ok('GET', `/matches/${list}`)).items).toEqual([]);
    const { items } = await bob.ok('GET', '/users/discovery?limit=100');
    expect(items.map((card: Json) => card.id)).not.toContain(ann.id);
    expect((await bob.call('GET', `/calls/${call.id}`)).body.call.phase).toBe('ended');
  });

  it('is not erased before their call and match have ended, and the other was told (RC-31)', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const toBob = await bob.inbox();
    const { call } = await bob.ok('POST', `/calls/initiate/${matchId}`, {});
    // Without a grace period, and whoever was to end what is between them died before.
    await db.query(
      `update users set status = 'deleted', erase_at = now(), settle_at = now() + interval '3 s' where id = $1`,
      [ann.id],
    );
    expect(await toBob.next('match:ended')).toMatchObject({ matchId, reason: 'ended' });
    expect(await toBob.next('call:ended')).toMatchObject({ call: { id: call.id, outcome: 'unavailable' } });
    await eventually(() => isErased(ann)).toBe(true);
  });

  it('is told by mail until when it can be taken back, and takes it back by signing in', async () => {
    const ann = await newPerson(app);
    await ann.ok('PUT', '/users/me', { bio: 'I was here' });
    await uploadPhoto(ann, 3);
    const { eraseAt } = (await deleteAccount(ann)).body;
    await eventually(() => subjects(ann)).toContain('Your account is deleted');
    expect((await mails(ann)).map((mail) => mail.text).join()).toContain(eraseAt.slice(0, 10));
    expect((await login(ann, 'not the password')).status).toBe(401);
    expect((await login(ann)).body).toMatchObject({ restored: true, user: { id: ann.id } });
    const back = await signIn(app.url, ann.email);
    expect((await login(ann)).body).not.toHaveProperty('restored');
    const me = await back.ok('GET', '/users/me');
    expect(me).toMatchObject({ bio: 'I was here', status: 'active' });
    expect(me.photos).toHaveLength(1);
    await eventually(() => subjects(ann)).toContain('Your account is back');
    const { rows } = await db.query('select erase_at, settle_at from users where id = $1', [ann.id]);
    expect(rows).toEqual([{ erase_at: null, settle_at: null }]);
  });

  it('can set a new password meanwhile, and come in with that', async () => {
    const ann = await newPerson(app);
    await deleteAccount(ann);
    await request(app.url, 'POST', '/api/v1/auth/forgot-password', { body: { email: ann.email } });
    await eventually(() => subjects(ann)).toContain('Choose a new password');
    const mail = (await mails(ann)).find(({ subject }) => subject === 'Choose a new password');
    const token = /\?token=([\w-]+)/.exec(mail.text)![1]!;
    const body = { token, password: 'a quiet violet harbour' };
    expect((await request(app.url, 'POST', '/api/v1/auth/reset-password', { body })).status).toBe(204);
    expect((await login(ann, 'a quiet violet harbour')).status).toBe(200);
  });

  it('cannot have it back when the grace period is over', async () => {
    const ann = await newPerson(app);
    await deleteAccount(ann);
    await endGrace(ann);
    expect((await login(ann)).body.code).toBe('INVALID_CREDENTIALS');
    await eventually(() => isErased(ann)).toBe(true);
    // The address is free again.
    const again = await registerPerson(app.url, { email: ann.email });
    expect(again.id).not.toBe(ann.id);
  });

  it('can still be banned, and is erased all the same', async () => {
    const ann = await newPerson(app);
    const boss = await newPerson(app);
    await deleteAccount(ann);
    await db.query(`update users set role = 'admin' where id = $1`, [boss.id]);
    const admin = await signIn(app.url, boss.email);
    const patch = (status: string) =>
      admin.call('PATCH', `/admin/users/${ann.id}/status`, { status, reason: 'x' });
    expect((await patch('active')).status).toBe(409);
    expect((await patch('banned')).status).toBe(200);
    await db.query('update users set erase_at = now() where id = $1', [ann.id]);
    await eventually(() => isErased(ann)).toBe(true);
    const { rows } = await db.query('select kind from ban_tags where user_id = $1 order by 1', [ann.id]);
    expect(rows.map((row) => row.kind)).toEqual(['device', 'email']);
  });

  it('has it back when a ban of meanwhile is taken back, by signing in as before', async () => {
    const [ann, boss] = [await newPerson(app), await newPerson(app)];
    await deleteAccount(ann);
    await db.query(`update users set role = 'admin' where id = $1`, [boss.id]);
    const admin = await signIn(app.url, boss.email);
    const standing = async (status: string) => {
      const answer = await admin.call('PATCH', `/admin/users/${ann.id}/status`, { status, reason: 'x' });
      return [answer.status, answer.body.status, answer.body.eraseAt];
    };
    const [, , eraseAt] = await standing('banned');
    expect(await login(ann)).toMatchObject({ status: 403 });
    expect((await standing('suspended'))[0]).toBe(409);
    expect(await standing('active')).toEqual([200, 'deleted', eraseAt]);
    expect((await db.query('select from ban_tags where user_id = $1', [ann.id])).rowCount).toBe(0);
    expect(eraseAt).toEqual(expect.any(String));
    expect(await login(ann)).toMatchObject({ status: 200, body: { user: { status: 'active' } } });
    expect((await ann.call('GET', '/users/me')).status).toBe(401);
  });
});

describe('what is held (PV-11)', () => {
  it('has a rule of erasure and of export for every table', async () => {
    // A table that is new: say in src/accounts/holdings.ts what becomes of it, and what of it people are given.
    expect(await tablesOf(db)).toEqual([...Object.keys(HOLDINGS), ...IMPERSONAL].sort());
  });

  it('goes with the person wherever a foreign key leads to one', async () => {
    const { rows } = await db.query(
      `select conrelid::regclass::text as name, confdeltype as rule from pg_constraint
       where contype = 'f' and confrelid = 'users'::regclass`,
    );
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter((row) => row.rule !== 'c' || HOLDINGS[row.name]?.erase !== 'gone')).toEqual([]);
  });

  it('is given out, all of it and nothing of others, and then erased but for what must stay (PV-13)', async () => {
    const { ann, bob, callId, reportId } = await liveFully(app, db);
    // The test is worth as much as that life was full: each table knows her, but those of hashes. Some rows are
    // written only after the answer.
    const hashes = ['ban_tags', 'dev_mailbox'];
    await eventually(() => tablesThatMention(db, ann.id)).toEqual(
      Object.keys(HOLDINGS)
        .filter((table) => !hashes.includes(table))
        .sort(),
    );
    const given = await ann.ok('GET', '/users/me/export');
    expect(given.profile).toMatchObject({ id: ann.id, email: ann.email, bio: 'A life' });
    for (const [table, { give }] of Object.entries(HOLDINGS)) {
      if ('kept' in give) expect(given.held, table).not.toHaveProperty(table);
      else expect(given.held[table].length, table).toBeGreaterThan(0);
    }
    expect(given.held.reports).toMatchObject([{ userId: bob.id, reason: 'rude as well' }]);
    const [photo] = given.held.photos;
    expect(Object.keys(photo)).not.toContain('key');
    const largest = await fetch(photo.full);
    expect([largest.status, largest.headers.get('content-type')]).toEqual([200, 'image/webp']);
    await largest.arrayBuffer();
    const text = JSON.stringify(given);
    expect(text).not.toContain(bob.email);
    expect(text).not.toMatch(/argon2|password_hash|token_hash/);

    const before = await photoFiles(app.dataDir);
    expect((await deleteAccount(ann)).status).toBe(202);
    await endGrace(ann);
    await eventually(() => isErased(ann)).toBe(true);
    const stays = Object.keys(HOLDINGS).filter((table) => HOLDINGS[table]!.erase !== 'gone');
    const left = await tablesThatMention(db, ann.id);
    // Bob's log of events says that she called; it goes with the month.
    expect(left.filter((table) => table !== 'outbox' && !stays.includes(table))).toEqual([]);
    expect(await tablesThatMention(db, ann.email)).toEqual([]);
    expect((await mails(ann)).length).toBeLessThanOrEqual(1);
    const after = await photoFiles(app.dataDir);
    expect(before.length).toBeGreaterThan(after.length);
    const { rows: photos } = await db.query('select key from photos');
    expect(after.filter((file) => !photos.some(({ key }) => file.includes(key)))).toEqual([]);
    // The complaint of the other one is still there, with the facts of the call.
    const { rows } = await db.query('select * from reports where id = $1', [reportId]);
    expect(rows).toMatchObject([
      { reporter_id: bob.id, reported_id: ann.id, call_id: callId, call_facts: { phase: 'ended' } },
    ]);
    const { rows: log } = await db.query(
      `select action from audit_log where user_id = $1 and action like 'account_%' order by id`,
      [ann.id],
    );
    expect(log.map((row) => row.action)).toEqual(['account_exported', 'account_deleted', 'account_erased']);
    expect((await bob.call('GET', '/users/me')).status).toBe(200);
  });

  it('is given as it was written, also where that looks like what is sealed', async () => {
    const [ann, other] = [await newPerson(app), await newPerson(app)];
    const written = { reason: `s1:email:${'A'.repeat(38)}`, details: `s1:report:${'A'.repeat(38)}` };
    await ann.ok('POST', `/users/report/${other.id}`, { ...written, block: false });
    expect((await ann.ok('GET', '/users/me/export')).held.reports).toMatchObject([written]);
  });

  it('does not tell that a refusal was for a ban, which its answer did not', async () => {
    const device = { 'x-device-id': newId() };
    const post = (path: string, body: object, headers: Record<string, string> = {}) =>
      request(app.url, 'POST', `/api/v1/auth/${path}`, { body, headers });
    const [boss, villain] = [await newPerson(app), await newPerson(app)];
    await db.query(`update users set role = 'admin' where id = $1`, [boss.id]);
    const admin = await signIn(app.url, boss.email);
    const email = `${newId()}@example.org`;
    const body = {
      email,
      password: TEST_PASSWORD,
      displayName: 'Alt',
      birthDate: '1990-05-17',
      gender: 'man',
    };
    await post('register', body);
    await post('forgot-password', { email });
    const alt = { email } as Person;
    const link = async (subject: RegExp) =>
      /\?token=([\w-]+)/.exec((await mails(alt)).find((mail) => subject.test(mail.subject))?.text ?? '')?.[1];
    await eventually(() => link(/Verify/)).toBeDefined();
    await eventually(() => link(/password/)).toBeDefined();
    await post('login', { email: villain.email, password: TEST_PASSWORD }, device);
    const banned = { status: 'banned', reason: 'x' };
    await admin.ok('PATCH', `/admin/users/${villain.id}/status`, banned);
    expect((await post('verify-email', { token: await link(/Verify/) }, device)).status).toBe(400);
    const reset = { token: await link(/password/), password: 'a quiet violet harbour' };
    expect((await post('reset-password', reset, device)).status).toBe(400);
    const mine = await signIn(app.url, email);
    expect((await login(mine, 'not the password')).status).toBe(401);
    expect((await post('login', { email, password: TEST_PASSWORD }, device)).status).toBe(403);
    const { rows } = await db.query(
      `select action from audit_log where user_id = $1 and details->>'reason' like 'BANNED%' order by id`,
      [mine.id],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'email_verify_refused',
      'password_reset_refused',
      'login_refused',
    ]);
    const { audit_log: lines } = (await mine.ok('GET', '/users/me/export')).held;
    expect(JSON.stringify(lines)).not.toContain('BANNED');
    const refused = lines.filter((line: Json) => line.action.endsWith('_refused'));
    expect(refused).toMatchObject([{ action: 'login_refused', details: { reason: 'INVALID_CREDENTIALS' } }]);
  });

  it('does not give what whoever had the address first left behind, nor bans him for its owner', async () => {
    const [email, device] = [`${newId()}@example.org`, newId()];
    const strange = { 'x-device-id': device, 'user-agent': 'Mozilla/5.0 (Windows) Firefox/140.0' };
    const post = (path: string, body: object, headers: Record<string, string> = {}) =>
      request(app.url, 'POST', `/api/v1${path}`, { body, headers });
    const born = { birthDate: '1990-05-17', gender: 'woman' };
    const first = { email, password: 'a quiet violet harbour', displayName: 'Mallory', ...born };
    await post('/auth/register', first, strange);
    const { body: his } = await post('/auth/login', { email, password: first.password }, strange);
    const mallory = new Person(app.url, his.user.id, email, his.accessToken);
    const key = 'A'.repeat(43);
    expect((await mallory.call('PUT', '/users/me/sessions/current/key', { key })).status).toBe(204);
    expect((await mallory.call('GET', '/users/me/export')).status).toBe(200);
    const { id: other } = await newPerson(app);
    await mallory.ok('POST', `/users/report/${other}`, { reason: 'a stranger wrote this', block: false });

    await post('/auth/register', { email, password: TEST_PASSWORD, displayName: 'Owner', ...born });
    const links = async () =>
      (await mails(mallory)).flatMap(({ subject, text }) =>
        /Verify/.test(subject) ? [/\?token=([\w-]+)/.exec(text)![1]!] : [],
      );
    await eventually(async () => (await links()).length).toBe(2);
    const verified = await post('/auth/verify-email', { token: (await links())[0] });
    expect(verified.status).toBe(204);
    const owner = await signIn(app.url, email);
    expect(owner.id).toBe(mallory.id);
    // He still tries his tokens.
    expect((await post('/auth/refresh-token', { refreshToken: his.refreshToken }, strange)).status).toBe(401);
    const given = await owner.ok('GET', '/users/me/export');
    expect(given.held.sessions).toHaveLength(1);
    expect(given.held.reports).toEqual([]);
    const text = JSON.stringify(given);
    for (const trace of [device, 'Windows', key.slice(1), 'a stranger wrote this', 'account_exported'])
      expect(text, trace).not.toContain(trace);
    expect(given.held.audit_log.map((line: Json) => line.action)).toEqual(
      expect.arrayContaining(['email_verified', 'login']),
    );
    const { rows } = await db.query(
      `select device_id, device_name, address, device_key from sessions where id = $1`,
      [JSON.parse(Buffer.from(his.accessToken.split('.')[1], 'base64url').toString()).sid],
    );
    expect(rows).toMatchObject([{ device_name: 'an unknown client', address: 'unknown', device_key: null }]);
    expect(rows[0].device_id).not.toBe(device);

    const boss = await newPerson(app);
    await db.query(`update users set role = 'admin' where id = $1`, [boss.id]);
    const admin = await signIn(app.url, boss.email);
    const banned = { status: 'banned', reason: 'x' };
    expect((await admin.call('PATCH', `/admin/users/${owner.id}/status`, banned)).status).toBe(200);
    const spare = await newPerson(app);
    const { status } = await post('/auth/login', { email: spare.email, password: TEST_PASSWORD }, strange);
    expect(status).toBe(200);
  });

  it('is given out only soon after the password was typed', async () => {
    const ann = await newPerson(app);
    expect((await ann.call('GET', '/users/me/export')).headers.get('cache-control')).toContain('no-store');
    await db.query(`update sessions set created_at = now() - interval '16 minutes' where user_id = $1`, [
      ann.id,
    ]);
    expect(await ann.call('GET', '/users/me/export')).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN', details: [{ path: 'session' }] },
    });
    const { rows } = await db.query(
      `select user_id, details from audit_log where action = 'account_export_refused' and user_id = $1`,
      [ann.id],
    );
    expect(rows).toMatchObject([{ details: { reason: 'SESSION_TOO_OLD' } }]);
    const again = await signIn(app.url, ann.email);
    expect((await again.call('GET', '/users/me/export')).status).toBe(200);
    expect((await request(app.url, 'GET', '/api/v1/users/me/export')).status).toBe(401);
  });
});
