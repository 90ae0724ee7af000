/** Anybody may ask whether the process is ready: it costs nobody anything, however many do. */
import { afterEach, expect, test, vi } from 'vitest';
import { Database } from '../../../src/db/Database.ts';
import { useApp } from '../../support/app.ts';
import { request } from '../../support/client.ts';
import { newPerson } from '../../support/signedIn.ts';

const app = useApp();
const readiness = () => request(app.url, 'GET', '/health/readiness');

afterEach(() => vi.restoreAllMocks());

test('a thousand who ask at once hardly ask the database, and take no place from others', async () => {
  const ann = await newPerson(app);
  const asked = vi.spyOn(Database.prototype, 'epochMs');
  const answers = await Promise.all([
    ...Array.from({ length: 1_000 }, readiness),
    ...Array.from({ length: 20 }, () => ann.call('GET', '/users/me')),
  ]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  // One a second, however long it takes here.
  expect(asked.mock.calls.length).toBeLessThan(20);
});

test('503 says when to ask again, and what is down, as documented', async () => {
  vi.spyOn(Database.prototype, 'epochMs').mockRejectedValue(new Error('away'));
  const { headers, body } = await vi.waitFor(async () => {
    const answer = await readiness();
    expect(answer.status).toBe(503);
    return answer;
  }, 10_000);
  expect(headers.get('retry-after')).toBe('1');
  expect(body).toMatchObject({ status: 'down', checks: { database: 'down', objects: 'up', media: 'up' } });
  const { body: document } = await request(app.url, 'GET', '/api/v1/openapi.json');
  const { responses } = document.paths['/health/readiness'].get;
  expect(responses['503'].content).toEqual(responses['200'].content);
});
