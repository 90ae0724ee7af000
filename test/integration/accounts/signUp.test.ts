import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emailKey } from '../../../src/accounts/emailKey.ts';
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
const ELSEWHERE = { ...CLIENT, address: '198.51.100.4' };
const mailsTo = (email: string) => parts.mailbox.list(email);
const login = (email: string, password: string) => parts.accounts.login(email, password, CLIENT);

const NOBODY = ['00000000-0000-7000-8000-000000000000', 'ffffffff-ffff-7fff-bfff-ffffffffffff'];

/** Everything that somebody can leave in an account that is not verified. */
async function leaveTraces({ userId, sessionId }: { userId: string; sessionId: string }): Promise<void> {
  const query = (text: string, values: unknown[] = [userId]) => base.db.pool.query(text, values);
  await query(
    `update users set bio = 'Mallory was here', interests = '{spam}', min_age = 60, discoverable = false, photo_count = 1,
       cell = '871f1d489ffffff', area = 1, x = 1, y = 2, z = 3, slack_km = 4, hide_distance = true, score = 5
     where id = $1`,
  );
  await query(
    `insert into photos (id, user_id, key, width, height, position) values (gen_random_uuid(), $1::uuid, $1::uuid::text, 1, 1, 0)`,
  );
  const tag = Buffer.from(userId);
  await query(`insert into place_tallies (tag, people) values ($1, 1)`, [tag]);
  await query(`insert into places (user_id, tags) values ($1, array[$2::bytea])`, [userId, tag]);
  await query(
    `insert into push_subscriptions (endpoint, user_id, session_id, p256dh, auth)
     values ('https://push.example/' || $1::uuid, $1::uuid, $2, 'x', 'y')`,
    [userId, sessionId],
  );
  await query(`insert into like_counts (user_id, day, used) values ($1, current_date, 5)`);
  // One pair in which he is the higher and one in which he is the lower; the other one decided as well.
  for (const other of NOBODY)
    await query(
      `insert into pair_decisions (low_id, high_id, low_decision, low_at, high_decision, high_at, low_blocked, high_blocked)
       values (least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), 'dislike', now(), 'dislike', now(), true, true)`,
      [userId, other],
    );
  const { userId: blocked } = await login(await somebody(), PASSWORD);
  await query(`insert into blocks (blocker_id, blocked_id) values ($1, $2)`, [userId, blocked]);
}

async function somebody(): Promise<string> {
  const body = registration();
  await parts.signUp.register(body, CLIENT);
  return body.email;
}

