import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccountsParts,
  CALLER,
  eventually,
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

const OWN = 'the password of the owner';
const mailsTo = (email: string) => parts.mailbox.list(email);
const login = (email: string, password: string) => parts.accounts.login(email, password, CALLER);

async function verifyTokens(email: string, count: number): Promise<string[]> {
  const mails = await eventually(async () => {
    const found = (await mailsTo(email)).filter((mail) => /Verify/.test(mail.subject));
    return found.length >= count ? found : undefined;
  });
  return mails.reverse().map((mail) => /\?token=([\w-]+)/.exec(mail.text)![1]!);
}

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
    const mail = await eventually(async () =>
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
    await verifyTokens(body.email, 3);
    await eventually(async () => ((await parts.jobs.waiting('mail')) === 0 ? true : undefined));
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
    const tokens = await verifyTokens(victim.email, 2);
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
    const tokens = await verifyTokens(owner.email, 2);
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
    const [token] = await verifyTokens(victim.email, 1);
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

describe('tokens of mails', () => {
  it('are sent again on request, and the one before is void', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    const [first] = await verifyTokens(body.email, 1);
    await parts.signUp.resendVerification(body.email);
    const [, second] = await verifyTokens(body.email, 2);
    await expect(parts.signUp.verifyEmail(first!, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await parts.signUp.verifyEmail(second!, CALLER);
    await parts.signUp.resendVerification(body.email);
    await parts.signUp.resendVerification('nobody@example.org');
    expect(await mailsTo('nobody@example.org')).toEqual([]);
  });

  it('reset a password once, while they are the newest (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    await parts.passwordChange.forgot(body.email, CALLER);
    const first = await mailedToken(parts, body.email, /new password/);
    await parts.passwordChange.forgot(body.email, CALLER);
    const second = await mailedToken(parts, body.email, /new password/, first);
    const reset = (token: string) => parts.passwordChange.reset(token, OWN, CALLER);
    await expect(reset(first)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await reset(second);
    await expect(reset(second)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('are void after a change of the password (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    await parts.passwordChange.forgot(body.email, CALLER);
    const token = await mailedToken(parts, body.email, /new password/);
    const principal = parts.accounts.authenticateToken((await login(body.email, PASSWORD)).accessToken);
    await parts.passwordChange.change(principal, PASSWORD, OWN, CALLER);
    await expect(parts.passwordChange.reset(token, 'a third idea of one', CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('are void after 30 minutes and a day (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    await parts.passwordChange.forgot(body.email, CALLER);
    const reset = await mailedToken(parts, body.email, /new password/);
    const [verify] = await verifyTokens(body.email, 1);
    const { rows } = await base.db.pool.query(
      `select kind, extract(epoch from t.expires_at - t.created_at)::int as sec from email_tokens t join users u on u.id = t.user_id
       where u.email = $1 order by kind`,
      [body.email],
    );
    expect(rows).toEqual([
      { kind: 'reset', sec: 1_800 },
      { kind: 'verify', sec: 86_400 },
    ]);
    await base.db.pool.query(`update email_tokens set expires_at = now() - interval '1 s'`);
    await expect(parts.passwordChange.reset(reset, OWN, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(parts.signUp.verifyEmail(verify!, CALLER)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('are of one kind each: none passes for another', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    const grant = await login(body.email, PASSWORD);
    await parts.passwordChange.forgot(body.email, CALLER);
    const reset = await mailedToken(parts, body.email, /new password/);
    const [verify] = await verifyTokens(body.email, 1);
    for (const token of [reset, grant.accessToken, grant.refreshToken]) {
      await expect(parts.signUp.verifyEmail(token, CALLER)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      });
    }
    for (const token of [verify!, grant.accessToken, grant.refreshToken]) {
      await expect(parts.passwordChange.reset(token, OWN, CALLER)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      });
    }
    for (const token of [reset, verify!, grant.refreshToken]) {
      expect(() => parts.accounts.authenticateToken(token)).toThrow();
    }
    for (const token of [reset, verify!, grant.accessToken]) {
      await expect(parts.accounts.refresh(token, CALLER)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('are in the database as hashes only (AUTH-31)', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    const grant = await login(body.email, PASSWORD);
    const next = await parts.accounts.refresh(grant.refreshToken, CALLER);
    await parts.passwordChange.forgot(body.email, CALLER);
    const secrets = [
      await mailedToken(parts, body.email, /new password/),
      (await verifyTokens(body.email, 1))[0]!,
      grant.refreshToken,
      next.refreshToken,
      grant.accessToken,
      PASSWORD,
    ];
    const { rows: tables } = await base.db.pool.query(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_schema in ('public', 'jobs') and table_type = 'BASE TABLE'`,
    );
    let dump = '';
    for (const { name } of tables) {
      const { rows } = await base.db.pool.query(`select t::text as line from ${name} t`);
      dump += rows.map((row) => row.line).join('\n');
    }
    expect(dump).toContain(body.email);
    for (const secret of secrets) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(dump).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
    }
  });
});
