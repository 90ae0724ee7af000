/** AUTH-17: a ban, how soon it is in force, and who comes back. */
import { Client } from '@colyseus/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/ids.ts';
import { until } from '../../support/accounts.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Person, request } from '../../support/client.ts';
import { picture } from '../../support/images.ts';
import { newMatch, newPerson, registerPerson, TEST_PASSWORD } from '../../support/signedIn.ts';

const BOSS = 'boss@example.org';
const app = useApp({ ADMIN_EMAILS: BOSS });
let boss: Person;

beforeAll(async () => {
  boss = await registerPerson(app.url, { email: BOSS });
});

const ban = { status: 'banned', reason: 'threats' };
const login = (person: Person) =>
  request(app.url, 'POST', '/api/v1/auth/login', { body: { email: person.email, password: TEST_PASSWORD } });

describe('a ban in the middle of a call (AUTH-17)', () => {
  it('refuses the banned one everywhere, ends the call for the other in neutral words, and hides him', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { body: tokens } = await login(ann);
    const toBob = await bob.inbox();
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    const atAnn = new Inbox(await ann.sit(seat));
    const atBob = new Inbox(await bob.sit(answered.seat));
    const token = atAnn.room.reconnectionToken;
    const annLeft = new Promise<number>((resolve) => atAnn.room.onLeave((code) => resolve(code)));

    expect(await boss.call('PATCH', `/admin/users/${ann.id}/status`, ban)).toMatchObject({
      status: 200,
      body: { id: ann.id, status: 'banned', statusReason: 'threats' },
    });

    expect(await annLeft).toBe(4102);
    expect(await toBob.next('call:ended', (event) => event.call.id === call.id)).toMatchObject({
      outcome: 'unavailable',
    });
    expect(await toBob.next('match:ended', (event) => event.matchId === matchId)).toMatchObject({
      status: 'ended',
      reason: 'ended',
    });
    expect(await atBob.next('call:ended')).toMatchObject({ outcome: 'unavailable' });
    // Nothing that Bob hears names the ban or her.
    expect(JSON.stringify([toBob.events, atBob.events])).not.toMatch(/ban|suspend|threats/i);

    expect((await ann.call('GET', '/users/me')).status).toBe(401);
    expect(await login(ann)).toMatchObject({ status: 403, body: { code: 'ACCOUNT_SUSPENDED' } });
    const refresh = { body: { refreshToken: tokens.refreshToken } };
    expect((await request(app.url, 'POST', '/api/v1/auth/refresh-token', refresh)).status).toBe(401);
    const sdk = new Client(app.url);
    sdk.auth.token = ann.token;
    await expect(sdk.reconnect(token)).rejects.toThrow();

    expect((await bob.ok('GET', '/matches/active')).items).toEqual([]);
    expect((await bob.ok('GET', '/matches/history')).items).toEqual([]);
    expect((await bob.call('GET', `/users/${ann.id}`)).status).toBe(404);
    const { items } = await bob.ok('GET', '/users/discovery?limit=100');
    expect(items.map((card: { id: string }) => card.id)).not.toContain(ann.id);
    expect((await bob.call('POST', `/calls/initiate/${matchId}`, {})).body.code).toBe('MATCH_NOT_ACTIVE');
    expect((await bob.call('POST', `/matches/like/${ann.id}`)).status).toBe(404);
  });

  it('stays in force for who registers again, with the same mailbox or the same device', async () => {
    const device = '0d1f2c3b-5f0e-4d7e-9a53-6f0f1c2d3e4f';
    const villain = await newPerson(app, { email: 'some.villain@example.org' });
    await request(app.url, 'POST', '/api/v1/auth/login', {
      body: { email: villain.email, password: TEST_PASSWORD },
      headers: { 'x-device-id': device },
    });
    await boss.ok('PATCH', `/admin/users/${villain.id}/status`, ban);
    const register = (email: string, headers: Record<string, string> = {}) =>
      request(app.url, 'POST', '/api/v1/auth/register', {
        body: {
          email,
          password: TEST_PASSWORD,
          displayName: 'Newcomer',
          birthDate: '1990-05-17',
          gender: 'man',
        },
        headers,
      });
    const found = async () =>
      (await boss.ok('GET', '/admin/users?query=Newcomer&limit=100')).items.map(
        (user: { email: string }) => user.email,
      );
    expect((await register('Some.Villain@example.org')).status).toBe(202);
    expect((await register('somevillain+again@example.org')).status).toBe(202);
    expect((await register('other@example.org', { 'x-device-id': device })).status).toBe(202);
    expect((await register('innocent@example.org')).status).toBe(202);
    expect(await found()).toEqual(['innocent@example.org']);
    await boss.ok('PATCH', `/admin/users/${villain.id}/status`, { status: 'active', reason: 'a mistake' });
    await register('other@example.org', { 'x-device-id': device });
    expect(await found()).toEqual(['other@example.org', 'innocent@example.org']);
  });

  it('is in force for accounts that were there before: none is entered or verified from the device', async () => {
    const device = { 'x-device-id': '5b0f2c3b-5f0e-4d7e-9a53-6f0f1c2d3e50' };
    const post = (path: string, body: object, headers: Record<string, string> = {}) =>
      request(app.url, 'POST', `/api/v1/auth/${path}`, { body, headers });
    const signIn = (email: string, headers = {}) =>
      post('login', { email, password: TEST_PASSWORD }, headers);
    const born = { displayName: 'Sleeper', birthDate: '1990-05-17', gender: 'man' };
    const mailed = (email: string, subject: RegExp) =>
      until(async () => {
        const { body } = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
        const mail = body.items.find((item: { subject: string }) => subject.test(item.subject));
        return /\?token=([\w-]+)/.exec(mail?.text ?? '')?.[1];
      });
    const prepare = async (email: string) => {
      await post('register', { email, password: TEST_PASSWORD, ...born });
      return { email, token: await mailed(email, /Verify/) };
    };
    const villain = await newPerson(app, { email: 'early.bird@example.org' });
    const spare = await newPerson(app);
    expect((await signIn(villain.email, device)).status).toBe(200);
    expect((await signIn(spare.email, device)).status).toBe(200);
    const [sleeper, alias] = [
      await prepare('sleeper@example.org'),
      await prepare('earlybird+two@example.org'),
    ];
    await boss.ok('PATCH', `/admin/users/${villain.id}/status`, ban);

    expect(await signIn(spare.email, device)).toMatchObject({
      status: 403,
      body: { code: 'ACCOUNT_SUSPENDED' },
    });
    expect((await boss.ok('GET', `/admin/audit?userId=${spare.id}`)).items[0]).toMatchObject({
      action: 'login_refused',
      details: { reason: 'BANNED_DEVICE' },
    });
    expect(
      (await signIn(spare.email, { 'x-device-id': '6c1f2c3b-5f0e-4d7e-9a53-6f0f1c2d3e51' })).status,
    ).toBe(200);
    // Whoever keeps the others out is not kept out.
    expect((await signIn(BOSS, device)).status).toBe(200);

    expect((await post('verify-email', { token: sleeper.token }, device)).status).toBe(400);
    expect((await post('verify-email', { token: alias.token })).status).toBe(400);
    await post('forgot-password', { email: alias.email });
    const reset = { token: await mailed(alias.email, /password/), password: TEST_PASSWORD };
    expect((await post('reset-password', reset)).status).toBe(400);
    const refusals = (await boss.ok('GET', '/admin/audit?limit=100')).items.map(
      (item: { action: string; details: { reason?: string } }) => `${item.action} ${item.details.reason}`,
    );
    expect(refusals.filter((one: string) => one === 'email_verify_refused BANNED')).toHaveLength(2);
    expect(refusals).toContain('password_reset_refused BANNED');

    await boss.ok('PATCH', `/admin/users/${villain.id}/status`, { status: 'active', reason: 'a mistake' });
    expect((await signIn(spare.email, device)).status).toBe(200);
  });

  it('of an account whose address nobody verified leaves the owner of the address alone', async () => {
    const post = (path: string, body: object, headers: Record<string, string> = {}) =>
      request(app.url, 'POST', `/api/v1/auth/${path}`, { body, headers });
    const mailed = (email: string, subject: RegExp, count: number) =>
      until(async () => {
        const { body } = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
        const mails = body.items.filter((item: { subject: string }) => subject.test(item.subject));
        return mails.length < count ? undefined : /\?token=([\w-]+)/.exec(mails[0].text)![1];
      });
    const born = { displayName: 'Somebody', birthDate: '1990-05-17', gender: 'man' };
    const password = 'a password of the owner';
    for (const status of ['banned', 'suspended'])
      for (const way of ['verify', 'reset']) {
        const email = `${status}.${way}@example.org`;
        const device = { 'x-device-id': newId() };
        await post('register', { email, password: TEST_PASSWORD, ...born });
        const first = await mailed(email, /Verify/, 1);
        const villain = (await post('login', { email, password: TEST_PASSWORD }, device)).body.user;
        await boss.ok('PATCH', `/admin/users/${villain.id}/status`, { status, reason: 'spam' });
        if (status === 'banned') expect((await post('verify-email', { token: first })).status).toBe(400);
        if (way === 'verify') {
          await post('register', { email, password, ...born });
          const token = await mailed(email, /Verify/, 2);
          expect((await post('verify-email', { token })).status).toBe(204);
        } else {
          await post('forgot-password', { email });
          const token = await mailed(email, /new password/, 1);
          expect((await post('reset-password', { token, password })).status).toBe(204);
        }
        const answer = await post('login', { email, password });
        expect([status, way, answer.status]).toEqual([status, way, 200]);
        expect(await boss.ok('GET', `/admin/users/${villain.id}`)).toMatchObject({
          status: 'active',
          statusReason: null,
        });
        // The device is his who was banned.
        const spare = await newPerson(app);
        const there = await post('login', { email: spare.email, password: TEST_PASSWORD }, device);
        expect(there.status).toBe(status === 'banned' ? 403 : 200);
      }
  });

  it('keeps the picture away until nobody who has it is banned any more', async () => {
    const image = await picture(77);
    const upload = async (person: Person) => {
      const response = await fetch(`${app.url}/api/v1/users/me/photos`, {
        method: 'POST',
        headers: { authorization: `Bearer ${person.token}`, 'content-type': 'image/jpeg' },
        body: new Uint8Array(image),
      });
      return response.status;
    };
    const [ann, bob, newcomer] = [await newPerson(app), await newPerson(app), await newPerson(app)];
    expect([await upload(ann), await upload(bob)]).toEqual([201, 201]);
    const standing = (person: Person, status: string) =>
      boss.ok('PATCH', `/admin/users/${person.id}/status`, { status, reason: 'a picture' });
    await standing(ann, 'banned');
    for (const status of ['suspended', 'active', 'banned', 'active']) {
      await standing(bob, status);
      expect(await upload(newcomer), status).toBe(403);
    }
    await standing(ann, 'suspended');
    expect(await upload(newcomer)).toBe(201);
  });
});
