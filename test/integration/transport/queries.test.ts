import { expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { rawHttp, requestText } from '../../support/rawHttp.ts';
import { newPerson, signIn } from '../../support/signedIn.ts';

/** Queries, numbers in them, and who may read the metrics, through the whole program. */

const app = useApp();
const LISTS = [
  '/users/discovery',
  '/users/blocked',
  '/matches/active',
  '/matches/history',
  '/users/me/sessions',
];

test('IN-17: every list takes limit and cursor, as digits and once, and nothing else', async () => {
  const ann = await newPerson(app);
  const status = async (path: string) => (await ann.call('GET', path)).status;
  for (const list of LISTS) {
    for (const good of ['', '?limit=1', '?limit=100'])
      expect([list + good, await status(list + good)]).toEqual([list + good, 200]);
    for (const bad of [
      ...[
        '-1',
        '0',
        '101',
        '1e1',
        '1e9',
        'NaN',
        '0x10',
        '0b11',
        '5.0',
        '+5',
        '05',
        '%205',
        '5%20',
        '',
        '１',
      ].map((text) => `limit=${text}`),
      'page=1&page=2',
      'limit=1&limit=2',
      'sort=id;drop',
      'cursor=',
      'cursor=x',
    ])
      expect([list, bad, await status(`${list}?${bad}`)]).toEqual([list, bad, 400]);
  }
  for (const path of ['/users/me', '/calls/ice-servers']) expect(await status(`${path}?page=1`)).toBe(400);
});

test('sessions come page by page', async () => {
  const ann = await newPerson(app);
  await signIn(app.url, ann.email);
  await signIn(app.url, ann.email);
  const ids = [];
  for (let cursor = ''; ; ) {
    const { items, nextCursor } = await ann.ok('GET', `/users/me/sessions?limit=2${cursor}`);
    expect(items.length).toBeLessThanOrEqual(2);
    ids.push(...items.map((item: { id: string }) => item.id));
    if (nextCursor === null) break;
    cursor = `&cursor=${nextCursor}`;
  }
  expect(new Set(ids).size).toBe(3);
  expect(ids).toHaveLength(3);
});

test('metrics are for this machine, and not for whom a proxy on it brings', async () => {
  const status = async (headers: Record<string, string> = {}) =>
    (await fetch(`${app.url}/metrics`, { headers })).status;
  expect(await status()).toBe(200);
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-proto'])
    expect([name, await status({ [name]: '203.0.113.9' })]).toEqual([name, 404]);
  const { port } = new URL(app.url);
  for (const [host, expected] of [
    [`localhost:${port}`, 200],
    ['duet.example', 404],
    ['127.0.0.1.duet.example', 404],
  ] as const) {
    const answer = await rawHttp(Number(port), requestText('GET', '/metrics', { host }));
    expect([host, answer.status]).toEqual([host, expected]);
  }
});
