import { describe, expect, it, vi } from 'vitest';
import { PASSWORD } from '../../support/accounts.ts';
import { request } from '../../support/client.ts';
import { useDoor } from './door.ts';

const { app, post, get, registered, register, login, mailedToken } = useDoor();

describe('signing in from the edges', () => {
  it('takes a token from the header and from nowhere else (AUTH-12)', async () => {
    const { accessToken } = await login(await register());
    for (const name of ['access_token', 'token', 'authorization', 'bearer', 'jwt']) {
      const path = `/users/me?${name}=${accessToken}`;
      expect((await request(app.url, 'GET', `/api/v1${path}`)).status, name).toBe(401);
      const headers = { cookie: `${name}=${accessToken}`, [`x-${name.replace('_', '-')}`]: accessToken };
      expect((await request(app.url, 'GET', '/api/v1/users/me', { headers })).status, name).toBe(401);
    }
    for (const value of [
      accessToken,
      `Basic ${accessToken}`,
      `Bearer  ${accessToken}`,
      `Bearer ${accessToken} x`,
    ]) {
      const headers = { authorization: value };
      expect((await request(app.url, 'GET', '/api/v1/users/me', { headers })).status).toBe(401);
    }
  });

  it('refuses a token of any length, and goes on (AUTH-08)', async () => {
    for (const length of [1_000, 3_000, 20_000, 200_000]) {
      const answer = await get('/users/me', 'x'.repeat(length)).catch(() => ({ status: 0 }));
      expect([0, 401, 431], `${length}`).toContain(answer.status);
    }
    expect((await request(app.url, 'GET', '/health/liveness')).status).toBe(200);
  });

  it('while signed in makes another session (AUTH-43)', async () => {
    const email = await register();
    const [one, other] = [await login(email), await login(email)];
    const sessionOf = (tokens: { accessToken: string }) =>
      JSON.parse(Buffer.from(tokens.accessToken.split('.')[1]!, 'base64url').toString()).sid;
    expect(sessionOf(one)).not.toBe(sessionOf(other));
    for (const { accessToken } of [one, other])
      expect((await get('/users/me', accessToken)).status).toBe(200);
  });

  it('takes a password of any script exactly as it was typed (AUTH-34)', async () => {
    const composed = 'Zo\u00eb und ihre Schafe';
    for (const password of [
      '🌷🌷🌷🌷🌷🌷🌷🌷',
      'тихая гавань',
      '静かな港の夜明けです',
      ' spaces kept ',
      composed,
    ]) {
      const { email } = await registered({ password });
      expect((await post('/auth/login', { email, password })).status, password).toBe(200);
      const other =
        password === composed ? password.normalize('NFD') : [...password.trim()].slice(0, -1).join('');
      expect((await post('/auth/login', { email, password: other })).status, password).toBe(401);
    }
  });

  it('sets one new password, however many use the link at once (AUTH-30)', async () => {
    const email = await register();
    await post('/auth/forgot-password', { email });
    const token = await mailedToken(email, /new password/);
    const passwords = Array.from({ length: 20 }, (_, nth) => `violet harbour number ${nth}`);
    const answers = await Promise.all(
      passwords.map((password) => post('/auth/reset-password', { token, password })),
    );
    expect(answers.filter((answer) => answer.status === 204)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([204, 400]));
    const winner = passwords[answers.findIndex((answer) => answer.status === 204)]!;
    expect((await post('/auth/login', { email, password: winner })).status).toBe(200);
  });

  it('leaves nothing valid when a reset and a refresh meet (RC-25)', async () => {
    for (let round = 0; round < 5; round++) {
      const email = await register();
      const { refreshToken } = await login(email);
      await post('/auth/forgot-password', { email });
      const token = await mailedToken(email, /new password/);
      const [refreshed, reset] = await Promise.all([
        post('/auth/refresh-token', { refreshToken }),
        post('/auth/reset-password', { token, password: 'another violet harbour' }),
      ]);
      expect(reset.status).toBe(204);
      const tokens = [refreshToken, refreshed.body.refreshToken].filter((one) => one !== undefined);
      for (const one of tokens)
        expect((await post('/auth/refresh-token', { refreshToken: one })).status).toBe(401);
      if (refreshed.status === 200)
        expect((await get('/users/me', refreshed.body.accessToken)).status).toBe(401);
    }
  });

  it('refuses text that would take seconds to normalise, wherever it comes in', async () => {
    const { accessToken: token, user } = await login(await register());
    const marks = ['\u0345', '\u0315', '\u0316', '\u0334'].map((mark) => mark.repeat(7_900)).join('');
    const email = `a${marks}@example.org`;
    const person = { password: PASSWORD, displayName: 'Ann', birthDate: '1990-01-31', gender: 'woman' };
    const keys = { p256dh: 'x', auth: 'x' };
    const normalize = vi.spyOn(String.prototype, 'normalize');
    const answers = [
      await post('/auth/login', { email, password: 'x' }),
      await post('/auth/forgot-password', { email }),
      await post('/auth/resend-verification', { email }),
      await post('/auth/register', { email, ...person }),
      await post('/auth/register', { ...person, email: 'a@b.c', displayName: marks }),
      await request(app.url, 'PUT', '/api/v1/users/me', {
        token,
        body: { bio: `a${marks}`.slice(0, 13_000) },
      }),
      await post(`/users/report/${user.id}`, { reason: 'spam', details: `a${marks}` }, { token }),
      await post('/users/me/push-subscriptions', { endpoint: `https://a${marks}.test/`, keys }, { token }),
    ];
    const units = normalize.mock.contexts.map((text) => String(text).length);
    normalize.mockRestore();
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(Math.max(0, ...units)).toBeLessThan(1_100);
  });
});
