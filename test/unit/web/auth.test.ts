import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Auth } from '../../../web/sdk/Auth.ts';
import type { DuetApiError } from '../../../web/sdk/DuetApiError.ts';
import { Http } from '../../../web/sdk/Http.ts';
import { MemoryStorage, type TokenStorage } from '../../../web/sdk/TokenStorage.ts';

/** What the server would say, by path; every request is noted. */
type Answer = { status?: number; body?: unknown; headers?: Record<string, string> };
let answers: Record<string, (init: RequestInit) => Answer | Promise<Answer>>;
let asked: { path: string; token: string | undefined }[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  asked = [];
  answers = {};
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const path = new URL(url).pathname.replace('/api/v1', '');
    const headers = init.headers as Record<string, string>;
    asked.push({ path, token: headers.authorization?.replace('Bearer ', '') });
    const { status = 200, body = {}, headers: given } = await answers[path]!(init);
    return new Response(status === 204 ? null : typeof body === 'string' ? body : JSON.stringify(body), {
      status,
      headers: given,
    });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Tokens whose access token lives a quarter of an hour by its own claims, of one sign-in. */
function tokens(name: string, issuedAtSec = 1_000) {
  const times = { iat: issuedAtSec, exp: issuedAtSec + 900 };
  const claims = Buffer.from(JSON.stringify(times)).toString('base64url');
  return {
    accessToken: `h.${claims}.${name}`,
    accessTokenExpiresAt: '2000-01-01T00:00:00.000Z',
    refreshToken: `refresh-${name}`,
    refreshTokenExpiresAt: '2000-01-01T00:00:00.000Z',
    deviceId: 'device',
    user: { id: 'me' },
  };
}

function client(storage: TokenStorage = new MemoryStorage()) {
  const http = new Http('http://duet.test/');
  const auth = new Auth(http, storage);
  http.useBearer(auth);
  return { http, auth, storage };
}

/** A window's own, as `sessionStorage` is. */
function ownStorage(): TokenStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
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

test('a refresh whose answer is lost is asked for again while the server still gives it', async () => {
  const { auth } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  await auth.login('ada@demo.duet', 'duet-demo');
  let tries = 0;
  answers['/auth/refresh-token'] = () => {
    tries += 1;
    return tries === 1 ? new Promise(() => {}) : { body: tokens('second') };
  };
  const renewed = auth.refresh();
  await vi.advanceTimersByTimeAsync(3_100);
  await renewed;
  expect(tries).toBe(2);
  expect((await auth.accessToken())?.split('.')[2]).toBe('second');
});

test('two windows on one storage use each refresh token once, and go on with what the other has', async () => {
  const storage = new MemoryStorage();
  const first = client(storage);
  answers['/auth/login'] = () => ({ body: tokens('login') });
  await first.auth.login('ada@demo.duet', 'duet-demo');
  const second = client(storage);
  let nth = 0;
  const used: string[] = [];
  answers['/auth/refresh-token'] = (init) => {
    used.push(JSON.parse(String(init.body)).refreshToken);
    return { body: tokens(`renewal ${++nth}`) };
  };
  await vi.advanceTimersByTimeAsync(1);
  await first.auth.refresh();
  await vi.advanceTimersByTimeAsync(1);
  await second.auth.refresh();
  expect((await second.auth.accessToken())?.split('.')[2]).toBe('renewal 1');
  await vi.advanceTimersByTimeAsync(1);
  await second.auth.refresh();

  answers['/users/me'] = (init) =>
    String((init.headers as Record<string, string>).authorization).endsWith('renewal 2')
      ? { body: { id: 'me' } }
      : { status: 401, body: { code: 'UNAUTHORIZED', message: '' } };
  await first.http.get('/users/me');
  expect(used).toEqual(['refresh-login', 'refresh-renewal 1']);
});

test('which tokens are the newer ones is said by the server, whatever clocks the windows have', async () => {
  const storage = new MemoryStorage();
  let serverSec = 1_000;
  let nth = 0;
  const used: string[] = [];
  answers['/auth/login'] = () => ({ body: tokens('login', serverSec) });
  answers['/auth/refresh-token'] = (init) => {
    const { refreshToken } = JSON.parse(String(init.body));
    if (used.includes(refreshToken)) return { status: 401, body: { code: 'REFRESH_REUSED', message: '' } };
    used.push(refreshToken);
    return { body: tokens(`renewal ${++nth}`, serverSec) };
  };
  answers['/users/me'] = (init) => {
    const { authorization } = init.headers as Record<string, string>;
    const { exp } = JSON.parse(Buffer.from(authorization!.split('.')[1]!, 'base64url').toString());
    const isGood = serverSec < exp;
    return isGood ? { body: { id: 'me' } } : { status: 401, body: { code: 'UNAUTHORIZED', message: '' } };
  };
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  const first = client(storage);
  await first.auth.login('ada@demo.duet', 'duet-demo');
  // The machine sleeps for an hour: the clock of this window stands still. The second one opens afterwards.
  serverSec += 3_600;
  clock.mockReturnValue(3_600_000);
  const second = client(storage);
  await second.http.get('/users/me');
  // The second one is frozen in the background while the first one, refused, renews.
  serverSec += 960;
  clock.mockReturnValue(960_000);
  await first.http.get('/users/me');
  serverSec += 60;
  clock.mockReturnValue(3_600_000 + 1_020_000);
  await second.http.get('/users/me');
  expect(used).toEqual(['refresh-login', 'refresh-renewal 1']);
  expect([first, second].map(({ auth }) => auth.isSignedIn)).toEqual([true, true]);
  clock.mockRestore();
});

test('a refused renewal goes on with what another window keeps by then, and ends where that is refused too', async () => {
  const storage = new MemoryStorage();
  const { auth, http } = client(storage);
  answers['/auth/login'] = () => ({ body: tokens('login') });
  await auth.login('ada@demo.duet', 'duet-demo');
  const ended: string[] = [];
  auth.on('signedOut', ({ reason }) => ended.push(reason));
  const refuse = (code: string) => ({ status: 401, body: { code, message: '' } });
  // Without locks another window may renew, or change the password, while this one asks.
  answers['/auth/refresh-token'] = () => {
    const session = { tokens: tokens('theirs', 900), goodUntilMs: Number.MAX_SAFE_INTEGER };
    storage.setItem('duet.session', JSON.stringify(session));
    return refuse('UNAUTHORIZED');
  };
  answers['/users/me'] = (init) =>
    String((init.headers as Record<string, string>).authorization).endsWith('theirs')
      ? { body: { id: 'me' } }
      : refuse('UNAUTHORIZED');
  expect(await http.get('/users/me')).toEqual({ id: 'me' });
  expect(ended).toEqual([]);

  answers['/auth/refresh-token'] = () => refuse('REFRESH_REUSED');
  await expect(auth.refresh()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  expect(ended).toEqual(['revoked']);
  expect(storage.getItem('duet.session')).toBe(null);
});

test('a window that is a copy of another hears of its renewals; one of somebody else does not', async () => {
  answers['/auth/login'] = () => ({ body: tokens('login') });
  answers['/auth/refresh-token'] = () => ({ body: tokens('renewed') });
  const [one, copy, other] = [ownStorage(), ownStorage(), ownStorage()];
  const first = client(one);
  await first.auth.login('ada@demo.duet', 'duet-demo');
  copy.setItem('duet.session', one.getItem('duet.session')!);
  const second = client(copy);
  const third = client(other);
  answers['/auth/login'] = () => ({ body: { ...tokens('theirs'), user: { id: 'you' } } });
  await third.auth.login('sam@demo.duet', 'duet-demo');
  await vi.advanceTimersByTimeAsync(1);
  await first.auth.refresh();
  await vi.waitFor(async () => {
    expect((await second.auth.accessToken())?.split('.')[2]).toBe('renewed');
  }, 10_000);
  expect(copy.getItem('duet.session')).toBe(one.getItem('duet.session'));
  expect((await third.auth.accessToken())?.split('.')[2]).toBe('theirs');
});

test('signing out is done here at once, and told with the token that there was', async () => {
  const { auth, storage } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  await auth.login('ada@demo.duet', 'duet-demo');
  const ended: string[] = [];
  auth.on('signedOut', ({ reason }) => ended.push(reason));
  answers['/auth/logout'] = () => new Promise(() => {});
  void auth.logout();
  expect(ended).toEqual(['logout']);
  expect(client(storage).auth.isSignedIn).toBe(false);
  expect(asked.at(-1)).toEqual({ path: '/auth/logout', token: tokens('first').accessToken });
});

test('an answer that is not of Duet is as good as none', async () => {
  const { auth, http } = client();
  answers['/auth/login'] = () => ({ body: '<html>Welcome to our hotel</html>' });
  answers['/matches/active'] = () => ({ body: '' });
  await expect(auth.login('ada@demo.duet', 'duet-demo')).rejects.toMatchObject({ code: 'NETWORK' });
  await expect(http.get('/matches/active')).rejects.toMatchObject({ code: 'NETWORK', isTemporary: true });
});

test('changing the password is a renewal to the copies of a window: none beside it, and they hear of it', async () => {
  let isHeld = false;
  const request = async <T>(_: string, __: object, run: () => Promise<T>): Promise<T> => {
    isHeld = true;
    return await run().finally(() => {
      isHeld = false;
    });
  };
  vi.stubGlobal('navigator', { locks: { request } });
  const [one, copy] = [ownStorage(), ownStorage()];
  answers['/auth/login'] = () => ({ body: tokens('login') });
  const first = client(one);
  await first.auth.login('ada@demo.duet', 'duet-demo');
  copy.setItem('duet.session', one.getItem('duet.session')!);
  const second = client(copy);
  answers['/auth/change-password'] = () => ({ body: tokens(isHeld ? 'changed' : 'beside a renewal') });
  await vi.advanceTimersByTimeAsync(1);
  await first.auth.changePassword('duet-demo', 'better than that');
  expect((await first.auth.accessToken())?.split('.')[2]).toBe('changed');
  await vi.waitFor(async () => {
    expect((await second.auth.accessToken())?.split('.')[2]).toBe('changed');
  }, 10_000);
  expect(copy.getItem('duet.session')).toBe(one.getItem('duet.session'));
  expect(asked.at(-1)).toEqual({ path: '/auth/change-password', token: tokens('login').accessToken });
});

test('who signs out while the password is changed stays signed out', async () => {
  const { auth, storage } = client();
  answers['/auth/login'] = () => ({ body: tokens('login') });
  await auth.login('ada@demo.duet', 'duet-demo');
  answers['/auth/logout'] = () => ({ status: 204 });
  answers['/auth/change-password'] = () => {
    void auth.logout();
    return { body: tokens('changed') };
  };
  await auth.changePassword('duet-demo', 'better than that');
  expect(auth.isSignedIn).toBe(false);
  expect(client(storage).auth.isSignedIn).toBe(false);
});

test('in Node, that tokens are to be renewed keeps no program from ending', async () => {
  vi.useRealTimers();
  const { auth } = client();
  answers['/auth/login'] = () => ({ body: tokens('first') });
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await auth.login('ada@demo.duet', 'duet-demo');
  expect(timers()).toBe(before);
  auth.end('logout');
});
