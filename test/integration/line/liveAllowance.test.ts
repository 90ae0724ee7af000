/** What rings a person, gives them a place and keeps a call going does not run out because of what else they did. */
import { expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
import { newMatch, newPerson, signIn } from '../../support/signedIn.ts';

const app = useApp({ LIMIT_DECIDE: '4', LIMIT_BROWSE: '4', LIMIT_LIVE: '12' });

const status = async (person: Person, method: string, path: string, body?: unknown) =>
  (await person.call(method, path, body)).status;

/** A call that rings at Bob's, who has swiped and looked around as often as one may. */
async function ringAtTheSwiper() {
  const { ann, bob, matchId } = await newMatch(app);
  const carl = await newPerson(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  while ((await status(bob, 'POST', `/matches/dislike/${carl.id}`)) !== 429);
  while ((await status(bob, 'GET', '/users/me')) !== 429);
  return { ann, bob, matchId, call: call as Json };
}

test('who used up deciding and browsing hears a call, answers it, comes back to it and keeps it going', async () => {
  const { ann, bob, matchId, call } = await ringAtTheSwiper();
  const inbox = await bob.inbox();
  expect(await inbox.next('call:incoming')).toMatchObject({ call: { id: call.id } });
  const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
  expect(answered.call.phase).toBe('connecting');
  await bob.sit((await bob.ok('POST', `/calls/${call.id}/join`, { returns: true })).seat);
  await bob.ok('GET', '/calls/ice-servers');
  await bob.sit((await bob.ok('POST', `/matches/${matchId}/join`)).seat);
  for (const verb of ['extend', 'upgrade'])
    expect((await bob.call('POST', `/calls/${call.id}/${verb}`)).body.code).toBe('WRONG_PHASE');
  await ann.ok('POST', `/calls/${call.id}/end`);
});

test('a session that used it up hinders no other one of the same person, and hangs up all the same', async () => {
  const { bob, call } = await ringAtTheSwiper();
  const other = await signIn(app.url, bob.email);
  while ((await status(bob, 'POST', `/calls/${call.id}/join`)) !== 429);
  expect(await status(other, 'POST', `/calls/${call.id}/answer`, {})).toBe(200);
  expect(await status(bob, 'POST', `/calls/${call.id}/end`)).toBe(200);
});
