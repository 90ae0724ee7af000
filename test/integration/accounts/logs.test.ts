/** AUTH-31, AUTH-32, PV-15: what stands in the logs of a server that says all it can. */
import { expect, it } from 'vitest';
import { request } from '../../support/client.ts';
import { createTestDatabase } from '../../support/database.ts';
import { deleteAccount, uploadPhoto } from '../../support/life.ts';
import { startServer } from '../../support/server.ts';
import { registerPerson, TEST_PASSWORD } from '../../support/signedIn.ts';

it('no address, password, token, place or photo link is in the log', async () => {
  const database = await createTestDatabase();
  const server = await startServer({ DB_URL: database.url, LOG_LEVEL: 'debug' });
  try {
    const post = (path: string, body: object) => request(server.url, 'POST', `/api/v1${path}`, { body });
    const ann = await registerPerson(server.url);
    const { email } = ann;
    await post('/auth/login', { email, password: 'a wrong one indeed' });
    const { body: tokens } = await post('/auth/login', { email, password: TEST_PASSWORD });
    const { body: next } = await post('/auth/refresh-token', { refreshToken: tokens.refreshToken });
    await post('/auth/refresh-token', { refreshToken: `${tokens.refreshToken}x` });
    await post('/auth/reset-password', { token: 'made-up-reset-token', password: TEST_PASSWORD });
    await post('/auth/login', { email: { $ne: email }, password: TEST_PASSWORD });
    await ann.ok('PUT', '/users/me', { location: { lat: 52.51998, lon: 13.40498 } });
    const photo = await uploadPhoto(ann, 9);
    await ann.inbox();
    await deleteAccount(ann);
    await server.stop();
    const output = server.output();
    expect(output).toContain('Duet is up');
    const secrets = [
      email,
      TEST_PASSWORD,
      'a wrong one indeed',
      ann.token,
      tokens.accessToken,
      tokens.refreshToken,
      next.refreshToken,
      'made-up-reset-token',
      '52.51998',
      photo.url,
      new URL(photo.url).pathname,
    ];
    for (const secret of secrets) expect(output.includes(secret), secret).toBe(false);
    expect(output).not.toMatch(/eyJ[\w-]{10,}\.|\$argon2/);
  } finally {
    await server.kill();
    await database.drop();
  }
}, 120_000);
