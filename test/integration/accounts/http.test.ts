import { describe, expect, it, vi } from 'vitest';
import { Passwords } from '../../../src/accounts/Passwords.ts';
import { Tokens } from '../../../src/accounts/shapes.ts';
import { PASSWORD, registration } from '../../support/accounts.ts';
import { type Json, request } from '../../support/client.ts';
import { useDoor } from './door.ts';

const { app, post, get, register, login, mailedToken } = useDoor();
const DEVICE = 'f3b7b3a0-5f0e-4d7e-9a53-6f0f1c2d3e4f';

describe('the line over HTTP', () => {
  it('registers, verifies, signs in, lists its sessions, refreshes, signs out', async () => {
    const email = await register();
    const early = await login(email);
    expect(early.user).toMatchObject({ email, emailVerified: false });
    const token = await mailedToken(email, /Verify/);
    expect((await post('/auth/verify-email', { token })).status).toBe(204);
    expect(await post('/auth/verify-email', { token })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    });

    const tokens = await login(email, { 'x-device-id': DEVICE.toUpperCase() });
    expect(Tokens.parse(tokens)).toMatchObject({ deviceId: DEVICE, user: { email, emailVerified: true } });
    expect(Date.parse(tokens.accessTokenExpiresAt) - Date.now()).toBeGreaterThan(890_000);

    const sessions = await get('/users/me/sessions', tokens.accessToken);
    expect(sessions.body.items).toHaveLength(2);
    const other = sessions.body.items.find((item: Json) => !item.current);
    const del = (id: string) =>
      request(app.url, 'DELETE', `/api/v1/users/me/sessions/${id}`, { token: tokens.accessToken });
    expect((await del(other.id)).status).toBe(204);
    expect((await del(other.id)).status).toBe(404);
    expect((await del('nonsense')).status).toBe(404);
    expect((await get('/users/me', early.accessToken)).status).toBe(401);

    const next = await post('/auth/refresh-token', { refreshToken: tokens.refreshToken });
    expect(next).toMatchObject({ status: 200, body: { deviceId: DEVICE } });
    expect((await post('/auth/logout', undefined, { token: next.body.accessToken })).status).toBe(204);
    expect(await get('/users/me', next.body.accessToken)).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHORIZED' },
    });
    expect((await post('/auth/refresh-token', { refreshToken: next.body.refreshToken })).status).toBe(401);
  });

  it('refuses a device id that is no UUID, alike for known and unknown addresses; whoever leaves needs none', async () => {
    const email = await register();
    const wrong = { 'x-device-id': 'my phone' };
    const details = [{ path: 'x-device-id', message: 'must be a UUID' }];
    for (const address of [email, 'nobody@example.org']) {
      for (const [path, body] of [
        ['/auth/login', { email: address, password: PASSWORD }],
        ['/auth/register', registration({ email: address })],
        ['/auth/verify-email', { token: address }],
        ['/auth/reset-password', { token: address, password: PASSWORD }],
      ] as const)
        expect(await post(path, body, { headers: wrong }), path).toMatchObject({
          status: 400,
          body: { code: 'VALIDATION_FAILED', details },
        });
      expect((await post('/auth/forgot-password', { email: address }, { headers: wrong })).status).toBe(202);
    }
    const { accessToken: token } = await login(email);
    expect((await post('/auth/logout', undefined, { token, headers: wrong })).status).toBe(204);
  });

  it('resets a forgotten password', async () => {
    const email = await register();
    await post('/auth/forgot-password', { email });
    const token = await mailedToken(email, /new password/);
    expect((await post('/auth/reset-password', { token, password: 'password123' })).status).toBe(400);
    expect((await post('/auth/reset-password', { token, password: 'another violet harbour' })).status).toBe(
      204,
    );
    expect((await post('/auth/login', { email, password: PASSWORD })).status).toBe(401);
    expect((await post('/auth/login', { email, password: 'another violet harbour' })).status).toBe(200);
  });

  it('changes a password', async () => {
    const email = await register();
    const here = await login(email);
    const there = await login(email);
    const body = { currentPassword: PASSWORD, newPassword: 'another violet harbour' };
    const changed = await post('/auth/change-password', body, { token: here.accessToken });
    expect(changed.status).toBe(200);
    expect((await get('/users/me', there.accessToken)).status).toBe(401);
    expect((await get('/users/me', changed.body.accessToken)).status).toBe(200);
    expect((await post('/auth/change-password', body, { token: changed.body.accessToken })).body.code).toBe(
      'INVALID_CREDENTIALS',
    );
  });
});