async function expectNoTraces(userId: string): Promise<void> {
  const profile = await base.db.pool.query(
    `select bio, interests, min_age, discoverable, photo_count, cell, area::int, x, y, z, slack_km, hide_distance, score
     from users where id = $1`,
    [userId],
  );
  expect(profile.rows).toEqual([
    {
      bio: '',
      interests: [],
      min_age: 18,
      discoverable: true,
      photo_count: 0,
      cell: null,
      area: 0,
      x: null,
      y: null,
      z: null,
      slack_km: 0,
      hide_distance: false,
      score: 0,
    },
  ]);
  for (const where of [
    'photos where user_id = $1',
    'places where user_id = $1',
    `place_tallies where tag = convert_to($1::text, 'UTF8')`,
    'push_subscriptions where user_id = $1',
    'like_counts where user_id = $1',
    'blocks where blocker_id = $1',
  ]) {
    const { rows } = await base.db.pool.query(`select count(*)::int as n from ${where}`, [userId]);
    expect([where, rows[0].n]).toEqual([where, 0]);
  }
  const pairs = await base.db.pool.query(
    `select low_id = $1 as lower, low_decision, low_at is not null as low_at, low_blocked, high_decision,
            high_at is not null as high_at, high_blocked
     from pair_decisions where low_id = $1 or high_id = $1 order by low_id`,
    [userId],
  );
  const low = { low_decision: 'dislike', low_at: true, low_blocked: true };
  const high = { high_decision: 'dislike', high_at: true, high_blocked: true };
  const noLow = { low_decision: null, low_at: false, low_blocked: false };
  const noHigh = { high_decision: null, high_at: false, high_blocked: false };
  expect(pairs.rows).toEqual([
    { lower: false, ...low, ...noHigh },
    { lower: true, ...noLow, ...high },
  ]);
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
        parts.signUp.register(registration({ email: spellings[nth % 5]! }), CLIENT),
      ),
    );
    const { rows } = await base.db.pool.query('select email, email_key from users');
    const made = rows.filter((row) => emailKey(parts.addresses.read(row.email)) === 'ada@example.org');
    expect(made.map((row) => row.email_key)).toEqual([parts.addresses.keysOf('ada@example.org')[0]]);
  });

  it('tells the owner of a known address by mail, and changes nothing (AUTH-21)', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.signUp.verifyEmail(await mailedToken(parts, body.email, /Verify/), CLIENT);
    await parts.signUp.register({ ...body, password: 'somebody elses idea', displayName: 'Mallory' }, CLIENT);
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
      parts.signUp.register(registration({ birthDate: birthday(18, 1) }), CLIENT),
    ).rejects.toMatchObject({ code: 'UNDERAGE' });
    await expect(
      parts.signUp.register(registration({ birthDate: birthday(-1, 0) }), CLIENT),
    ).rejects.toMatchObject({ code: 'UNDERAGE' });
    await parts.signUp.register(registration({ birthDate: birthday(18, 0) }), CLIENT);
  });

  it('refuses passwords that anybody would guess (AUTH-33)', async () => {
    for (const password of ['password123', 'Qwertyuiop', 'iloveyou']) {
      await expect(parts.signUp.register(registration({ password }), CLIENT), password).rejects.toMatchObject(
        {
          code: 'VALIDATION_FAILED',
          details: [{ path: 'password' }],
        },
      );
    }
  });

  it('floods nobody with mails', async () => {
    const limited = await openAccounts({ db: base.db, url: base.url, limits: { mail: 3, mailOverall: 5 } });
    const body = registration();
    for (const [client, mails] of [
      [CLIENT, 3],
      [ELSEWHERE, 5],
    ] as const) {
      for (let nth = 0; nth < 6; nth++) await limited.signUp.register(body, client);
      await verifyTokens(parts, body.email, mails);
      await until(async () => ((await parts.jobs.waiting('mail')) === 0 ? true : undefined));
      expect(await mailsTo(body.email)).toHaveLength(mails);
    }
    await limited.close();
  });
});

