/** The client SDK against the program: whose inbox is heard, and from when on. */
import { afterAll, expect, test } from 'vitest';
import { Duet } from '../../../web/sdk/Duet.ts';
import { useApp } from '../../support/app.ts';
import type { Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { match, newPeople, TEST_PASSWORD } from '../../support/signedIn.ts';

const app = useApp();
const made: Duet[] = [];

afterAll(() => Promise.all(made.map((duet) => duet.auth.logout())));

function newDuet(): Duet {
  const duet = new Duet({ baseUrl: app.url });
  made.push(duet);
  return duet;
}

/** Matches that the present inbox tells of. */
function listen(duet: Duet): string[] {
  const heard: string[] = [];
  duet.inbox.on('match:created', ({ matchId }) => heard.push(matchId));
  return heard;
}

test('who listens before signing in hears everything from then on', async () => {
  const [ann, bob] = (await newPeople(app, 2)) as [Person, Person];
  const duet = newDuet();
  const heard = listen(duet);
  await duet.auth.login(ann.email, TEST_PASSWORD);
  await eventually(() => duet.inbox.state).toBe('connected');
  const matchId = await match(ann, bob);
  await eventually(() => heard).toEqual([matchId]);
});

test('who signs in in the place of somebody hears nothing that is theirs', async () => {
  const [ann, bob, eve] = (await newPeople(app, 3)) as [Person, Person, Person];
  const duet = newDuet();
  await duet.auth.login(ann.email, TEST_PASSWORD);
  const asAnn = listen(duet);
  await eventually(() => duet.inbox.state).toBe('connected');
  const [before] = (await duet.auth.sessions()).items.filter(({ current }) => current);

  await duet.auth.login(eve.email, TEST_PASSWORD);
  const asEve = listen(duet);
  await eventually(() => duet.inbox.state).toBe('connected');
  await match(ann, bob);
  const matchId = await match(eve, bob);
  await eventually(() => asEve).toEqual([matchId]);
  expect(asAnn).toEqual([]);
  // Nor does their sign-in go on without a device.
  const sessions = async () =>
    (await ann.ok('GET', '/users/me/sessions')).items.map(({ id }: { id: string }) => id);
  await eventually(sessions).not.toContain(before!.id);
});

test('a seat says after which event it begins, which another device may have heard by the time it is back', async () => {
  const [ann, bob] = (await newPeople(app, 2)) as [Person, Person];
  const seat = () => ann.ok('POST', '/realtime/inbox');
  const { position } = await seat();
  expect(position).toEqual({ epoch: 1, seq: 0 });
  const phone = await ann.inbox();
  const matchId = await match(ann, bob);
  const { seq } = await phone.next('match:created');
  await phone.room.request('inbox:ack', { seq });
  expect((await seat()).position).toEqual({ epoch: 1, seq });
  const tablet = await ann.inbox();
  await tablet.room.request('inbox:replay', { after: position.seq });
  expect(await tablet.next('match:created')).toMatchObject({ matchId, seq });
});
