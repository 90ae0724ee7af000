/** A call whose process died when it had committed it, before anybody held it: it is looked for at once. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Actors } from '../../../src/actors/Actors.ts';
import { DuetError } from '../../../src/errors.ts';
import { PushMirror } from '../../../src/events/PushMirror.ts';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { databaseNow, expectCredited } from '../../support/outage.ts';
import { newMatch } from '../../support/signedIn.ts';

// Nobody who waited for its deadline would see it here.
const app = useApp({ CALL_RING_SEC: '600' });
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

const commandsOf = async (callId: string): Promise<string[]> => {
  const { rows } = await db.query('select command from call_journal where call_id = $1 order by version', [
    callId,
  ]);
  return rows.map(({ command }) => command);
};

test('it is held, pushed and credited what it lost, long before its deadline', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  vi.spyOn(Actors.prototype, 'callSeat').mockRejectedValueOnce(new DuetError('UNAVAILABLE'));
  const ring = vi.spyOn(PushMirror.prototype, 'ring');
  const signMs = await databaseNow(db);
  expect((await ann.call('POST', `/calls/initiate/${matchId}`, {})).status).toBe(503);
  const row = async () =>
    (await db.query('select id, owner, epoch::int, state from calls where match_id = $1', [matchId])).rows[0];
  const { id, state } = await row();
  await eventually(row).toMatchObject({ owner: expect.any(String), epoch: 1 });
  await eventually(() => ring.mock.calls.map(([call]) => call.id)).toContain(id);
  expect(await commandsOf(id)).toEqual(['initiate', 'recover']);
  await expectCredited(db, id, { state, signMs }, 'ringUntil');
  expect((await bob.ok('POST', `/calls/${id}/reject`)).call.outcome).toBe('rejected');
});