describe('what is said to strangers', () => {
  it('is the same for known and unknown addresses, but for the request id (AUTH-19, AUTH-21)', async () => {
    const email = await register();
    const strip = ({ status, headers, body }: Json) => {
      const { requestId, ...rest } = body;
      expect(requestId ?? '').toBeTypeOf('string');
      return {
        status,
        body: rest,
        headers: [...headers.keys()].sort(),
        length: headers.get('content-length'),
      };
    };
    const known = registration({ email });
    expect(strip(await post('/auth/register', known))).toEqual(
      strip(await post('/auth/register', registration())),
    );
    const nobody = 'nobody@example.org';
    for (const path of ['/auth/forgot-password', '/auth/resend-verification']) {
      expect(strip(await post(path, { email }))).toEqual(strip(await post(path, { email: nobody })));
    }
    const wrong = 'not the password at all';
    const one = await post('/auth/login', { email, password: wrong });
    expect(strip(one)).toEqual(strip(await post('/auth/login', { email: nobody, password: wrong })));
    expect(one.body.code).toBe('INVALID_CREDENTIALS');
  });

  it('is 400 for bodies that do not fit, and nothing is hashed for them (AUTH-33)', async () => {
    const good = registration();
    const bad: object[] = [
      { ...good, password: 'x'.repeat(7) },
      { ...good, password: 'x'.repeat(257) },
      { ...good, password: { $ne: null } },
      { ...good, email: 'nobody' },
      { ...good, role: 'admin' },
      { ...good, birthDate: '1990-02-30' },
      { email: good.email },
    ];
    for (const body of bad)
      expect((await post('/auth/register', body)).body.code, JSON.stringify(body)).toBe('VALIDATION_FAILED');
    expect((await post('/auth/register', { ...good, birthDate: '2020-01-01' })).body.code).toBe('UNDERAGE');
    const hashed = vi.spyOn(Passwords.prototype, 'hash');
    const huge = await post('/auth/register', { ...good, password: 'x'.repeat(10_000_000) }).catch(
      () => undefined,
    );
    expect([400, 413, undefined]).toContain(huge?.status);
    expect(hashed).not.toHaveBeenCalled();
    hashed.mockRestore();
  });

  it('is 429 from the sixth wrong login on, whatever headers say of the address (AUTH-24)', async () => {
    const email = await register();
    const answers = [];
    for (let nth = 0; nth < 6; nth++) {
      const address = `198.51.100.${nth}`;
      const headers = {
        'x-forwarded-for': address,
        'x-real-ip': address,
        'x-client-ip': address,
        forwarded: `for=${address}`,
      };
      const password = nth === 5 ? PASSWORD : 'not the password at all';
      answers.push(await post('/auth/login', { email, password }, { headers }));
    }
    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 401, 401, 401, 429]);
    expect(Number(answers[5]!.headers.get('retry-after'))).toBeGreaterThan(800);
  });
});

describe('a storm of logins (AUTH-35)', () => {
  it('is let in as far as the queue goes, and others are served meanwhile', async () => {
    const email = await register();
    const { accessToken } = await login(email);
    const storm = Promise.all(
      Array.from({ length: 500 }, (_, nth) =>
        post('/auth/login', { email: `storm-${nth}@example.org`, password: 'not the password at all' }),
      ),
    );
    let served = 0;
    let over = false;
    storm.finally(() => {
      over = true;
    });
    while (!over) {
      expect((await get('/users/me', accessToken)).status).toBe(200);
      served += 1;
    }
    // One after the other, all through the storm: had they waited behind the hashes there would be one.
    expect(served).toBeGreaterThan(5);
    const answers = await storm;
    const ofStatus = (status: number) => answers.filter((answer) => answer.status === status);
    expect(ofStatus(401).length + ofStatus(503).length).toBe(500);
    // The queue holds 100 and some run: all of those are answered, nobody more is waited for.
    expect(ofStatus(401).length).toBeGreaterThanOrEqual(100);
    expect(ofStatus(503).length).toBeGreaterThan(0);
    for (const answer of ofStatus(503)) expect(answer.headers.get('retry-after')).toBe('2');
  }, 240_000);
});
