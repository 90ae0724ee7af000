import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccountsParts,
  CLIENT,
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
const login = (email: string, password: string) => parts.accounts.login(email, password, CLIENT);

describe('tokens of mails', () => {
  it('are sent again on request, and the one before is void', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const [first] = await verifyTokens(parts, body.email, 1);
    await parts.signUp.resendVerification(body.email, CLIENT);
    const [, second] = await verifyTokens(parts, body.email, 2);
    await expect(parts.signUp.verifyEmail(first!, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await parts.signUp.verifyEmail(second!, CLIENT);
    await parts.signUp.resendVerification(body.email, CLIENT);
    await parts.signUp.resendVerification('nobody@example.org', CLIENT);
    expect(await mailsTo('nobody@example.org')).toEqual([]);
  });

  it('reset a password once, while they are the newest (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const first = await mailedToken(parts, body.email, /new password/);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const second = await mailedToken(parts, body.email, /new password/, first);
    const reset = (token: string) => parts.passwordChange.reset(token, OWN, CLIENT);
    await expect(reset(first)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await reset(second);
    await expect(reset(second)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('set neither the own address nor the own name as a password, and are good for another afterwards', async () => {
    const body = registration({ displayName: 'Robin of Loxley' });
    await parts.signUp.register({ ...body, displayName: 'Mallory' }, CLIENT);
    await parts.signUp.register(body, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const token = await mailedToken(parts, body.email, /new password/);
    const own = [body.email, body.email.split('@')[0]!.toUpperCase(), 'robin of loxley'];
    for (const password of own)
      await expect(parts.passwordChange.reset(token, password, CLIENT), password).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
        details: [{ path: 'password' }],
      });
    await parts.passwordChange.reset(token, OWN, CLIENT);
    const principal = parts.accounts.authenticateToken((await login(body.email, OWN)).accessToken);
    for (const password of own)
      await expect(
        parts.passwordChange.change(principal, OWN, password, CLIENT),
        password,
      ).rejects.toMatchObject({ code: 'VALIDATION_FAILED', details: [{ path: 'newPassword' }] });
    await login(body.email, OWN);
  });

  it('are void after a change of the password (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const token = await mailedToken(parts, body.email, /new password/);
    const principal = parts.accounts.authenticateToken((await login(body.email, PASSWORD)).accessToken);
    await parts.passwordChange.change(principal, PASSWORD, OWN, CLIENT);
    await expect(parts.passwordChange.reset(token, 'a third idea of one', CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('are used by who has locked the account, like everybody who voids them: nobody waits in a circle', async () => {
    for (const use of [
      (verify: string) => parts.signUp.verifyEmail(verify, CLIENT),
      (_: string, reset: string) => parts.passwordChange.reset(reset, OWN, CLIENT),
    ]) {
      const body = registration();
      await parts.signUp.register(body, CLIENT);
      const { userId } = await login(body.email, PASSWORD);
      await parts.passwordChange.forgot(body.email, CLIENT);
      const reset = await mailedToken(parts, body.email, /new password/);
      const [verify] = await verifyTokens(parts, body.email, 1);
      const holder = await base.db.pool.connect();
      await holder.query('begin');
      await holder.query('select from users where id = $1 for no key update', [userId]);
      const used = use(verify!, reset);
      await until(async () => {
        const { rows } = await base.db.pool.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        return rows.length > 0 ? true : undefined;
      });
      const free = await base.db.pool.query(
        'select from email_tokens where user_id = $1 for update skip locked',
        [userId],
      );
      await holder.query('rollback');
      holder.release();
      await used;
      expect(free.rowCount).toBe(2);
    }
  });

  it('are void after 30 minutes and a day (AUTH-29)', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const reset = await mailedToken(parts, body.email, /new password/);
    const [verify] = await verifyTokens(parts, body.email, 1);
    const { rows } = await base.db.pool.query(
      `select kind, extract(epoch from t.expires_at - t.created_at)::int as sec from email_tokens t join users u on u.id = t.user_id
       where u.email_key = $1 order by kind`,
      [parts.addresses.keysOf(body.email)[0]],
    );
    expect(rows).toEqual([
      { kind: 'reset', sec: 1_800 },
      { kind: 'verify', sec: 86_400 },
    ]);
    await base.db.pool.query(`update email_tokens set expires_at = now() - interval '1 s'`);
    await expect(parts.passwordChange.reset(reset, OWN, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(parts.signUp.verifyEmail(verify!, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('are of one kind each: none passes for another', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const grant = await login(body.email, PASSWORD);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const reset = await mailedToken(parts, body.email, /new password/);
    const [verify] = await verifyTokens(parts, body.email, 1);
    for (const token of [reset, grant.accessToken, grant.refreshToken]) {
      await expect(parts.signUp.verifyEmail(token, CLIENT)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      });
    }
    for (const token of [verify!, grant.accessToken, grant.refreshToken]) {
      await expect(parts.passwordChange.reset(token, OWN, CLIENT)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      });
    }
    for (const token of [reset, verify!, grant.refreshToken]) {
      expect(() => parts.accounts.authenticateToken(token)).toThrow();
    }
    for (const token of [reset, verify!, grant.accessToken]) {
      await expect(parts.accounts.refresh(token, CLIENT)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it('are in the database as hashes only (AUTH-31)', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const grant = await login(body.email, PASSWORD);
    const next = await parts.accounts.refresh(grant.refreshToken, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const secrets = [
      await mailedToken(parts, body.email, /new password/),
      (await verifyTokens(parts, body.email, 1))[0]!,
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
    expect(dump).toContain(grant.userId);
    for (const secret of secrets) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(dump).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
    }
  });
});
