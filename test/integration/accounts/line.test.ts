import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccountsParts,
  CLIENT,
  mailedToken,
  openAccounts,
  PASSWORD,
  registration,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();
let parts: AccountsParts;

beforeAll(async () => {
  parts = await openAccounts({ db: base.db, url: base.url });
});
afterAll(() => parts.close());

describe('the line from registering to leaving', () => {
  it('registers, verifies, signs in, refreshes, signs out', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const token = await mailedToken(parts, body.email, /verify/i);
    await parts.signUp.verifyEmail(token, CLIENT);
    const { rows } = await base.db.pool.query('select email_verified_at from users where email_key = $1', [
      parts.addresses.keysOf(body.email)[0],
    ]);
    expect(rows).toEqual([{ email_verified_at: expect.any(String) }]);

    const grant = await parts.accounts.login(body.email.toUpperCase(), PASSWORD, CLIENT);
    const principal = parts.accounts.authenticate(`Bearer ${grant.accessToken}`);
    expect(principal).toEqual({ userId: grant.userId, sessionId: grant.sessionId, role: 'user' });

    const next = await parts.accounts.refresh(grant.refreshToken, CLIENT);
    expect(next.sessionId).toBe(grant.sessionId);
    expect(next.refreshToken).not.toBe(grant.refreshToken);

    await parts.accounts.logout(principal, CLIENT);
    expect(() => parts.accounts.authenticate(`Bearer ${grant.accessToken}`)).toThrow('Sign in first.');
    await expect(parts.accounts.refresh(next.refreshToken, CLIENT)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
  });

  it('resets a forgotten password and ends every session', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const before = await parts.accounts.login(body.email, PASSWORD, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const token = await mailedToken(parts, body.email, /new password/);
    await parts.passwordChange.reset(token, 'another violet harbour', CLIENT);
    expect(() => parts.accounts.authenticate(`Bearer ${before.accessToken}`)).toThrow();
    await expect(parts.accounts.login(body.email, PASSWORD, CLIENT)).rejects.toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
    const after = await parts.accounts.login(body.email, 'another violet harbour', CLIENT);
    expect(after.userId).toBe(before.userId);
  });

  it('changes a password: this session gets new tokens, the others end', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const here = await parts.accounts.login(body.email, PASSWORD, CLIENT);
    const there = await parts.accounts.login(body.email, PASSWORD, CLIENT);
    const principal = parts.accounts.authenticate(`Bearer ${here.accessToken}`);
    const renewed = await parts.passwordChange.change(principal, PASSWORD, 'another violet harbour', CLIENT);
    expect(renewed.sessionId).toBe(here.sessionId);
    expect(() => parts.accounts.authenticate(`Bearer ${there.accessToken}`)).toThrow();
    await expect(parts.accounts.refresh(there.refreshToken, CLIENT)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
    await parts.accounts.refresh(renewed.refreshToken, CLIENT);
  });
});
