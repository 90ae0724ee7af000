import { expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Person } from '../../support/client.ts';
import { newMatch, newPerson, signIn } from '../../support/signedIn.ts';

const app = useApp({ LIMIT_WRITE: '2', LIMIT_DECIDE: '4', LIMIT_SAFETY: '8', LIMIT_UNANSWERED_CALLS: '1' });

const status = async (person: Person, method: string, path: string, body?: unknown) =>
  (await person.call(method, path, body)).status;

test('who used up writing and deciding still gets out of trouble', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const carl = await newPerson(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  while ((await status(ann, 'PUT', '/users/me', { bio: 'x' })) !== 429);
  while ((await status(ann, 'POST', `/matches/like/${carl.id}`)) !== 429);
  const device = await signIn(app.url, ann.email);
  const { items } = await ann.ok('GET', '/users/me/sessions');
  const other = items.find((session: { current: boolean }) => !session.current);
  expect(await status(ann, 'POST', `/calls/${call.id}/end`)).toBe(200);
  expect(await status(ann, 'POST', `/matches/${matchId}/end`)).toBe(200);
  expect(await status(ann, 'POST', `/users/block/${carl.id}`)).toBe(204);
  expect(await status(ann, 'DELETE', `/users/block/${carl.id}`)).toBe(204);
  expect(await status(ann, 'POST', `/users/report/${bob.id}`, { reason: 'rude' })).toBe(201);
  expect(await status(ann, 'DELETE', `/users/me/sessions/${other.id}`)).toBe(204);
  expect(await status(device, 'GET', '/users/me')).toBe(401);
});

test('a session that used all of it up hinders no other one of the same person, and is signed out', async () => {
  const [ann, carl] = await Promise.all([newPerson(app), newPerson(app)]);
  const thief = await signIn(app.url, ann.email);
  while ((await status(thief, 'POST', `/users/block/${carl.id}`)) !== 429);
  const passwords = { currentPassword: 'not this one', newPassword: 'another battery of horses' };
  expect(await status(thief, 'POST', '/auth/change-password', passwords)).toBe(429);
  expect(await status(ann, 'POST', '/auth/change-password', passwords)).toBe(401);
  expect(await status(ann, 'POST', `/users/block/${carl.id}`)).toBe(204);
  expect(await status(thief, 'POST', '/auth/logout')).toBe(204);
  expect(await status(thief, 'GET', '/users/me')).toBe(401);
});

test('a pair has as many unanswered calls an hour as are configured', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await ann.ok('POST', `/calls/${call.id}/end`);
  for (const person of [ann, bob])
    expect(await status(person, 'POST', `/calls/initiate/${matchId}`, {})).toBe(429);
});
