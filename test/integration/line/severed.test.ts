/** What ended a match is answered as done, whatever becomes of the call that was on. */
import { afterEach, expect, test, vi } from 'vitest';
import { Actors } from '../../../src/actors/Actors.ts';
import { Calls } from '../../../src/calling/Calls.ts';
import { DuetError } from '../../../src/errors.ts';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';

const app = useApp();
afterEach(() => vi.restoreAllMocks());

const WAYS: [string, number, (annId: string, matchId: string) => [string, object]][] = [
  ['a block', 204, (annId) => [`/users/block/${annId}`, {}]],
  ['a report that blocks', 201, (annId) => [`/users/report/${annId}`, { reason: 'fake' }]],
  ['the end of the match', 200, (_, matchId) => [`/matches/${matchId}/end`, {}]],
];

test.each(WAYS)('%s, while the call ends at another process', async (_, status, request) => {
  const { ann, bob, matchId } = await newMatch(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const { liveOf } = Calls.prototype;
  vi.spyOn(Calls.prototype, 'liveOf').mockImplementationOnce(async function (this: Calls, id) {
    const live = await liveOf.call(this, id);
    await ann.ok('POST', `/calls/${call.id}/end`);
    // Its room is gone there, as it is here once it has lingered.
    vi.spyOn(Actors.prototype, 'callCommand').mockRejectedValueOnce(new DuetError('CALL_NOT_ACTIVE'));
    return live;
  });
  const [path, body] = request(ann.id, matchId);
  expect((await bob.call('POST', path, body)).status).toBe(status);
});

test.each(WAYS)('%s, while the holder of the call is not reached: it severs it by itself', async (...way) => {
  const [, status, request] = way;
  const { ann, bob, matchId } = await newMatch(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  vi.spyOn(Actors.prototype, 'callCommand').mockRejectedValueOnce(new DuetError('UNAVAILABLE'));
  const [path, body] = request(ann.id, matchId);
  expect((await bob.call('POST', path, body)).status).toBe(status);
  const outcome = async () => (await bob.ok('GET', `/calls/${call.id}`)).call.outcome;
  await eventually(outcome).toBe('unavailable');
});
