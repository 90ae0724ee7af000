/** PV-27: what a person agreed to is kept, by version, and only added to. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AccountsParts,
  CLIENT,
  mailedToken,
  openAccounts,
  registration,
  verifyTokens,
} from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();
let parts: AccountsParts;
const openWith = (documents: { terms: string; privacy: string }) =>
  openAccounts({ db: base.db, url: base.url, documents });

beforeAll(async () => {
  parts = await openWith({ terms: '2026-01', privacy: '7' });
});
afterAll(() => parts.close());

const query = async (text: string, values: unknown[] = []) => (await base.db.pool.query(text, values)).rows;
const userIdOf = async (email: string) =>
  (await query('select id from users where email_key = $1', [parts.addresses.keysOf(email)[0]]))[0].id;
const consents = (userId: string) =>
  query('select document, version, at from consents where user_id = $1 order by at, document', [userId]);

describe('consents (PV-27)', () => {
  it('are of the versions in force, from the moment of registering', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const userId = await userIdOf(body.email);
    const [{ created_at: at }] = await query('select created_at from users where id = $1', [userId]);
    const given = [
      { document: 'privacy', version: '7', at },
      { document: 'terms', version: '2026-01', at },
    ];
    expect(await consents(userId)).toEqual(given);
    await parts.signUp.verifyEmail(await mailedToken(parts, body.email, /Verify/), CLIENT);
    expect(await consents(userId)).toEqual(given);
  });

  it('are only added to, and go with the person', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const userId = await userIdOf(body.email);
    for (const text of [
      `update consents set version = '8' where user_id = '${userId}'`,
      `delete from consents where user_id = '${userId}'`,
      'delete from consents',
      'truncate consents',
    ])
      await expect(query(text), text).rejects.toMatchObject({ code: '42501' });
    expect(await consents(userId)).toHaveLength(2);
    await query('delete from users where id = $1', [userId]);
    expect(await consents(userId)).toEqual([]);
  });

  it('of the owner of an address are those of his own registration, whoever registered before', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const userId = await userIdOf(body.email);
    const later = await openWith({ terms: '2026-02', privacy: '8' });
    await later.signUp.register({ ...body, password: 'the password of the owner' }, CLIENT);
    // Another one, whom nobody ever verifies, leaves nothing.
    await parts.signUp.register(body, CLIENT);
    expect(await consents(userId)).toHaveLength(2);
    const [, link] = await verifyTokens(parts, body.email, 3);
    // A version that came after the registration is not what was agreed to.
    await parts.signUp.verifyEmail(link!, CLIENT);
    expect((await consents(userId)).map(({ document, version }) => `${document} ${version}`)).toEqual([
      'privacy 7',
      'terms 2026-01',
      'privacy 8',
      'terms 2026-02',
    ]);
    await later.close();
  });

  it('of who gets an account by a new password are those of the newest registration', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const userId = await userIdOf(body.email);
    const later = await openWith({ terms: '2026-02', privacy: '8' });
    await later.signUp.register(body, CLIENT);
    await parts.passwordChange.forgot(body.email, CLIENT);
    const token = await mailedToken(parts, body.email, /Choose a new password/);
    await parts.passwordChange.reset(token, 'the password of the owner', CLIENT);
    expect((await consents(userId)).map(({ version }) => version)).toEqual(['7', '2026-01', '8', '2026-02']);
    await later.close();
  });
});
