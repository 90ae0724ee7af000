import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Auth } from '../../../web/sdk/Auth.ts';
import type { DuetApiError } from '../../../web/sdk/DuetApiError.ts';
import { Http } from '../../../web/sdk/Http.ts';
import { MemoryStorage } from '../../../web/sdk/TokenStorage.ts';

/** What the server would say, by path; every request is noted. */
type Answer = { status?: number; body?: unknown; headers?: Record<string, string> };
let answers: Record<string, (init: RequestInit) => Answer>;
let asked: { path: string; token: string | undefined }[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  asked = [];
  answers = {};
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = new URL(url).pathname.replace('/api/v1', '');
    const headers = init.headers as Record<string, string>;
    asked.push({ path, token: headers.authorization?.replace('Bearer ', '') });
    const { status = 200, body = {}, headers: given } = answers[path]!(init);
    return new Response(status === 204 ? null : JSON.stringify(body), { status, headers: given });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Tokens whose access token lives `lifeSec` by its own claims. */
function tokens(name: string, lifeSec = 900) {
  const claims = Buffer.from(JSON.stringify({ iat: 1_000, exp: 1_000 + lifeSec })).toString('base64url');
  return {
    accessToken: `h.${claims}.${name}`,
    accessTokenExpiresAt: '2000-01-01T00:00:00.000Z',
    refreshToken: `refresh-${name}`,
    refreshTokenExpiresAt: '2000-01-01T00:00:00.000Z',
    deviceId: 'device',
    user: { id: 'me' },
  };
}

function client(storage = new MemoryStorage()) {
  const http = new Http('http://duet.test/');
  const auth = new Auth(http, storage);
  http.useBearer(auth);
  return { http, auth, storage };
}

test('a token that is about to run out is renewed once for all who wait', async () => {
  const { http, auth } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  answers['/auth/refresh-token'] = () => ({ body: tokens('second') });
  answers['/users/me'] = () => ({ body: { id: 'me' } });
  await auth.login('ada@demo.duet', 'duet-demo');
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 850_000);

  await Promise.all([http.get('/users/me'), http.get('/users/me'), http.get('/users/me')]);

  expect(asked.filter(({ path }) => path === '/auth/refresh-token')).toHaveLength(1);
  const used = asked.filter(({ path }) => path === '/users/me').map(({ token }) => token?.split('.')[2]);
  expect(used).toEqual(['second', 'second', 'second']);
});

test('a refused token is renewed and the request sent again, once', async () => {
  const { http, auth } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  answers['/auth/refresh-token'] = () => ({ body: tokens('second') });
  let refusals = 1;
  answers['/users/me'] = () =>
    refusals-- > 0
      ? { status: 401, body: { code: 'UNAUTHORIZED', message: 'Sign in first.' } }
      : { body: { id: 'me' } };
  await auth.login('ada@demo.duet', 'duet-demo');

  expect(await http.get('/users/me')).toEqual({ id: 'me' });
  expect(asked.map(({ path }) => path)).toEqual([
    '/auth/login',
    '/users/me',
    '/auth/refresh-token',
    '/users/me',
  ]);
});

test('a revoked family signs out and forgets the tokens; a server that is away does not', async () => {
  const { auth, storage } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  await auth.login('ada@demo.duet', 'duet-demo');
  const ended: string[] = [];
  auth.on('signedOut', ({ reason }) => ended.push(reason));

  answers['/auth/refresh-token'] = () => ({ status: 503, body: { code: 'UNAVAILABLE', message: '' } });
  await expect(auth.refresh()).rejects.toMatchObject({ code: 'UNAVAILABLE', isTemporary: true });
  expect(auth.isSignedIn).toBe(true);

  answers['/auth/refresh-token'] = () => ({ status: 401, body: { code: 'REFRESH_REUSED', message: '' } });
  await expect(auth.refresh()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  expect(auth.isSignedIn).toBe(false);
  expect(ended).toEqual(['revoked']);
  expect(client(storage).auth.isSignedIn).toBe(false);
});

test('the session and the device outlive the page', async () => {
  const { auth, storage } = client();
  const devices: (string | undefined)[] = [];
  answers['/auth/login'] = (init) => {
    devices.push((init.headers as Record<string, string>)['x-device-id']);
    return { body: tokens('first') };
  };
  await auth.login('ada@demo.duet', 'duet-demo');

  const again = client(storage).auth;
  expect(again.isSignedIn).toBe(true);
  expect(again.userId).toBe('me');
  await again.login('ada@demo.duet', 'duet-demo');
  expect(devices).toEqual([undefined, 'device']);
});

test('every failure is a DuetApiError that says whether asking again can help', async () => {
  const { http } = client();
  answers['/a'] = () => ({
    status: 400,
    body: { code: 'VALIDATION_FAILED', message: 'No.', details: [{ path: 'bio', message: 'too long' }] },
  });
  answers['/b'] = () => ({
    status: 429,
    headers: { 'retry-after': '7' },
    body: { code: 'TOO_MANY_REQUESTS', message: '' },
  });
  answers['/c'] = () => {
    throw new TypeError('fetch failed');
  };
  const failed = (path: string) => http.get(path).catch((error: DuetApiError) => error);

  expect(await failed('/a')).toMatchObject({
    status: 400,
    isTemporary: false,
    details: [{ path: 'bio', message: 'too long' }],
  });
  expect(await failed('/b')).toMatchObject({ status: 429, isTemporary: true, retryAfterSec: 7 });
  expect(await failed('/c')).toMatchObject({ status: 0, code: 'NETWORK', isTemporary: true });
});
