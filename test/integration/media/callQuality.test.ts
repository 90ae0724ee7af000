import pg from 'pg';
import { expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { CallPages } from './callPages.ts';

const app = useApp();

it('quality reaches the room again and again, and at the end the journal and the metrics', async () => {
  await using stack = new AsyncDisposableStack();
  const pages = await CallPages.open(app.url);
  stack.defer(() => pages.close());
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const annPage = await pages.sit('sfu', ann, seat);
  const bobPage = await pages.sit('sfu', bob, (await bob.ok('POST', `/calls/${call.id}/answer`, {})).seat);
  for (const page of [annPage, bobPage]) expect(await page.do('send', 'audio')).toBe('done');
  const reports = () =>
    annPage.do('heard', 'call:quality') as Promise<{ userId: string; mos: number; atMs: number }[]>;
  await eventually(
    async () => (await reports()).filter(({ userId }) => userId === ann.id).length,
  ).toBeGreaterThanOrEqual(3);
  const own = (await reports()).filter(({ userId }) => userId === ann.id);
  expect(own.every(({ mos }) => mos > 3.5 && mos <= 4.5)).toBe(true);

  expect((await ann.ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('completed');
  const client = new pg.Client(app.dbUrl);
  await client.connect();
  stack.defer(() => client.end());
  const { rows } = await client.query(
    `select phase, state->'quality' as quality from call_journal where call_id = $1 order by version`,
    [call.id],
  );
  const { phase, quality } = rows.pop();
  expect(phase).toBe('ended');
  expect(rows.every((before) => before.quality === null)).toBe(true);
  expect(Object.keys(quality).sort()).toEqual([ann.id, bob.id].sort());
  expect(quality[ann.id]).toMatchObject({
    mos: expect.any(Number),
    worstMos: expect.any(Number),
    lossRatio: expect.any(Number),
    jitterMs: expect.any(Number),
    rttMs: expect.any(Number),
  });
  expect(quality[ann.id].reports).toBeGreaterThanOrEqual(3);
  expect((await ann.ok('GET', `/calls/${call.id}`)).call).not.toHaveProperty('quality');
  const metrics = await (await fetch(`${app.url}/metrics`)).text();
  expect(metrics).toMatch(/^duet_call_mos_count 2$/m);
  expect(metrics).not.toContain(ann.id);
});
