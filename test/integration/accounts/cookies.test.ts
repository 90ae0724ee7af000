import { describe, expect, it } from 'vitest';
import { PASSWORD } from '../../support/accounts.ts';
import type { Json } from '../../support/client.ts';
import { openRaw } from '../../support/rawHttp.ts';
import { useDoor } from './door.ts';

const { app, post, register } = useDoor();

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

  it('refreshes for the page behind a proxy that makes another host of it, and for no other', async () => {
    const { cookie, csrf } = await signIn();
    const door = await openRaw(Number(new URL(app.url).port));
    const from = async (origin: string) => {
      const lines = [
        'POST /api/v1/auth/refresh-token HTTP/1.1',
        'host: upstream:3000',
        `origin: ${origin}`,
        'sec-fetch-site: same-origin',
        `cookie: ${cookie}`,
        `x-csrf-token: ${csrf}`,
        'content-length: 0',
      ];
      door.send(`${lines.join('\r\n')}\r\n\r\n`);
      const [answer] = await door.answers();
      return answer!.status;
    };
    expect([await from('https://evil.example'), await from(app.url)]).toEqual([403, 200]);
    door.destroy();
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
      { cookie: 'duet_refresh=nonsense; csrf=x', 'x-csrf-token': 'y' },
      { cookie: 'duet_refresh=nonsense; csrf=x', 'x-csrf-token': 'x', origin: 'https://evil.example' },
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

  it('asks its own page to sign in whose cookie is no token, or was one', async () => {
    const { csrf, cookie, tokens } = await signIn();
    await post('/auth/logout', undefined, { token: tokens.accessToken });
    for (const given of [`duet_refresh=nonsense; csrf=${csrf}`, `duet_refresh=; csrf=${csrf}`, cookie]) {
      const answer = await refresh({ cookie: given, 'x-csrf-token': csrf, origin: app.url });
      expect(answer, given).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
    }
  });

  it('goes on when the password is changed, whether or not the client says so again', async () => {
    const { cookie, csrf, tokens } = await signIn();
    const change = (headers: Record<string, string>, token: string) =>
      post('/auth/change-password', { currentPassword: PASSWORD, newPassword: PASSWORD }, { token, headers });
    const answer = await change({ cookie }, tokens.accessToken);
    expect(answer).toMatchObject({ status: 200, body: { refreshToken: null } });
    const next = cookiesOf(answer.headers).duet_refresh!.value;
    expect(
      await refresh({ cookie: `duet_refresh=${next}; csrf=${csrf}`, 'x-csrf-token': csrf }),
    ).toMatchObject({ status: 200, body: { refreshToken: null } });
    // Somebody else's cookie, or one that is left from another time, says nothing about this session.
    const other = await post('/auth/login', { email: tokens.user.email, password: PASSWORD });
    const bare = await change({ cookie: `duet_refresh=${next}` }, other.body.accessToken);
    expect(bare.body.refreshToken).toEqual(expect.any(String));
    expect(bare.headers.getSetCookie()).toEqual([]);
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
