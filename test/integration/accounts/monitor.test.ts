/** /monitor: the rooms, for admins, to look at and no more. */
import { beforeAll, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
import { newMatch, newPerson, registerPerson, signIn } from '../../support/signedIn.ts';

const BOSS = 'boss@example.org';
const app = useApp({ ADMIN_EMAILS: BOSS, LIMIT_BROWSE: '100' });
let boss: Person;

beforeAll(async () => {
  boss = await registerPerson(app.url, { email: BOSS });
});

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${app.url}${path}`, { headers, redirect: 'manual' });
const bearer = (person: Person) => ({ authorization: `Bearer ${person.token}` });

it('is for admins only, every part of it', async () => {
  const ann = await newPerson(app);
  for (const path of ['/monitor', '/monitor/api', '/monitor/api/room?roomId=x', '/monitor/assets/x.js']) {
    expect((await get(path)).status, path).toBe(401);
    expect((await get(path, { cookie: 'duet_monitor=nonsense' })).status, path).toBe(401);
    expect((await get(path, { cookie: `duet_monitor=${ann.token}` })).status, path).toBe(403);
    expect((await get(path, bearer(ann))).status, path).toBe(403);
  }
  expect((await fetch(`${app.url}/monitor/session`, { method: 'POST', headers: bearer(ann) })).status).toBe(
    403,
  );
});

it('leaves a line in the security log for who tried, and one a sitting for an admin who looks', async () => {
  const ann = await newPerson(app);
  const lines = async (query: string) => (await boss.ok('GET', `/admin/audit?${query}`)).items;
  const headers = { ...bearer(ann), 'user-agent': 'Mozilla/5.0 (X11; Linux) Firefox/140.0' };
  await get('/monitor/api', headers);
  await get('/monitor', { cookie: `duet_monitor=${ann.token}` });
  await fetch(`${app.url}/monitor/session`, { method: 'POST', headers });
  expect(await lines(`userId=${ann.id}&action=admin_refused`)).toMatchObject([
    { details: { route: 'POST /monitor/session' }, device: 'Firefox on Linux' },
    { details: { route: 'GET /monitor' } },
    { details: { route: 'GET /monitor/api' }, device: 'Firefox on Linux' },
  ]);

  const second = await signIn(app.url, BOSS);
  const looks = () => lines(`actorId=${boss.id}&action=monitor_viewed`);
  const before = (await looks()).length;
  for (let poll = 0; poll < 3; poll++) await get('/monitor/api', bearer(second));
  expect(await looks()).toHaveLength(before + 1);
  expect((await looks())[0]).toMatchObject({ actorId: boss.id, address: '127.0.0.0/24' });
  const third = await signIn(app.url, BOSS);
  await fetch(`${app.url}/monitor/session`, { method: 'POST', headers: bearer(third) });
  expect(await looks()).toHaveLength(before + 2);
  await get('/monitor', { cookie: `duet_monitor=${third.token}` });
  await get('/monitor/api', { cookie: `duet_monitor=${third.token}` });
  expect(await looks()).toHaveLength(before + 2);
});

it('shows its page, which loads nothing from elsewhere', async () => {
  const answer = await get('/monitor', bearer(boss));
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  const html = await answer.text();
  expect(html).not.toMatch(/https?:\/\//);
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect(files).toHaveLength(2);
  for (const file of files) expect((await get(file, bearer(boss))).status, file).toBe(200);
});

it('lists the rooms, looks into none, and calls nothing', async () => {
  const { ann, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await ann.sit(seat);
  const list = (await (await get('/monitor/api', bearer(boss))).json()) as Json;
  const room = list.rooms.find((one: { roomId: string }) => one.roomId === call.id);
  expect(room).toMatchObject({ name: 'call', clients: 1, locked: false });
  expect(list.connections).toBeGreaterThanOrEqual(1);
  const one = await (await get(`/monitor/api/room?roomId=${call.id}`, bearer(boss))).text();
  expect(one).not.toContain(ann.id);
  const method = `roomId=${call.id}&method=disconnect&args=[]`;
  expect((await get(`/monitor/api/room/call?${method}`, bearer(boss))).status).toBe(404);
  expect(
    (await fetch(`${app.url}/monitor/api/room/call?${method}`, { method: 'POST', headers: bearer(boss) }))
      .status,
  ).toBe(404);
  expect((await ann.ok('GET', `/calls/${call.id}`)).call.phase).toBe('ringing');
});

it('opens in a browser by a cookie that goes nowhere else and ends with the session', async () => {
  const answer = await fetch(`${app.url}/monitor/session`, { method: 'POST', headers: bearer(boss) });
  expect(answer.status).toBe(204);
  const [line = ''] = answer.headers.getSetCookie();
  expect(line).toMatch(/; Path=\/monitor; Max-Age=900; HttpOnly; Secure; SameSite=Strict$/);
  const cookie = line.split(';')[0]!;
  expect((await get('/monitor/api', { cookie })).status).toBe(200);
  expect((await get('/api/v1/admin/stats', { cookie })).status).toBe(401);
  await boss.ok('POST', '/auth/logout');
  expect((await get('/monitor/api', { cookie })).status).toBe(401);
});

it('is asked no more often than there is an allowance for, whoever asks', async () => {
  const ann = await newPerson(app);
  const statuses = new Set<number>();
  for (let asked = 0; asked <= 100; asked++) statuses.add((await get('/monitor/api', bearer(ann))).status);
  expect([...statuses]).toEqual([403, 429]);
});