describe('an address that somebody else registered first (AUTH-44)', () => {
  it('belongs to who verifies it: earlier passwords, profiles and sessions are void', async () => {
    const victim = registration({ password: OWN, displayName: 'Owner' });
    await parts.signUp.register(
      { ...victim, password: PASSWORD, displayName: 'Mallory', birthDate: '1980-01-01' },
      CLIENT,
    );
    const attacker = await login(victim.email, PASSWORD);
    const principal = parts.accounts.authenticateToken(attacker.accessToken);
    await parts.passwordChange.change(principal, PASSWORD, 'mallorys second idea', CLIENT);
    const second = await login(victim.email, 'mallorys second idea');
    await leaveTraces(attacker);

    await parts.signUp.register(victim, CLIENT);
    const tokens = await verifyTokens(parts, victim.email, 2);
    await parts.signUp.verifyEmail(tokens[1]!, CLIENT);

    for (const { accessToken, refreshToken } of [attacker, second]) {
      expect(() => parts.accounts.authenticateToken(accessToken)).toThrow();
      await expect(parts.accounts.refresh(refreshToken, CLIENT)).rejects.toMatchObject({
        code: 'UNAUTHORIZED',
      });
    }
    for (const password of [PASSWORD, 'mallorys second idea']) {
      await expect(login(victim.email, password)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    }
    const grant = await login(victim.email, OWN);
    const { rows } = await base.db.pool.query(
      `select display_name, birth_date::text, email_verified_at is not null as verified,
              (select count(*)::int from devices where user_id = u.id) as devices
       from users u where id = $1`,
      [grant.userId],
    );
    expect(rows).toEqual([
      { display_name: 'Owner', birth_date: victim.birthDate, verified: true, devices: 1 },
    ]);
    await expectNoTraces(grant.userId);
    await expect(parts.signUp.verifyEmail(tokens[0]!, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('belongs to its owner also when somebody used up the mails before', async () => {
    const limited = await openAccounts({ db: base.db, url: base.url, limits: { mail: 3, mailOverall: 15 } });
    const victim = registration({ password: OWN });
    for (let nth = 0; nth < 5; nth++)
      await limited.signUp.register({ ...victim, password: PASSWORD }, ELSEWHERE);
    await verifyTokens(parts, victim.email, 3);
    await limited.signUp.register(victim, CLIENT);
    const tokens = await verifyTokens(parts, victim.email, 4);
    expect(tokens).toHaveLength(4);
    await parts.signUp.verifyEmail(tokens[3]!, CLIENT);
    await login(victim.email, OWN);
    await expect(login(victim.email, PASSWORD)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await limited.close();
  });

  it.each([
    ['the first', 0],
    ['another', 1],
  ])(
    'is not entered with the password of somebody elsewhere whose link, %s, its owner follows',
    async (_, nth) => {
      const victim = registration({ password: OWN });
      for (let i = 0; i < 2; i++) await parts.signUp.register({ ...victim, password: PASSWORD }, ELSEWHERE);
      const attacker = await login(victim.email, PASSWORD);
      await leaveTraces(attacker);
      await parts.signUp.register(victim, CLIENT);
      const tokens = await verifyTokens(parts, victim.email, 3);
      await parts.signUp.verifyEmail(tokens[nth]!, CLIENT);
      expect(() => parts.accounts.authenticateToken(attacker.accessToken)).toThrow();
      for (const password of [PASSWORD, OWN])
        await expect(login(victim.email, password)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
      await parts.passwordChange.reset(await mailedToken(parts, victim.email, /new password/), OWN, CLIENT);
      const { userId } = await login(victim.email, OWN);
      await expectNoTraces(userId);
    },
  );

  it('keeps the owner who came first', async () => {
    const owner = registration({ password: OWN });
    await parts.signUp.register(owner, CLIENT);
    const session = await login(owner.email, OWN);
    await parts.signUp.register({ ...owner, password: PASSWORD }, CLIENT);
    const tokens = await verifyTokens(parts, owner.email, 2);
    await parts.signUp.verifyEmail(tokens[0]!, CLIENT);
    await login(owner.email, OWN);
    parts.accounts.authenticateToken(session.accessToken);
    await expect(login(owner.email, PASSWORD)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await expect(parts.signUp.verifyEmail(tokens[1]!, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('is won by a reset of the password as well', async () => {
    const victim = registration({ password: PASSWORD });
    await parts.signUp.register(victim, CLIENT);
    const attacker = await login(victim.email, PASSWORD);
    await leaveTraces(attacker);
    await parts.passwordChange.forgot(victim.email, CLIENT);
    await parts.passwordChange.reset(await mailedToken(parts, victim.email, /new password/), OWN, CLIENT);
    expect(() => parts.accounts.authenticateToken(attacker.accessToken)).toThrow();
    const [token] = await verifyTokens(parts, victim.email, 1);
    await expect(parts.signUp.verifyEmail(token!, CLIENT)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await expect(login(victim.email, PASSWORD)).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
    const grant = await login(victim.email, OWN);
    const { rows } = await base.db.pool.query(
      'select email_verified_at is not null as verified, display_name from users where id = $1',
      [grant.userId],
    );
    expect(rows).toEqual([{ verified: true, display_name: victim.displayName }]);
    await expectNoTraces(grant.userId);
  });

  it('is as the owner registered it when the reset of a password won it', async () => {
    const victim = registration({ password: OWN, displayName: 'Owner', gender: 'woman' });
    const mallory = { displayName: 'Mallory', birthDate: '1980-01-01', gender: 'man' } as const;
    await parts.signUp.register({ ...victim, ...mallory, password: PASSWORD }, CLIENT);
    await parts.signUp.register(victim, CLIENT);
    await parts.passwordChange.forgot(victim.email, CLIENT);
    await parts.passwordChange.reset(await mailedToken(parts, victim.email, /new password/), OWN, CLIENT);
    const { userId } = await login(victim.email, OWN);
    const { rows } = await base.db.pool.query(
      'select display_name, birth_date::text, gender from users where id = $1',
      [userId],
    );
    expect(rows).toEqual([{ display_name: 'Owner', birth_date: victim.birthDate, gender: 'woman' }]);
  });

  it('keeps what its owner made of it when he forgets the password later', async () => {
    const owner = registration();
    await parts.signUp.register(owner, CLIENT);
    const [token] = await verifyTokens(parts, owner.email, 1);
    await parts.signUp.verifyEmail(token!, CLIENT);
    const { userId } = await login(owner.email, PASSWORD);
    await base.db.pool.query(`update users set bio = 'This is me' where id = $1`, [userId]);
    await parts.passwordChange.forgot(owner.email, CLIENT);
    await parts.passwordChange.reset(await mailedToken(parts, owner.email, /new password/), OWN, CLIENT);
    const { rows } = await base.db.pool.query('select bio from users where id = $1', [userId]);
    expect(rows).toEqual([{ bio: 'This is me' }]);
  });
});
