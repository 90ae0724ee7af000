/** Requests without a token of ours: so many in a quarter of an hour from one address, and nobody else is any the worse. */
import { expect, it } from 'vitest';
import { AccessTokens } from '../../../src/accounts/AccessTokens.ts';
import { newId } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import { request } from '../../support/client.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { newPerson, TOKEN_SECRET } from '../../support/signedIn.ts';

const LIMIT = 100;
const app = useApp({ LIMIT_ANONYMOUS: `${LIMIT}` });

const get = (path: string, token?: string) =>
  request(app.url, 'GET', path, token === undefined ? {} : { token });

it('are counted by the address, on every path, and tokens of ours are not', async () => {
  const ann = await newPerson(app);
  const clock = new FakeClock(Date.now() - 3_600_000);
  const tokens = new AccessTokens({ clock, secrets: { current: TOKEN_SECRET } });
  const { token: old } = await tokens.sign({ userId: ann.id, sessionId: newId(), role: 'user' });
  for (let nth = 0; nth < LIMIT + 10; nth++) {
    expect((await get('/api/v1/users/me', old)).status).toBe(401);
    expect((await get('/api/v1/nowhere', old)).status).toBe(404);
    expect((await get('/health/liveness')).status).toBe(200);
  }
  const kinds = [
    () => get('/api/v1/users/me'),
    () => get('/api/v1/users/me', 'made.up.token'),
    () => get('/api/v1/nowhere'),
    () => request(app.url, 'POST', '/api/v1/users/me/photos', { body: {} }),
    () => request(app.url, 'DELETE', '/api/v1/auth/login'),
  ];
  const answers = [];
  for (let nth = 0; nth < LIMIT; nth++) answers.push((await kinds[nth % kinds.length]!()).status);
  expect(answers).toEqual(
    Array.from({ length: LIMIT / kinds.length }, () => [401, 401, 404, 401, 405]).flat(),
  );
  for (const kind of kinds) {
    const answer = await kind();
    expect(answer).toMatchObject({ status: 429, body: { code: 'TOO_MANY_REQUESTS' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect((await ann.call('GET', '/users/me')).status).toBe(200);
  expect((await get('/api/v1/nowhere', ann.token)).status).toBe(404);
  expect((await get('/api/v1/users/me', old)).status).toBe(401);
  expect((await get('/health/liveness')).status).toBe(200);
});
