import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccountsParts,
  CALLER,
  mailedToken,
  openAccounts,
  PASSWORD,
  registration,
  until,
  verifyTokens,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();
let parts: AccountsParts;

beforeAll(async () => {
  parts = await openAccounts({ db: base.db, url: base.url });
});
afterAll(() => parts.close());

const OWN = 'the password of the owner';
const mailsTo = (email: string) => parts.mailbox.list(email);
const login = (email: string, password: string) => parts.accounts.login(email, password, CALLER);

describe('registering', () => {
  it('makes one account of fifty spellings at once (AUTH-23)', async () => {
    const spellings = [
      'Ada@example.org',
      'ada@EXAMPLE.org',
      ' ada@example.org ',
      'ａｄａ@example.org',
      'ADA@EXAMPLE.ORG',
    ];
    await Promise.all(
      Array.from({ length: 50 }, (_, nth) =>
        parts.signUp.register(registration({ email: spellings[nth % 5]! }), CALLER),
      ),
    );
    const { rows } = await base.db.pool.query(
      `select email_key from users where email_key like '%ada@example.org'`,
    );
    expect(rows).toEqual([{ email_key: 'ada@example.org' }]);
  });

  it('tells the owner of a known address by mail, and changes nothing (AUTH-21)', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    await parts.signUp.verifyEmail(await mailedToken(parts, body.email, /Verify/), CALLER);
    await parts.signUp.register({ ...body, password: 'somebody elses idea', displayName: 'Mallory' }, CALLER);
    const mail = await until(async () =>
      (await mailsTo(body.email)).find((kept) => /account already/.test(kept.subject)),
    );
    expect(mail.text).not.toContain('token=');
    expect(mail.text).not.toContain('Mallory');
    await login(body.email, PASSWORD);
    await expect(login(body.email, 'somebody elses idea')).rejects.toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
  });

  it('is for those of 18 years, by the day in UTC', async () => {
    const today = new Date();
    const birthday = (years: number, days: number) =>
      new Date(Date.UTC(today.getUTCFullYear() - years, today.getUTCMonth(), today.getUTCDate() + days))
        .toISOString()
        .slice(0, 10);
    await expect(
      parts.signUp.register(registration({ birthDate: birthday(18, 1) }), CALLER),
    ).rejects.toMatchObject({ code: 'UNDERAGE' });
    await expect(
      parts.signUp.register(registration({ birthDate: birthday(-1, 0) }), CALLER),
    ).rejects.toMatchObject({ code: 'UNDERAGE' });
    await parts.signUp.register(registration({ birthDate: birthday(18, 0) }), CALLER);
  });

  it('refuses passwords that anybody would guess', async () => {
    for (const password of ['password123', 'Qwertyuiop', 'iloveyou']) {
      await expect(parts.signUp.register(registration({ password }), CALLER), password).rejects.toMatchObject(
        {
          code: 'VALIDATION_FAILED',
          details: [{ path: 'password' }],
        },
      );
    }
  });

  it('floods nobody with mails', async () => {
    const limited = await openAccounts({ db: base.db, url: base.url, limits: { mail: 3 } });
    const body = registration();
    for (let nth = 0; nth < 6; nth++) await limited.signUp.register(body, CALLER);
    await verifyTokens(parts, body.email, 3);
    await until(async () => ((await parts.jobs.waiting('mail')) === 0 ? true : undefined));
    expect(await mailsTo(body.email)).toHaveLength(3);
    await limited.close();
  });
});

describe('an address that somebody else registered first (AUTH-44)', () => {
  it('belongs to who verifies it: earlier passwords, profiles and sessions are void', async () => {
    const victim = registration({ password: OWN, displayName: 'Owner' });
    await parts.signUp.register(
      { ...victim, password: PASSWORD, displayName: 'Mallory', birthDate: '1980-01-01' },
      CALLER,
    );
    const attacker = await login(victim.email, PASSWORD);
    const principal = parts.accounts.authenticateToken(attacker.accessToken);
    await parts.passwordChange.change(principal, PASSWORD, 'mallorys second idea', CALLER);
    const second = await login(victim.email, 'mallorys second idea');
    const traces = `update users set bio = 'Mallory was here', interests = '{spam}', min_age = 60, discoverable = false`;
    await base.db.pool.query(`${traces} where id = $1`, [attacker.userId]);

    await parts.signUp.register(victim, CALLER);
    const tokens = await verifyTokens(parts, victim.email, 2);
    await parts.signUp.verifyEmail(tokens[1]!, CALLER);

    for (const { accessToken, refreshToken } of [attacker, second]) {
      expect(() => parts.accounts.authenticateToken(accessToken)).toThrow();
      await expect(parts.accounts.refresh(refreshToken, CALLER)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
      });
    }
    for (const password of [PASSWORD, 'mallorys second idea']) {
      await expect(login(victim.email, password)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    }
    const grant = await login(victim.email, OWN);
    const { rows } = await base.db.pool.query(
      `select display_name, birth_date::text, email_verified_at is not null as verified, bio, interests, min_age,
              discoverable, (select count(*)::int from devices where user_id = u.id) as devices
       from users u where id = $1`,
      [grant.userId],
    );
    expect(rows).toEqual([
      {
        display_name: 'Owner',
        birth_date: victim.birthDate,
        verified: true,
        bio: '',
        interests: [],
        min_age: 18,
        discoverable: true,
        devices: 1,
      },
    ]);
    await expect(parts.signUp.verifyEmail(tokens[0]!, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('keeps the owner who came first', async () => {
    const owner = registration({ password: OWN });
    await parts.signUp.register(owner, CALLER);
    const session = await login(owner.email, OWN);
    await parts.signUp.register({ ...owner, password: PASSWORD }, CALLER);
    const tokens = await verifyTokens(parts, owner.email, 2);
    await parts.signUp.verifyEmail(tokens[0]!, CALLER);
    await login(owner.email, OWN);
    parts.accounts.authenticateToken(session.accessToken);
    await expect(login(owner.email, PASSWORD)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await expect(parts.signUp.verifyEmail(tokens[1]!, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('is won by a reset of the password as well', async () => {
    const victim = registration({ password: PASSWORD });
    await parts.signUp.register(victim, CALLER);
    const attacker = await login(victim.email, PASSWORD);
    await parts.passwordChange.forgot(victim.email, CALLER);
    await parts.passwordChange.reset(await mailedToken(parts, victim.email, /new password/), OWN, CALLER);
    expect(() => parts.accounts.authenticateToken(attacker.accessToken)).toThrow();
    const [token] = await verifyTokens(parts, victim.email, 1);
    await expect(parts.signUp.verifyEmail(token!, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(login(victim.email, PASSWORD)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    const grant = await login(victim.email, OWN);
    const { rows } = await base.db.pool.query(
      'select email_verified_at is not null as verified from users where id = $1',
      [grant.userId],
    );
    expect(rows).toEqual([{ verified: true }]);
  });
});
