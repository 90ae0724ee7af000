/** AUTH-16, AZ-11 to AZ-13: what admins may do, and to whom. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { type Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { onServer } from '../../support/postgresServer.ts';
import { newMatch, newPerson, registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const BOSS = 'boss@example.org';
const SECOND = 'second@example.org';
const UNVERIFIED = 'unverified@example.org';
const app = useApp({ ADMIN_EMAILS: `${BOSS}, Second@Example.org,${UNVERIFIED}` });
let boss: Person;
let second: Person;

beforeAll(async () => {
  boss = await registerPerson(app.url, { email: BOSS });
  second = await registerPerson(app.url, { email: SECOND });
});

const setStatus = (who: Person, userId: string, body: unknown) =>
  who.call('PATCH', `/admin/users/${userId}/status`, body);
const ban = { status: 'banned', reason: 'threats' };
const login = (person: Person) =>
  request(app.url, 'POST', '/api/v1/auth/login', { body: { email: person.email, password: TEST_PASSWORD } });

describe('a suspension', () => {
  it('refuses signing in (AUTH-16), can be taken back, and ends by itself', async () => {
    const ann = await newPerson(app);
    const suspended = { status: 'suspended', reason: 'cool down' };
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, suspended);
    expect((await login(ann)).body.code).toBe('ACCOUNT_SUSPENDED');
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'active', reason: 'talked to her' });
    expect((await login(ann)).status).toBe(200);

    const until = new Date(Date.now() + 3_600_000).toISOString();
    const answer = await setStatus(boss, ann.id, { ...suspended, until });
    expect(answer.body).toMatchObject({ status: 'suspended', statusUntil: until });
    expect((await login(ann)).body.code).toBe('ACCOUNT_SUSPENDED');
    await onServer(app.dbUrl, `update users set status_until = now() where id = '${ann.id}'`);
    await eventually(async () => (await login(ann)).status).toBe(200);
    expect(await boss.ok('GET', `/admin/users/${ann.id}`)).toMatchObject({
      status: 'active',
      statusReason: null,
      statusUntil: null,
    });
  });

  it('leaves a line with what was before and after for each change', async () => {
    const ann = await newPerson(app);
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'suspended', reason: 'one' });
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'banned', reason: 'two' });
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'active', reason: 'three' });
    const { items } = await boss.ok('GET', `/admin/audit?userId=${ann.id}&action=status_changed`);
    expect(items.map((item: { details: object }) => item.details)).toMatchObject([
      { before: 'banned', after: 'active', reason: 'three', reasonBefore: 'two' },
      { before: 'suspended', after: 'banned', reason: 'two', reasonBefore: 'one' },
      { before: 'active', after: 'suspended', reason: 'one' },
    ]);
    for (const item of items) expect(item.actorId).toBe(boss.id);
  });
});

describe('what an admin may not do', () => {
  it('touch himself, another admin, or the last one (AZ-11)', async () => {
    for (const [who, whom] of [
      [boss, boss],
      [boss, second],
      [second, boss],
    ] as const) {
      for (const status of ['suspended', 'banned', 'active']) {
        const answer = await setStatus(who, whom.id, { status, reason: 'a coup' });
        expect(answer, status).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
      }
    }
    expect((await boss.ok('GET', '/users/me')).role).toBe('admin');
    expect((await boss.call('DELETE', '/users/me', { password: TEST_PASSWORD })).status).toBe(409);
  });

  it('send what is not asked for (AZ-12, AZ-13)', async () => {
    const ann = await newPerson(app);
    const until = new Date(Date.now() + 86_400_000).toISOString();
    const bad: unknown[] = [
      {},
      { status: 'banned' },
      { status: 'deleted', reason: 'x' },
      { status: 'banned', reason: '' },
      { status: 'banned', reason: 'x', until },
      { status: 'suspended', reason: 'x', until: '2020-01-01T00:00:00Z' },
      { status: 'suspended', reason: 'x', until: 'tomorrow' },
      { status: 'banned', reason: 'x', role: 'admin' },
      { status: { $ne: null }, reason: 'x' },
      [],
    ];
    for (const body of bad)
      expect((await setStatus(boss, ann.id, body)).status, JSON.stringify(body)).toBe(400);
    expect((await setStatus(boss, '01890000-0000-7000-8000-000000000000', ban)).status).toBe(404);
    expect((await setStatus(boss, 'nonsense', ban)).status).toBe(404);
    expect((await login(ann)).status).toBe(200);
  });
});

describe('who is no admin', () => {
  it('gets nowhere, and nothing that is sent makes one (AZ-12, AZ-13)', async () => {
    const ann = await newPerson(app);
    const paths: [string, string][] = [
      ['GET', '/admin/users'],
      ['GET', `/admin/users/${ann.id}`],
      ['PATCH', `/admin/users/${ann.id}/status`],
      ['GET', '/admin/reports'],
      ['PATCH', `/admin/reports/${ann.id}`],
      ['GET', '/admin/stats'],
      ['GET', '/admin/audit'],
    ];
    for (const [method, path] of paths) {
      const body = method === 'GET' ? undefined : ban;
      expect((await ann.call(method, path, body)).body.code, path).toBe('FORBIDDEN');
      expect((await request(app.url, method, `/api/v1${path}`, { body })).status, path).toBe(401);
    }
    const { items } = await boss.ok('GET', `/admin/audit?userId=${ann.id}&action=admin_refused`);
    expect(items.map((item: { details: { route: string } }) => item.details.route).reverse()).toEqual(
      paths.map(
        ([method, path]) =>
          `${method} /api/v1${path.replace(`/reports/${ann.id}`, '/reports/:reportId').replace(ann.id, ':userId')}`,
      ),
    );
    const polluted = [
      '{"role":"admin"}',
      '{"__proto__":{"role":"admin"}}',
      '{"constructor":{"prototype":{"role":"admin"}}}',
      '{"displayName":"Ann","__proto__":{"role":"admin"}}',
      '{"bio":"x","role":"admin","tier":"premium","status":"active","emailVerified":true}',
    ];
    for (const text of polluted) {
      for (const [method, path] of [
        ['PUT', '/users/me'],
        ['PATCH', '/users/me/preferences'],
      ]) {
        const response = await fetch(`${app.url}/api/v1${path}`, {
          method: method!,
          headers: { 'content-type': 'application/json', authorization: `Bearer ${ann.token}` },
          body: text,
        });
        expect(response.status, `${method} ${path} ${text}`).toBe(400);
      }
    }
    const again = await signIn(app.url, ann.email);
    expect(await again.ok('GET', '/users/me')).toMatchObject({ role: 'user', tier: 'regular' });
    expect((await again.call('GET', '/admin/stats')).status).toBe(403);
  });

  it('is whoever claims an address of the list without verifying it', async () => {
    const body = { email: UNVERIFIED, password: TEST_PASSWORD };
    const profile = { displayName: 'Claimant', birthDate: '1990-05-17', gender: 'man' };
    await request(app.url, 'POST', '/api/v1/auth/register', { body: { ...body, ...profile } });
    expect((await request(app.url, 'POST', '/api/v1/auth/login', { body })).body.user.role).toBe('user');
    const { items } = await boss.ok('GET', '/admin/audit?action=role_changed');
    expect(items.map((item: { userId: string }) => item.userId).sort()).toEqual([boss.id, second.id].sort());
  });
});

describe('the desk', () => {
  it('lists accounts page by page, by status, tier, address, name and id', async () => {
    const people = [];
    for (const displayName of ['Zelda', 'zelda two', 'Zel%da'])
      people.push(await newPerson(app, { displayName }));
    await boss.ok('PATCH', `/admin/users/${people[1]!.id}/status`, ban);
    const ids = async (query: string) => {
      const found = [];
      for (let cursor = ''; ; ) {
        const page = await boss.ok('GET', `/admin/users?limit=2${query}${cursor}`);
        found.push(...page.items.map((user: { id: string }) => user.id));
        if (page.nextCursor === null) return found;
        cursor = `&cursor=${page.nextCursor}`;
      }
    };
    const [one, two, three] = people.map((person) => person.id);
    expect(await ids('&query=zel')).toEqual([three, two, one]);
    expect(await ids('&query=zel%25')).toEqual([three]);
    expect(await ids('&query=zel&status=banned')).toEqual([two]);
    expect(await ids('&query=zel&tier=premium')).toEqual([]);
    expect(await ids(`&query=${people[0]!.email.toUpperCase()}`)).toEqual([one]);
    expect(await ids(`&query=${two}`)).toEqual([two]);
    const all = await ids('');
    expect(all).toEqual([...new Set(all)]);
    expect(all).toEqual(expect.arrayContaining([one, two, three, boss.id]));
    for (const query of [
      'status=gone',
      'tier=gold',
      'cursor=x',
      'limit=0',
      'query=',
      'sort=id',
      'limit=1&limit=2',
    ])
      expect((await boss.call('GET', `/admin/users?${query}`)).status, query).toBe(400);
  });

  it('keeps that an admin looked at an account', async () => {
    const ann = await newPerson(app);
    expect(await boss.ok('GET', `/admin/users/${ann.id}`)).toMatchObject({ id: ann.id, email: ann.email });
    const { items } = await boss.ok('GET', `/admin/audit?userId=${ann.id}&action=account_viewed`);
    expect(items).toMatchObject([{ actorId: boss.id, userId: ann.id }]);
  });

  it('keeps that an admin read a list, the log or the numbers, and what for', async () => {
    const ann = await newPerson(app);
    await boss.ok('GET', `/admin/users?query=${ann.email}&status=active`);
    await boss.ok('GET', '/admin/reports?status=open');
    await boss.ok('GET', '/admin/stats');
    await boss.ok('GET', `/admin/audit?userId=${ann.id}`);
    const { items } = await boss.ok('GET', `/admin/audit?actorId=${boss.id}&limit=5`);
    expect(
      items.map(({ action, details }: { action: string; details: object }) => ({ action, details })),
    ).toEqual([
      { action: 'log_read', details: { actorId: boss.id, further: false } },
      { action: 'log_read', details: { userId: ann.id, further: false } },
      { action: 'stats_read', details: {} },
      { action: 'reports_listed', details: { status: 'open', further: false } },
      { action: 'accounts_listed', details: { searched: true, status: 'active', further: false } },
    ]);
    expect(JSON.stringify(items)).not.toContain(ann.email);
    expect(items[0]).toMatchObject({ address: '127.0.0.0/24', sessionId: expect.any(String) });
  });

  it('works on reports', async () => {
    const { ann, bob } = await newMatch(app);
    const { reportId } = await ann.ok('POST', `/users/report/${bob.id}`, { reason: 'harassment' });
    const open = await boss.ok('GET', '/admin/reports?status=open');
    expect(open.items[0]).toMatchObject({
      id: reportId,
      reporterId: ann.id,
      reportedId: bob.id,
      status: 'open',
    });
    const handled = await boss.ok('PATCH', `/admin/reports/${reportId}`, {
      status: 'resolved',
      resolution: 'talked to him',
    });
    expect(handled).toMatchObject({ status: 'resolved', resolution: 'talked to him', handledBy: boss.id });
    const ids = (await boss.ok('GET', '/admin/reports?status=open')).items.map(
      (item: { id: string }) => item.id,
    );
    expect(ids).not.toContain(reportId);
    expect((await boss.call('PATCH', `/admin/reports/${ann.id}`, { status: 'resolved' })).status).toBe(404);
    expect((await boss.call('PATCH', `/admin/reports/${reportId}`, { status: 'open' })).status).toBe(400);
    await boss.ok('PATCH', `/admin/reports/${reportId}`, { status: 'dismissed', resolution: 'a mistake' });
    const { items } = await boss.ok('GET', '/admin/audit?action=report_handled');
    expect(items.slice(0, 2).map((item: { details: object }) => item.details)).toEqual([
      {
        reportId,
        before: 'resolved',
        after: 'dismissed',
        resolution: 'a mistake',
        resolutionBefore: 'talked to him',
      },
      { reportId, before: 'open', after: 'resolved', resolution: 'talked to him' },
    ]);
  });

  it('keeps what one admin wrote from another who did not see it', async () => {
    const { ann, bob } = await newMatch(app);
    const { reportId } = await ann.ok('POST', `/users/report/${bob.id}`, { reason: 'harassment' });
    const handle = (who: Person, body: unknown) => who.call('PATCH', `/admin/reports/${reportId}`, body);
    const answers = await Promise.all([
      handle(boss, { status: 'resolved', resolution: 'talked to him' }),
      handle(second, { status: 'dismissed', resolution: 'nothing in it' }),
    ]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409]);
    const first = answers.find((answer) => answer.status === 200)!.body;
    const other = first.handledBy === boss.id ? second : boss;
    expect((await handle(other, { status: 'resolved', ifStatus: 'open' })).body.code).toBe('CONFLICT');
    // Taken up again, what was written stays until something else is.
    const again = await handle(other, { status: 'reviewing' });
    expect(again.body).toMatchObject({
      status: 'reviewing',
      resolution: first.resolution,
      handledBy: other.id,
    });
    const closed = await handle(boss, { status: 'dismissed', resolution: '', ifStatus: 'reviewing' });
    expect(closed.body).toMatchObject({ status: 'dismissed', resolution: '' });
    expect((await handle(second, { status: 'resolved', ifStatus: 'dismissed' })).status).toBe(200);
  });

  it('counts', async () => {
    const before = await boss.ok('GET', '/admin/stats');
    await newMatch(app);
    const after = await boss.ok('GET', '/admin/stats');
    expect(after.users.active - before.users.active).toBe(2);
    expect(after.activeMatches - before.activeMatches).toBe(1);
    expect(after.registeredToday).toBe(
      after.users.active + after.users.banned + after.users.suspended + after.users.deleted,
    );
  });
});
