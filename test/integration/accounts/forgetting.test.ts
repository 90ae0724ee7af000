import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Devices } from '../../../src/accounts/Devices.ts';
import { EmailTokens } from '../../../src/accounts/EmailTokens.ts';
import { Forgetting } from '../../../src/accounts/Forgetting.ts';
import { createLog } from '../../../src/log.ts';
import {
  type AccountsParts,
  CLIENT,
  openAccounts,
  PASSWORD,
  registration,
  until,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
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

const options = () => ({
  db: base.db,
  clock,
  log: createLog('silent'),
  sessions: parts.sessions,
  emailTokens: new EmailTokens({ clock }),
  devices: new Devices(parts.secrets),
  audit: parts.audit,
});
const idOf = async (email: string): Promise<string> => {
  const { rows } = await base.db.pool.query(
    `select user_id from audit_log where subject = $1 and action = 'registered'`,
    [parts.audit.subject(email)],
  );
  return rows[0].user_id;
};

describe('forgetting', () => {
  it('deletes what is over, by and by, and nothing before', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.signUp.register({ ...body, password: 'somebody elses idea' }, CLIENT);
    const grant = await parts.accounts.login(body.email, PASSWORD, CLIENT);
    await parts.accounts.login(body.email, PASSWORD, { ...CLIENT, userAgent: 'Chrome/150' });
    await parts.accounts.logout(parts.accounts.authenticateToken(grant.accessToken), CLIENT);
    await until(async () => ((await count('email_tokens')) === 2 ? true : undefined));

    const forgetting = new Forgetting(options());
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

  it('gives up accounts whose address nobody verified in 30 days, and that nobody uses', async () => {
    const old = Array.from({ length: 5 }, () => registration());
    for (const body of old) await parts.signUp.register(body, CLIENT);
    const [, asked, used, verified, banned] = old.map(({ email }) => email);
    await base.db.pool.query('update users set email_verified_at = now() where id = $1', [
      await idOf(verified!),
    ]);
    await base.db.pool.query(`update users set status = 'banned' where id = $1`, [await idOf(banned!)]);
    const forgetting = new Forgetting(options());
    const ids = await Promise.all(old.map(({ email }) => idOf(email)));
    // Those of this test: the accounts' own rounds do it at the same time, which is no harm.
    const gone = async () => {
      await forgetting.run();
      const { rows } = await base.db.pool.query(
        `select id from users where id = any($1) and status = 'deleted' and erase_at <= $2`,
        [ids, new Date(clock.now())],
      );
      return new Set(rows.map(({ id }) => id));
    };
    clock.advance(29 * DAY_MS);
    expect(await gone()).toEqual(new Set());
    // Somebody asks for the account once more, and somebody signs in.
    await parts.signUp.register(old[1]!, CLIENT);
    await parts.accounts.login(used!, PASSWORD, CLIENT);
    clock.advance(2 * DAY_MS);
    const first = await idOf(old[0]!.email);
    await eventually(gone).toEqual(new Set([first]));
    const { rows } = await base.db.pool.query(
      `select details from audit_log where user_id = $1 and action = 'account_deleted'`,
      [first],
    );
    expect(rows).toEqual([{ details: { reason: 'UNVERIFIED' } }]);
    // His session was over a day ago, and the one who asked heard nothing for a month.
    clock.advance(31 * DAY_MS);
    await eventually(gone).toEqual(new Set([first, await idOf(asked!), await idOf(used!)]));
  });
});
