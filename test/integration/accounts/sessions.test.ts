import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/db/Database.ts';
import { newId } from '../../../src/ids.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import {
  type AccountsParts,
  CLIENT,
  openAccounts,
  PASSWORD,
  registration,
  until,
} from '../../support/accounts.ts';
import { openDatabase, useDatabase } from '../../support/database.ts';
import { FakeClock } from '../../support/FakeClock.ts';

// A and B are two processes of the server as far as accounts go: pools, caches and sets of their own.
const base = useDatabase();
const clock = new FakeClock();
let dbB: Database;
let a: AccountsParts;
let b: AccountsParts;
let email: string;

beforeAll(async () => {
  dbB = await openDatabase(base.url, 10);
  const bus = new MemoryBus();
  a = await openAccounts({ db: base.db, url: base.url, clock, bus });
  b = await openAccounts({ db: dbB, url: base.url, clock, bus });
});
afterAll(async () => {
  await a.close();
  await b.close();
  await dbB.close();
});
beforeEach(async () => {
  const body = registration();
  email = body.email;
  await a.signUp.register(body, CLIENT);
});

const login = (parts = a, client = CLIENT) => parts.accounts.login(email, PASSWORD, client);
const refused = (code: string) => expect.objectContaining({ code });

async function audit(userId: string): Promise<string[]> {
  const { rows } = await base.db.pool.query('select action from audit_log where user_id = $1 order by id', [
    userId,
  ]);
  return rows.map((row) => row.action);
}

