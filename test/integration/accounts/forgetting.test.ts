import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Devices } from '../../../src/accounts/Devices.ts';
import { EmailTokens } from '../../../src/accounts/EmailTokens.ts';
import { Forgetting } from '../../../src/accounts/Forgetting.ts';
import { createLog } from '../../../src/log.ts';
import {
  type AccountsParts,
  CALLER,
  openAccounts,
  PASSWORD,
  registration,
  until,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const base = useDatabase();
const clock = new FakeClock();
const DAY_MS = 86_400_000;
let parts: AccountsParts;

beforeAll(async () => {
  parts = await openAccounts({ db: base.db, url: base.url, clock });
});
afterAll(() => parts.close());

async function count(table: string): Promise<number> {
  const { rows } = await base.db.pool.query(`select count(*)::int as n from ${table}`);
  return rows[0].n;
}

describe('forgetting', () => {
  it('deletes what is over, by and by, and nothing before', async () => {
    const body = registration();
    await parts.signUp.register(body, CALLER);
    await parts.signUp.register({ ...body, password: 'somebody elses idea' }, CALLER);
    const grant = await parts.accounts.login(body.email, PASSWORD, CALLER);
    await parts.accounts.login(body.email, PASSWORD, { ...CALLER, userAgent: 'Chrome/150' });
    await parts.accounts.logout(parts.accounts.authenticateToken(grant.accessToken), CALLER);
    await until(async () => ((await count('email_tokens')) === 2 ? true : undefined));

    const forgetting = new Forgetting({
      db: base.db,
      clock,
      log: createLog('silent'),
      sessions: parts.sessions,
      emailTokens: new EmailTokens({ clock }),
      devices: new Devices(parts.secrets),
      audit: parts.audit,
    });
    const left = async () => {
      await forgetting.run();
      return Promise.all(['registrations', 'email_tokens', 'sessions', 'devices', 'users'].map(count));
    };
    expect(await left()).toEqual([2, 2, 2, 2, 1]);
    clock.advance(DAY_MS);
    expect(await left()).toEqual([2, 0, 2, 2, 1]);
    clock.advance(7 * DAY_MS);
    expect(await left()).toEqual([1, 0, 2, 2, 1]);
    clock.advance(23 * DAY_MS);
    expect(await left()).toEqual([1, 0, 1, 2, 1]);
    forgetting.start();
    // By its own timer, without being called.
    clock.advance(60 * DAY_MS);
    await until(async () => {
      clock.advance(3_600_000);
      return (await count('devices')) + (await count('sessions')) === 0 ? true : undefined;
    });
    await forgetting.close();
    expect(await count('users')).toBe(1);
  });
});
