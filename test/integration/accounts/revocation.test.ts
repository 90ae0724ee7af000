import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Sanctions } from '../../../src/accounts/Sanctions.ts';
import type { Database } from '../../../src/db/Database.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { RedisBus } from '../../../src/platform/RedisBus.ts';
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
import { useRedis } from '../../support/redis.ts';

const base = useDatabase();
const redis = useRedis();
const log = createLog('silent');
let dbB: Database;
let email: string;
let busA: RedisBus;
let busB: RedisBus;
let a: AccountsParts;
let b: AccountsParts;

beforeAll(async () => {
  dbB = await openDatabase(base.url, 5);
  busA = new RedisBus({ url: redis.url, log });
  busB = new RedisBus({ url: redis.url, log });
  // The bus alone has to do it in most of these tests: the database is not asked for an hour.
  a = await openAccounts({ db: base.db, url: base.url, bus: busA, pollMs: 3_600_000 });
  b = await openAccounts({ db: dbB, url: base.url, bus: busB, pollMs: 3_600_000 });
});
afterAll(async () => {
  await a.close();
  await b.close();
  await busA.close();
  await busB.close();
  await dbB.close();
});
beforeEach(async () => {
  const body = registration();
  email = body.email;
  await a.signUp.register(body, CLIENT);
});

/** Resolves when `parts` refuses the token. */
async function refused(parts: AccountsParts, token: string): Promise<void> {
  await until(() => {
    try {
      parts.accounts.authenticateToken(token);
      return undefined;
    } catch {
      return true;
    }
  });
}

describe('a session that ends', () => {
  it('is refused everywhere, by the bus (AUTH-13)', async () => {
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    const principal = b.accounts.authenticateToken(grant.accessToken);
    const told: string[] = [];
    const stop = b.revocations.onRevoked((event) => told.push(event.userId, ...event.sessionIds));
    await a.accounts.logout(principal, CLIENT);
    expect(() => a.accounts.authenticateToken(grant.accessToken)).toThrow();
    await refused(b, grant.accessToken);
    expect(told).toEqual([grant.userId, grant.sessionId]);
    stop();
  });

  it('is refused within a second although the bus is away, by the database', async () => {
    const clock = new FakeClock(Date.now());
    const lonely = await openAccounts({ db: dbB, url: base.url, bus: new MemoryBus(), clock });
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    const told: string[] = [];
    lonely.revocations.onRevoked((event) => told.push(...event.sessionIds));
    await a.accounts.logout(lonely.accounts.authenticateToken(grant.accessToken), CLIENT);
    lonely.accounts.authenticateToken(grant.accessToken);
    clock.advance(1_000);
    await refused(lonely, grant.accessToken);
    // What is read again is not told again.
    const asked = vi.spyOn(dbB, 'query');
    clock.advance(1_000);
    await Promise.all(asked.mock.results.map(({ value }) => value));
    expect(asked).toHaveBeenCalled();
    asked.mockRestore();
    expect(told).toEqual([grant.sessionId]);
    await lonely.close();
  });

  it('is known to a process that starts afterwards', async () => {
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    await a.accounts.logout(a.accounts.authenticateToken(grant.accessToken), CLIENT);
    const late = await openAccounts({ db: dbB, url: base.url, bus: new MemoryBus(), pollMs: 3_600_000 });
    expect(() => late.accounts.authenticateToken(grant.accessToken)).toThrow();
    await late.close();
  });

  it('takes the others with it when the password changes (AUTH-15)', async () => {
    const here = await a.accounts.login(email, PASSWORD, CLIENT);
    const there = await b.accounts.login(email, PASSWORD, CLIENT);
    const principal = a.accounts.authenticateToken(here.accessToken);
    const renewed = await a.passwordChange.change(principal, PASSWORD, 'another violet harbour', CLIENT);
    await refused(b, there.accessToken);
    expect(b.accounts.authenticateToken(renewed.accessToken).sessionId).toBe(here.sessionId);
    await expect(b.accounts.refresh(there.refreshToken, CLIENT)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
  });

  it('stays when a ban cannot be written whole, pictures included: all of it or nothing', async () => {
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    const { db, clock, sessions, audit, bans, addresses } = a;
    const sanctions = new Sanctions({
      db,
      clock,
      sessions,
      audit,
      bans,
      addresses,
      settle: async () => {},
      banPictures: () => Promise.reject(new Error('this process dies')),
    });
    const admin = { userId: newId(), sessionId: newId(), role: 'admin' as const };
    const change = { status: 'banned', reason: 'threats' } as const;
    await expect(sanctions.change(admin, grant.userId, change, CLIENT)).rejects.toThrow('dies');
    await a.accounts.refresh(grant.refreshToken, CLIENT);
  });

  it('ends with all the others when the account is suspended (AUTH-17)', async () => {
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    const { db, clock, sessions, audit, bans, addresses } = a;
    const nothing = async () => {};
    const sanctions = new Sanctions({
      db,
      clock,
      sessions,
      audit,
      bans,
      addresses,
      settle: nothing,
      banPictures: nothing,
    });
    const admin = { userId: newId(), sessionId: newId(), role: 'admin' as const };
    await sanctions.change(admin, grant.userId, { status: 'suspended', reason: 'threats' }, CLIENT);
    await refused(b, grant.accessToken);
    for (const parts of [a, b]) {
      await expect(parts.accounts.login(email, PASSWORD, CLIENT)).rejects.toMatchObject({
        code: 'ACCOUNT_SUSPENDED',
      });
      await expect(parts.accounts.login(email, 'not the password', CLIENT)).rejects.toMatchObject({
        code: 'INVALID_CREDENTIALS',
      });
      await expect(parts.accounts.refresh(grant.refreshToken, CLIENT)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
      });
    }
  });

  it('is heard of again when Redis comes back', async () => {
    await redis.stop();
    await redis.start();
    // A message of our own tells that both are connected again.
    const heard: unknown[] = [];
    busB.subscribe('test', (message) => heard.push(message));
    await until(() => {
      busA.publish('test', { again: true });
      return heard.length > 0 ? true : undefined;
    });
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    await a.accounts.logout(a.accounts.authenticateToken(grant.accessToken), CLIENT);
    await refused(b, grant.accessToken);
  });

  it('does not disturb a process by nonsense on the bus', async () => {
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    for (const nonsense of [
      {},
      { userId: 1 },
      { userId: 'x', sessionIds: 'all' },
      { userId: 'x', sessionIds: [null] },
      [],
    ]) {
      busB.publish('sessions.revoked', nonsense);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(a.accounts.authenticateToken(grant.accessToken).userId).toBe(grant.userId);
  });
});
