import { describe, expect, it } from 'vitest';
import { Tokens } from '../../../src/accounts/shapes.ts';
import { PASSWORD, registration, until } from '../../support/accounts.ts';
import { useApp } from '../../support/app.ts';
import { type Json, request } from '../../support/client.ts';

const app = useApp({ LIMIT_LOGIN: '5' });
const DEVICE = 'f3b7b3a0-5f0e-4d7e-9a53-6f0f1c2d3e4f';

type Options = Parameters<typeof request>[3];
const post = (path: string, body?: unknown, options: Options = {}) =>
  request(app.url, 'POST', `/api/v1${path}`, { body, ...options });
const get = (path: string, token: string) => request(app.url, 'GET', `/api/v1${path}`, { token });

async function mails(email: string): Promise<Json[]> {
  const answer = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
  expect(answer.status).toBe(200);
  return answer.body.items;
}

async function mailedToken(email: string, subject: RegExp): Promise<string> {
  const mail = await until(async () => (await mails(email)).find((item) => subject.test(item.subject)));
  return /\?token=([\w-]+)/.exec(mail.text)![1]!;
}

async function register(): Promise<string> {
  const body = registration();
  expect(await post('/auth/register', body)).toMatchObject({ status: 202 });
  return body.email;
}

async function login(email: string, headers: Record<string, string> = {}): Promise<Json> {
  const answer = await post('/auth/login', { email, password: PASSWORD }, { headers });
  expect(answer.status).toBe(200);
  return answer.body;
}

/** Cookies of an answer by name: value and attributes. */
function cookiesOf(headers: Headers): Record<string, { value: string; attributes: string[] }> {
  return Object.fromEntries(
    headers.getSetCookie().map((line) => {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      return [name, { value, attributes: attributes.sort() }];
    }),
  );
}

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
    const startedAt = performance.now();
    const huge = await post('/auth/register', { ...good, password: 'x'.repeat(10_000_000) }).catch(
      () => undefined,
    );
    expect([400, 413, undefined]).toContain(huge?.status);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
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

describe('cookie mode (AUTH-38)', () => {
  async function signIn(): Promise<{ refresh: string; csrf: string; cookie: string; tokens: Json }> {
    const email = await register();
    const answer = await post(
      '/auth/login',
      { email, password: PASSWORD },
      { headers: { 'x-auth-mode': 'cookie' } },
    );
    const cookies = cookiesOf(answer.headers);
    expect(answer.body.refreshToken).toBeNull();
    expect(cookies.duet_refresh!.attributes).toEqual([
      'HttpOnly',
      expect.stringMatching(/^Max-Age=25919\d\d$|^Max-Age=2592000$/),
      'Path=/api/v1/auth',
      'SameSite=Strict',
      'Secure',
    ]);
    expect(cookies.csrf!.attributes).toEqual([
      expect.stringMatching(/^Max-Age=/),
      'Path=/',
      'SameSite=Strict',
      'Secure',
    ]);
    const [refresh, csrf] = [cookies.duet_refresh!.value, cookies.csrf!.value];
    return { refresh, csrf, cookie: `duet_refresh=${refresh}; csrf=${csrf}`, tokens: answer.body };
  }
  const refresh = (headers: Record<string, string>) => post('/auth/refresh-token', undefined, { headers });

  it('refreshes for the page that can read the csrf cookie', async () => {
    const { cookie, csrf } = await signIn();
    const answer = await refresh({ cookie, 'x-csrf-token': csrf, origin: app.url });
    expect(answer.status).toBe(200);
    expect(answer.body.refreshToken).toBeNull();
    const next = cookiesOf(answer.headers);
    expect(next.csrf!.value).toBe(csrf);
    const again = await refresh({
      cookie: `duet_refresh=${next.duet_refresh!.value}; csrf=${csrf}`,
      'x-csrf-token': csrf,
    });
    expect(again.status).toBe(200);
  });

  it('refuses everybody else, and rotates nothing', async () => {
    const { cookie, csrf, refresh: token } = await signIn();
    const stranger = await signIn();
    const bad: Record<string, string>[] = [
      { cookie },
      { cookie, 'x-csrf-token': 'nonsense' },
      { cookie: `duet_refresh=${token}; csrf=planted`, 'x-csrf-token': 'planted' },
      { cookie: `duet_refresh=${token}; csrf=${stranger.csrf}`, 'x-csrf-token': stranger.csrf },
      { cookie: `duet_refresh=${token}`, 'x-csrf-token': csrf },
      { cookie: 'duet_refresh=nonsense; csrf=x', 'x-csrf-token': 'x' },
      { cookie, 'x-csrf-token': csrf, origin: 'https://evil.example' },
      { cookie, 'x-csrf-token': csrf, origin: 'null' },
      { cookie, 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of bad) {
      const answer = await refresh(headers);
      expect(answer.status, JSON.stringify(headers)).toBe(403);
      expect(answer.body.code).toBe('CSRF_FAILED');
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    const form = await fetch(`${app.url}/api/v1/auth/refresh-token`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'text/plain' },
      body: '{}',
    });
    expect([403, 415]).toContain(form.status);
    expect(form.headers.get('access-control-allow-origin')).toBeNull();
    const after = await refresh({ cookie, 'x-csrf-token': csrf });
    expect(after.status).toBe(200);
    expect(cookiesOf(after.headers).duet_refresh!.value).not.toBe(token);
  });

  it('takes the cookies away at the end', async () => {
    const { cookie, tokens } = await signIn();
    const answer = await post('/auth/logout', undefined, { token: tokens.accessToken, headers: { cookie } });
    const cookies = cookiesOf(answer.headers);
    expect(cookies.duet_refresh).toMatchObject({
      value: '',
      attributes: expect.arrayContaining(['Max-Age=0']),
    });
    expect(cookies.csrf).toMatchObject({ value: '' });
  });
});

describe('a storm of logins (AUTH-35)', () => {
  it('leaves the others their answers', async () => {
    const email = await register();
    const { accessToken } = await login(email);
    const storm = Promise.all(
      Array.from({ length: 500 }, (_, nth) =>
        post('/auth/login', { email: `storm-${nth}@example.org`, password: 'not the password at all' }),
      ),
    );
    const tookMs: number[] = [];
    let over = false;
    storm.finally(() => {
      over = true;
    });
    while (!over) {
      const startedAt = performance.now();
      expect((await get('/users/me', accessToken)).status).toBe(200);
      tookMs.push(performance.now() - startedAt);
    }
    const statuses = (await storm).map((answer) => answer.status);
    expect(new Set(statuses).difference(new Set([401, 503]))).toEqual(new Set());
    // The queue holds 100 and some run: all of those are answered, nobody more is waited for.
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(100);
    for (const answer of await storm)
      if (answer.status === 503) expect(answer.headers.get('retry-after')).toBe('2');
    tookMs.sort((one, other) => one - other);
    expect(tookMs[Math.floor(tookMs.length * 0.5)]).toBeLessThan(200);
  }, 240_000);
});
