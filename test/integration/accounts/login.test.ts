import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { argon2id, hash } from 'argon2';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HashingProcess } from '../../../src/accounts/HashingProcess.ts';
import { Passwords } from '../../../src/accounts/Passwords.ts';
import {
  type AccountsParts,
  CLIENT,
  openAccounts,
  PASSWORD,
  registration,
  until,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();
let parts: AccountsParts;
let limited: AccountsParts;

beforeAll(async () => {
  parts = await openAccounts({ db: base.db, url: base.url });
  limited = await openAccounts({
    db: base.db,
    url: base.url,
    limits: { login: 5, loginAddress: 8, password: 5 },
  });
});
afterAll(async () => {
  await parts.close();
  await limited.close();
});

const INVALID = { code: 'INVALID_CREDENTIALS' };
const TOO_MANY = { code: 'TOO_MANY_REQUESTS', retryAfterSec: expect.any(Number) };
const WRONG = 'not the password at all';

async function register(password = PASSWORD): Promise<string> {
  const body = registration({ password });
  await parts.signUp.register(body, CLIENT);
  return body.email;
}

/** A client from an address that nobody has used. */
function from(): typeof CLIENT {
  return { ...CLIENT, address: `2001:db8:${Math.floor(Math.random() * 65_535).toString(16)}:1::1` };
}

describe('signing in', () => {
  it('is counted before the password is looked at: five wrong ones, then none, not even the right one (AUTH-24)', async () => {
    const email = await register();
    for (let nth = 0; nth < 5; nth++)
      await expect(limited.accounts.login(email, WRONG, from())).rejects.toMatchObject(INVALID);
    await expect(limited.accounts.login(email, PASSWORD, from())).rejects.toMatchObject(TOO_MANY);
    await expect(limited.accounts.login(email.toUpperCase(), PASSWORD, from())).rejects.toMatchObject(
      TOO_MANY,
    );
    const { rows } = await base.db.pool.query(
      `select details->>'reason' as reason from audit_log where action = 'login_refused' order by id desc limit 1`,
    );
    expect(rows).toEqual([{ reason: 'TOO_MANY_REQUESTS' }]);
  });

  it('verifies five of fifty guesses made at once (AUTH-25)', async () => {
    const email = await register();
    const before = limited.passwords.verifications;
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, () => limited.accounts.login(email, WRONG, from())),
    );
    expect(limited.passwords.verifications - before).toBe(5);
    const codes = answers.map((answer) => (answer.status === 'rejected' ? answer.reason.code : 'in'));
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(5);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(45);
  });

  it('is limited for each address by itself, whatever the accounts', async () => {
    const client = from();
    for (let nth = 0; nth < 8; nth++) {
      await expect(limited.accounts.login(`nobody-${nth}@example.org`, WRONG, client)).rejects.toMatchObject(
        INVALID,
      );
    }
    await expect(limited.accounts.login('nobody-9@example.org', WRONG, client)).rejects.toMatchObject(
      TOO_MANY,
    );
    // The next address of the same household is the same address; another network is not.
    const sibling = { ...client, address: client.address.replace(/1$/, 'ffff') };
    await expect(limited.accounts.login('nobody-9@example.org', WRONG, sibling)).rejects.toMatchObject(
      TOO_MANY,
    );
    await expect(limited.accounts.login('nobody-9@example.org', WRONG, from())).rejects.toMatchObject(
      INVALID,
    );
  });

  it('of who is suspended while the password is looked at says so, and makes nobody an admin', async () => {
    const email = await register();
    const admins = await openAccounts({ db: base.db, url: base.url, adminEmails: [email] });
    await base.db.pool.query(`update users set email_verified_at = now() where email_key = any ($1)`, [
      admins.addresses.keysOf(email),
    ]);
    const check = admins.passwords.check.bind(admins.passwords);
    vi.spyOn(admins.passwords, 'check').mockImplementation(async (...given) => {
      const checked = await check(...given);
      await base.db.pool.query(`update users set status = 'suspended' where email_key = any ($1)`, [
        admins.addresses.keysOf(email),
      ]);
      return checked;
    });
    await expect(admins.accounts.login(email, PASSWORD, from())).rejects.toMatchObject({
      code: 'ACCOUNT_SUSPENDED',
    });
    const { rows } = await base.db.pool.query(`select role from users where email_key = any ($1)`, [
      admins.addresses.keysOf(email),
    ]);
    expect(rows).toEqual([{ role: 'user' }]);
    await admins.close();
  });

  it('costs nothing of the allowance when it succeeds, and a refresh gives none back', async () => {
    const email = await register();
    let grant = await limited.accounts.login(email, PASSWORD, from());
    for (let nth = 0; nth < 7; nth++) grant = await limited.accounts.login(email, PASSWORD, from());
    for (let nth = 0; nth < 5; nth++)
      await expect(limited.accounts.login(email, WRONG, from())).rejects.toMatchObject(INVALID);
    await limited.accounts.refresh(grant.refreshToken, CLIENT);
    await expect(limited.accounts.login(email, PASSWORD, from())).rejects.toMatchObject(TOO_MANY);
  });

  it('does the same work for accounts that do not exist (AUTH-19)', async () => {
    const before = parts.passwords.verifications;
    await expect(parts.accounts.login('nobody@example.org', WRONG, CLIENT)).rejects.toMatchObject(INVALID);
    expect(parts.passwords.verifications - before).toBe(1);
  });

  it('looks at all of a long password (AUTH-33)', async () => {
    const long = 'x'.repeat(99);
    const email = await register(`${long}a${'y'.repeat(156)}`);
    await parts.accounts.login(email, `${long}a${'y'.repeat(156)}`, CLIENT);
    await expect(parts.accounts.login(email, `${long}b${'y'.repeat(156)}`, CLIENT)).rejects.toMatchObject(
      INVALID,
    );
    await expect(parts.accounts.login(email, `${long}a`, CLIENT)).rejects.toMatchObject(INVALID);
  });

  it('makes an old hash a better one', async () => {
    const email = await register();
    const weak = await hash(PASSWORD, { type: argon2id, memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    const [key] = parts.addresses.keysOf(email);
    await base.db.pool.query('update users set password_hash = $2 where email_key = $1', [key, weak]);
    await parts.accounts.login(email, PASSWORD, CLIENT);
    const { rows } = await base.db.pool.query('select password_hash from users where email_key = $1', [key]);
    expect(rows[0].password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,p=1,t=2\$/);
    await parts.accounts.login(email, PASSWORD, CLIENT);
  });

  it('lets everybody in who knows the password, also while an old hash is made a better one', async () => {
    const email = await register();
    const weak = await hash(PASSWORD, { type: argon2id, memoryCost: 8_192, timeCost: 1, parallelism: 1 });
    const [key] = parts.addresses.keysOf(email);
    await base.db.pool.query('update users set password_hash = $2 where email_key = $1', [key, weak]);
    const answers = await Promise.allSettled(
      [PASSWORD, PASSWORD, PASSWORD, PASSWORD, WRONG].map((password) =>
        parts.accounts.login(email, password, CLIENT),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([...Array(4).fill('fulfilled'), 'rejected']);
    const { rows } = await base.db.pool.query(
      `select action from audit_log a join users u on u.id = a.user_id
       where u.email_key = $1 and action in ('password_rehashed', 'login', 'login_refused')`,
      [key],
    );
    const count = (action: string) => rows.filter((row) => row.action === action).length;
    expect([count('password_rehashed'), count('login'), count('login_refused')]).toEqual([1, 4, 1]);
  });

  it('from a device that is new is told by mail, from a known one it is not', async () => {
    const email = await register();
    const phone = {
      ...CLIENT,
      deviceId: randomUUID(),
      userAgent: 'Mozilla/5.0 (iPhone) Version/19 Safari/604',
    };
    const laptop = { ...CLIENT, deviceId: randomUUID() };
    const newDevices = async () =>
      (await parts.mailbox.list(email)).filter((mail) => /New sign-in/.test(mail.subject));
    const drained = () => until(async () => ((await parts.jobs.waiting('mail')) === 0 ? true : undefined));

    expect((await parts.accounts.login(email, PASSWORD, laptop)).deviceId).toBe(laptop.deviceId);
    await drained();
    expect(await newDevices()).toHaveLength(0);

    await parts.accounts.login(email, PASSWORD, phone);
    const mails = await until(async () => ((await newDevices()).length > 0 ? newDevices() : undefined));
    expect(mails).toHaveLength(1);
    expect(mails[0]!.text).toContain('Safari on iOS, network 203.0.113.0/24');

    await parts.accounts.login(email, PASSWORD, { ...phone, userAgent: phone.userAgent.replace('19', '20') });
    await parts.accounts.login(email, PASSWORD, laptop);
    await drained();
    expect(await newDevices()).toHaveLength(1);

    await base.db.pool.query(`update devices set seen_at = now() - interval '91 days'`);
    await parts.accounts.login(email, PASSWORD, laptop);
    await parts.accounts.login(email, PASSWORD, phone);
    await until(async () => ((await newDevices()).length === 2 ? true : undefined));
    const { rows } = await base.db.pool.query(`select encode(fingerprint, 'escape') as text from devices`);
    for (const { text } of rows) expect(text).not.toContain(phone.deviceId);
  });

  it('does not overtake a change of the password', async () => {
    const email = await register();
    const grant = await parts.accounts.login(email, PASSWORD, CLIENT);
    const principal = parts.accounts.authenticateToken(grant.accessToken);
    // The login has checked the old password; before it opens a session the password changes.
    const check = parts.passwords.check.bind(parts.passwords);
    const hook = { done: false };
    parts.passwords.check = async (stored, password) => {
      const result = await check(stored, password);
      if (!hook.done) {
        hook.done = true;
        await parts.passwordChange.change(principal, PASSWORD, 'another violet harbour', CLIENT);
      }
      return result;
    };
    await expect(parts.accounts.login(email, PASSWORD, CLIENT)).rejects.toMatchObject(INVALID);
    parts.passwords.check = check;
    await parts.accounts.login(email, 'another violet harbour', CLIENT);
  });

  it('keeps a line in the security log for each step', async () => {
    const email = await register();
    await expect(parts.accounts.login(email, WRONG, CLIENT)).rejects.toMatchObject(INVALID);
    const grant = await parts.accounts.login(email, PASSWORD, CLIENT);
    const next = await parts.accounts.refresh(grant.refreshToken, CLIENT);
    const principal = parts.accounts.authenticateToken(next.accessToken);
    await expect(
      parts.passwordChange.change(principal, WRONG, 'another violet harbour', CLIENT),
    ).rejects.toMatchObject(INVALID);
    await parts.passwordChange.change(principal, PASSWORD, 'another violet harbour', CLIENT);
    await parts.accounts.logout(principal, CLIENT);
    const { rows } = await base.db.pool.query('select * from audit_log where user_id = $1 order by id', [
      grant.userId,
    ]);
    expect(rows.map((row) => row.action)).toEqual([
      'registered',
      'login_refused',
      'login',
      'session_refreshed',
      'password_change_refused',
      'password_changed',
      'session_revoked',
    ]);
    for (const row of rows) {
      expect(row).toMatchObject({ device: 'Firefox on Linux', address: '203.0.113.0/24' });
      expect(JSON.stringify(row)).not.toContain(email);
    }
  });
});

describe('changing a password', () => {
  it('is limited like signing in', async () => {
    const email = await register();
    const grant = await limited.accounts.login(email, PASSWORD, from());
    const principal = limited.accounts.authenticateToken(grant.accessToken);
    for (let nth = 0; nth < 5; nth++) {
      await expect(
        limited.passwordChange.change(principal, WRONG, 'another violet harbour', CLIENT),
      ).rejects.toMatchObject(INVALID);
    }
    await expect(
      limited.passwordChange.change(principal, PASSWORD, 'another violet harbour', CLIENT),
    ).rejects.toMatchObject(TOO_MANY);
  });

  it('refuses what anybody would guess, and the own address', async () => {
    const email = await register();
    const grant = await parts.accounts.login(email, PASSWORD, CLIENT);
    const principal = parts.accounts.authenticateToken(grant.accessToken);
    for (const next of ['password123', email]) {
      await expect(parts.passwordChange.change(principal, PASSWORD, next, CLIENT)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
        details: [{ path: 'newPassword' }],
      });
    }
  });
});

describe('hashing passwords', () => {
  it('does a few at a time and lets a bounded number wait', async () => {
    const passwords = await Passwords.open({ concurrency: 1, maxWaiting: 2 });
    const answers = await Promise.allSettled(
      Array.from({ length: 5 }, () => passwords.check(undefined, WRONG)),
    );
    expect(answers.map((answer) => answer.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(answers[4]).toMatchObject({ reason: { code: 'UNAVAILABLE', retryAfterSec: 2 } });
    expect(await passwords.check(undefined, WRONG)).toEqual({ ok: false, outdated: false });
    passwords.close();
  });

  it('happens in a process below everybody else, and a killed one costs only what it was at', async () => {
    const hashing = new HashingProcess(2);
    const stored = await hashing.hash(PASSWORD);
    expect(getPriority(hashing.pid)).toBeGreaterThan(getPriority());
    const lost = hashing.verify(stored, PASSWORD);
    process.kill(hashing.pid!, 'SIGKILL');
    await expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await hashing.verify(stored, PASSWORD)).toBe(true);
    hashing.close();
  });

  it('happens also in a server that was started below others, which may not raise a priority', async () => {
    const module = fileURLToPath(new URL('../../../src/accounts/HashingProcess.ts', import.meta.url));
    const program = `
      import { getPriority, setPriority } from 'node:os';
      import { HashingProcess } from ${JSON.stringify(module)};
      setPriority(15);
      const waiting = setInterval(() => {}, 1_000);
      const hashing = new HashingProcess(1);
      const hash = await hashing.hash('a password');
      console.log(hash.slice(0, 9), getPriority(hashing.pid));
      clearInterval(waiting);
      hashing.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(stdout.trim()).toBe('$argon2id 15');
  });

  it('is done by another process when this one stands still', async () => {
    const hashing = new HashingProcess(2);
    const stored = await hashing.hash(PASSWORD);
    process.kill(hashing.pid!, 'SIGSTOP');
    const lost = await Promise.allSettled([hashing.verify(stored, PASSWORD), hashing.hash(PASSWORD)]);
    for (const answer of lost) expect(answer).toMatchObject({ reason: { code: 'UNAVAILABLE' } });
    expect(await hashing.verify(stored, PASSWORD)).toBe(true);
    hashing.close();
  });
});