describe('refresh tokens', () => {
  it('end the session when one is used again after the grace (AUTH-01)', async () => {
    const first = await login();
    const other = await login();
    const second = await b.accounts.refresh(first.refreshToken, CLIENT);
    clock.advance(10_001);
    await expect(a.accounts.refresh(first.refreshToken, CLIENT)).rejects.toEqual(refused('REFRESH_REUSED'));
    await expect(b.accounts.refresh(second.refreshToken, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
    await until(() => (b.revocations.has(first.sessionId) ? true : undefined));
    for (const parts of [a, b]) {
      for (const { accessToken } of [first, second]) {
        expect(() => parts.accounts.authenticateToken(accessToken)).toThrow('Sign in first.');
      }
      expect(parts.accounts.authenticateToken(other.accessToken).sessionId).toBe(other.sessionId);
    }
    await a.accounts.refresh(other.refreshToken, CLIENT);
    expect(await audit(first.userId)).toContain('session_reused');
    const mail = await until(async () =>
      (await a.mailbox.list(email)).find((kept) => /signed out/.test(kept.subject)),
    );
    expect(mail.text).toContain('Firefox on Linux');
  });

  it('give the same child again within the grace, and end the session for a grandparent (AUTH-01)', async () => {
    const first = await login();
    const second = await a.accounts.refresh(first.refreshToken, CLIENT);
    clock.advance(9_999);
    const again = await b.accounts.refresh(first.refreshToken, CLIENT);
    expect(again.refreshToken).toBe(second.refreshToken);
    expect(again.refreshTokenExpiresAt).toBe(second.refreshTokenExpiresAt);
    await a.accounts.refresh(second.refreshToken, CLIENT);
    await expect(a.accounts.refresh(first.refreshToken, CLIENT)).rejects.toEqual(refused('REFRESH_REUSED'));
  });

  it('are refused without harm when they are made up', async () => {
    const grant = await login();
    const made = Buffer.from(grant.refreshToken, 'base64url');
    made[20]! ^= 1;
    const other = a.refreshTokens.first(newId());
    for (const token of [made.toString('base64url'), other, 'x', `${grant.refreshToken}=`, "' or 1=1 --"]) {
      await expect(a.accounts.refresh(token, CLIENT), token).rejects.toEqual(refused('UNAUTHORIZED'));
    }
    await a.accounts.refresh(grant.refreshToken, CLIENT);
  });

  it('end after 30 days without use, and after 90 in any case', async () => {
    const idle = await login();
    const busy = await login();
    let token = busy.refreshToken;
    for (let day = 20; day <= 80; day += 20) {
      clock.advance(20 * 86_400_000);
      const next = await a.accounts.refresh(token, CLIENT);
      expect(next.refreshTokenExpiresAt).toBeLessThanOrEqual(busy.accessTokenExpiresAt + 90 * 86_400_000);
      token = next.refreshToken;
    }
    await expect(a.accounts.refresh(idle.refreshToken, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
    clock.advance(10 * 86_400_000);
    await expect(a.accounts.refresh(token, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
  });

  it('end after 90 days also where the password was changed, and none is made anew for a session that is over', async () => {
    const busy = await login();
    let { refreshToken: token, accessToken } = busy;
    for (let day = 20; day <= 80; day += 20) {
      clock.advance(20 * 86_400_000);
      ({ refreshToken: token, accessToken } = await a.accounts.refresh(token, CLIENT));
    }
    const principal = a.accounts.authenticateToken(accessToken);
    const changed = await a.passwordChange.change(principal, PASSWORD, PASSWORD, CLIENT);
    expect(changed.refreshTokenExpiresAt).toBeLessThanOrEqual(busy.accessTokenExpiresAt + 90 * 86_400_000);
    const [listed] = await a.accounts.listSessions(principal);
    expect(Date.parse(listed!.expiresAt)).toBe(changed.refreshTokenExpiresAt);
    clock.advance(10 * 86_400_000);
    await expect(a.accounts.refresh(changed.refreshToken, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
    // The access token of its last minutes is still good.
    await expect(a.passwordChange.change(principal, PASSWORD, PASSWORD, CLIENT)).rejects.toEqual(
      refused('UNAUTHORIZED'),
    );
  });

  it('of before a change of the password end nothing for a moment, and give nothing', async () => {
    const first = await login();
    const parent = first.refreshToken;
    const current = await a.accounts.refresh(parent, CLIENT);
    const principal = a.accounts.authenticateToken(current.accessToken);
    const changed = await a.passwordChange.change(principal, PASSWORD, PASSWORD, CLIENT);
    // A refresh that was on its way when the password changed.
    for (let nth = 0; nth < 3; nth++)
      await expect(b.accounts.refresh(current.refreshToken, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
    expect(await audit(first.userId)).not.toContain('session_reused');
    const next = await b.accounts.refresh(changed.refreshToken, CLIENT);
    a.accounts.authenticateToken(next.accessToken);
    // What was no good any more even then tells of a thief, and so does the other one when its moment is over.
    const again = await a.passwordChange.change(principal, PASSWORD, PASSWORD, CLIENT);
    clock.advance(10_001);
    await expect(a.accounts.refresh(next.refreshToken, CLIENT)).rejects.toEqual(refused('REFRESH_REUSED'));
    await expect(a.accounts.refresh(again.refreshToken, CLIENT)).rejects.toEqual(refused('UNAUTHORIZED'));
  });

  it('of a suspended user are no good', async () => {
    const grant = await login();
    await base.db.pool.query(`update users set status = 'suspended' where id = $1`, [grant.userId]);
    await expect(a.accounts.refresh(grant.refreshToken, CLIENT)).rejects.toEqual(
      refused('ACCOUNT_SUSPENDED'),
    );
  });

  it('have one child when twenty ask at once, a thousand times (AUTH-03)', async () => {
    const grant = await login();
    let token = grant.refreshToken;
    const children = new Set<string>();
    for (let round = 0; round < 1_000; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, nth) => (nth % 2 ? a : b).accounts.refresh(token, CLIENT)),
      );
      const different = new Set(answers.map((answer) => answer.refreshToken));
      expect(different.size).toBe(1);
      token = answers[0]!.refreshToken;
      children.add(token);
    }
    expect(children.size).toBe(1_000);
    const { rows } = await base.db.pool.query('select rotations, revoked_at from sessions where id = $1', [
      grant.sessionId,
    ]);
    expect(rows).toEqual([{ rotations: 1_000, revoked_at: null }]);
  }, 600_000);
});

describe('sessions', () => {
  it('are ten at most: one more ends the oldest (AUTH-37)', async () => {
    const grants = [];
    for (let nth = 0; nth < 11; nth++) {
      grants.push(await login(nth % 2 ? a : b));
      clock.advance(1_000);
    }
    const [oldest, second] = grants;
    await until(() =>
      a.revocations.has(oldest!.sessionId) && b.revocations.has(oldest!.sessionId) ? true : undefined,
    );
    expect(() => a.accounts.authenticateToken(oldest!.accessToken)).toThrow();
    expect(a.accounts.authenticateToken(second!.accessToken).sessionId).toBe(second!.sessionId);
    const principal = a.accounts.authenticateToken(grants[10]!.accessToken);
    const items = await a.accounts.listSessions(principal);
    expect(items).toHaveLength(10);
    expect(items[0]).toMatchObject({
      id: principal.sessionId,
      current: true,
      deviceName: 'Firefox on Linux',
      address: '203.0.113.0/24',
    });
  });

  it('are counted while they live: who signs in and out elsewhere is not signed out here', async () => {
    const mine = await login();
    const here = a.accounts.authenticateToken(mine.accessToken);
    for (let nth = 0; nth < 11; nth++) {
      clock.advance(1_000);
      const elsewhere = await login();
      await a.accounts.endSession(here, elsewhere.sessionId, CLIENT);
    }
    expect(await a.accounts.listSessions(here)).toMatchObject([{ id: mine.sessionId }]);
  });

  it('stay ten when thirty sign in at once (AUTH-37)', async () => {
    const grants = await Promise.all(Array.from({ length: 30 }, (_, nth) => login(nth % 2 ? a : b)));
    const { rows } = await base.db.pool.query(
      'select count(*)::int as live from sessions where user_id = $1 and revoked_at is null',
      [grants[0]!.userId],
    );
    expect(rows).toEqual([{ live: 10 }]);
    // A login while signed in is a session of its own (AUTH-43).
    expect(new Set(grants.map((grant) => grant.sessionId)).size).toBe(30);
  });

  it('are ended one by one by their owner only', async () => {
    const mine = await login();
    const phone = await login();
    const principal = a.accounts.authenticateToken(mine.accessToken);
    const stranger = { userId: newId(), sessionId: newId(), role: 'user' as const };
    await expect(a.accounts.endSession(stranger, phone.sessionId, CLIENT)).rejects.toEqual(
      refused('NOT_FOUND'),
    );
    await a.accounts.endSession(principal, phone.sessionId, CLIENT);
    expect(() => a.accounts.authenticateToken(phone.accessToken)).toThrow();
    await expect(a.accounts.endSession(principal, phone.sessionId, CLIENT)).rejects.toEqual(
      refused('NOT_FOUND'),
    );
    expect(await audit(mine.userId)).toContain('session_revoked');
  });
});
