import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { openRedis } from '../../../src/platform/redis.ts';
import {
  type AccountsParts,
  CLIENT,
  openAccounts,
  PASSWORD,
  registration,
  until,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';
import { useRedis } from '../../support/redis.ts';

const base = useDatabase();
const redis = useRedis();
const log = createLog('silent');
const WRONG = 'not the password at all';
let clients: Redis[];
let a: AccountsParts;
let b: AccountsParts;

beforeAll(async () => {
  clients = [openRedis(redis.url, log), openRedis(redis.url, log)];
  const limits = { login: 5, browse: 3 };
  a = await openAccounts({ db: base.db, url: base.url, redis: clients[0], limits });
  b = await openAccounts({ db: base.db, url: base.url, redis: clients[1], limits });
  await until(() => (clients.every((client) => client.status === 'ready') ? true : undefined));
});
afterAll(async () => {
  await a.close();
  await b.close();
  for (const client of clients) client.disconnect();
});

async function register(): Promise<string> {
  const body = registration();
  await a.signUp.register(body, CLIENT);
  return body.email;
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error) => error.code ?? String(error),
  );

describe('limits over two processes and Redis', () => {
  it('are exact (AUTH-27)', async () => {
    const email = await register();
    const codes = [];
    for (const parts of [a, b, a, b, a, b])
      codes.push(await code(parts.accounts.login(email, WRONG, CLIENT)));
    expect(codes).toEqual([...Array<string>(5).fill('INVALID_CREDENTIALS'), 'TOO_MANY_REQUESTS']);
    const other = await register();
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, nth) => code((nth % 2 ? a : b).accounts.login(other, WRONG, CLIENT))),
    );
    expect(many.filter((one) => one === 'INVALID_CREDENTIALS')).toHaveLength(5);
  });

  it('fail closed for signing in and open for reading while Redis is gone, which is not asked (AUTH-27)', async () => {
    const email = await register();
    const grant = await a.accounts.login(email, PASSWORD, CLIENT);
    await redis.stop();
    await until(() => (clients.every((client) => client.status !== 'ready') ? true : undefined));
    const asked = clients.map((client) => vi.spyOn(client, 'sendCommand'));
    expect(await code(a.accounts.login(email, PASSWORD, CLIENT))).toBe('UNAVAILABLE');
    expect(await code(b.accounts.login(email, WRONG, CLIENT))).toBe('UNAVAILABLE');
    for (const commands of asked) expect(commands).not.toHaveBeenCalled();
    for (const commands of asked) commands.mockRestore();
    // Reading goes on, counted by each process for itself; so does whoever is signed in.
    const reads = [];
    for (let nth = 0; nth < 4; nth++) reads.push(await code(a.limits.consume('browse', 'somebody')));
    expect(reads).toEqual(['fine', 'fine', 'fine', 'TOO_MANY_REQUESTS']);
    expect(a.accounts.authenticateToken(grant.accessToken).userId).toBe(grant.userId);
    await a.accounts.refresh(grant.refreshToken, CLIENT);

    await redis.start();
    await until(async () =>
      (await code(a.accounts.login(email, PASSWORD, CLIENT))) === 'fine' ? true : undefined,
    );
  });
});
