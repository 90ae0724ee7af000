/** Promises about who may still do what: sessions that end, people who are banned or blocked. */
import { Client } from '@colyseus/sdk';
import { type Json, Person, request } from '../test/support/client.ts';
import { match, newPerson, TEST_PASSWORD } from '../test/support/signedIn.ts';
import type { PromiseRow } from './PromiseRow.ts';
import {
  at,
  closing,
  hearing,
  momentOf,
  type PromiseWorld,
  type Provoke,
  pause,
  told,
} from './PromiseWorld.ts';

const TIMES = 10;
const WITHIN_MS = 1_000;
/** For so long the parent of a refresh token gives the same child again. */
const GRACE_MS = 10_000;
const REVOKED = 4102;
const OVER = 4103;
const NEW_PASSWORD = 'a quiet violet harbour';
/** Discovery shows people nearby: every case has a place of its own. */
const STEP_DEGREES = 2;
let places = 0;

/** A signed-in session, with what a browser or phone keeps of it. */
interface Session {
  person: Person;
  refreshToken: string;
}

export const PEOPLE_PROMISES: Record<string, Provoke> = {
  'AUTH-01': async (world, row) => {
    const ended = row({
      what: 'AUTH-01 a refresh token again: its session is dead at both, sockets too',
      withinMs: WITHIN_MS,
    });
    const stolen: { first: Session; second: Session; other: Session }[] = [];
    for (let i = 0; i < TIMES; i++) {
      const email = (await newPerson(world.a)).email;
      const [first, other] = [await logIn(world, email), await logIn(world, email)];
      const { body } = await refresh(world, first);
      stolen.push({ first, second: sessionOf(world, body), other });
    }
    await pause(GRACE_MS + 100);
    for (const { first, second, other } of stolen) {
      await dies(world, ended, second.person, async () => {
        const again = await refresh(world, first);
        ended.check(again.body?.code === 'REFRESH_REUSED', () => `${told(again)} to the parent`);
      });
      const child = await refresh(world, second);
      ended.check(child.status === 401, () => `${told(child)} to the child`);
      const spared = await other.person.call('GET', '/users/me');
      ended.check(spared.status === 200, () => `${told(spared)} to the other session`);
    }
  },

  'AUTH-13': async (world, row) => {
    const ended = row({
      what: 'AUTH-13 signed out: dead at both, sockets too',
      withinMs: WITHIN_MS,
    });
    for (let i = 0; i < TIMES; i++) {
      const session = await logIn(world, (await newPerson(world.a)).email);
      await dies(world, ended, session.person, () => session.person.ok('POST', '/auth/logout'));
      const refreshed = await refresh(world, session);
      ended.check(refreshed.status === 401, () => `${told(refreshed)} to its refresh token`);
    }
  },

  'AUTH-15': async (world, row) => {
    const ended = row({
      what: 'AUTH-15 a password changed (two hashes included): the other session is dead at both',
      withinMs: WITHIN_MS,
    });
    for (let i = 0; i < TIMES; i++) {
      const { email } = await newPerson(world.a);
      const [phone, laptop] = [await logIn(world, email), await logIn(world, email)];
      const change = { currentPassword: TEST_PASSWORD, newPassword: NEW_PASSWORD };
      let renewed: Json;
      await dies(world, ended, laptop.person, async () => {
        renewed = await phone.person.ok('POST', '/auth/change-password', change);
      });
      const refreshed = await refresh(world, laptop);
      ended.check(refreshed.status === 401, () => `${told(refreshed)} to its refresh token`);
      const own = await request(world.b.url, 'GET', '/api/v1/users/me', { token: renewed.accessToken });
      ended.check(own.status === 200, () => `${told(own)} to who changed it`);
    }
  },

  'AUTH-17': async (world, row) => {
    const refused = row({
      what: 'AUTH-17 banned in a call: refused at both, sockets closed',
      withinMs: WITHIN_MS,
    });
    const over = row({ what: 'AUTH-17 … and the call is over for the other', withinMs: WITHIN_MS });
    const boss = await world.registerAdmin();
    for (let i = 0; i < TIMES; i++) {
      const { ann, bob, callId, atAnn, atBob } = await world.talkAt(world.a);
      const session = await logIn(world, ann.email);
      const elsewhere = await at(world.b, bob).inbox();
      const { reconnectionToken } = atAnn.room;
      const room = closing(atAnn);
      const heard = [
        hearing(atBob, 'call:ended'),
        hearing(elsewhere, 'call:ended', (event) => event.call.id === callId),
      ];
      const startedAt = performance.now();
      const ban = () =>
        boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'banned', reason: 'a promise' });
      await dies(world, refused, ann, ban, [room]);
      const ends = await Promise.all(heard);
      over.tookMs.push(Math.max(...ends.map((end) => end.at)) - startedAt);
      const outcomes = ends.map(({ payload }) => payload.outcome);
      over.check(
        outcomes.every((one) => one === 'completed'),
        () => `the call ended as ${outcomes}`,
      );
      const login = await request(world.b.url, 'POST', '/api/v1/auth/login', {
        body: { email: ann.email, password: TEST_PASSWORD },
      });
      refused.check(login.body.code === 'ACCOUNT_SUSPENDED', () => `${told(login)} to a login`);
      const refreshed = await refresh(world, session);
      refused.check(refreshed.status === 401, () => `${told(refreshed)} to a refresh token`);
      const sdk = new Client(world.a.url);
      sdk.auth.token = ann.token;
      const isBack = await sdk.reconnect(reconnectionToken).then(
        () => true,
        () => false,
      );
      refused.check(!isBack, () => 'let back in by a reconnection token');
      await bob.leave();
    }
  },

  'AZ-19': async (world, row) => {
    const gone = row({
      what: 'AZ-19 blocked: gone from profile, discovery and matches at both',
      withinMs: WITHIN_MS,
    });
    for (let i = 0; i < TIMES; i++) {
      const [blocker, matched, stranger] = (await world.people(3)) as [Person, Person, Person];
      await settleNearby([blocker, matched, stranger]);
      await match(blocker, matched);
      const isIn = (list: Json) => list.items.some((item: Json) => (item.peer ?? item).id === blocker.id);
      const looks = world.both.flatMap((server) => [
        async () => (await at(server, matched).call('GET', `/users/${blocker.id}`)).status === 404,
        async () => !isIn(await at(server, matched).ok('GET', '/matches/active')),
        async () => (await at(server, stranger).call('GET', `/users/${blocker.id}`)).status === 404,
        async () => !isIn(await at(server, stranger).ok('GET', '/users/discovery?limit=20')),
      ]);
      // Shown, and kept by whatever keeps it, before. Discovery first: it shows the profile to a stranger.
      for (const look of looks.toReversed())
        gone.check(!(await look()), () => 'somebody was not shown before');
      const startedAt = performance.now();
      const seen = looks.map(momentOf);
      for (const other of [matched, stranger]) await blocker.ok('POST', `/users/block/${other.id}`);
      gone.tookMs.push(Math.max(...(await Promise.all(seen))) - startedAt);
      for (const look of looks) gone.check(await look(), () => 'shown again');
    }
  },

  'RC-19': async (world, row) => {
    const over = row({
      what: 'RC-19 blocked in a call, by way of the other process: over for both',
      withinMs: WITHIN_MS,
    });
    for (let i = 0; i < TIMES; i++) {
      const { ann, bob, matchId, callId, atAnn, atBob } = await world.talkAt(world.a);
      const inboxes = [await ann.inbox(), await at(world.b, bob).inbox()];
      const left = [closing(atAnn), closing(atBob)];
      const isIt = (event: Json) => event.call.id === callId;
      const heard = [atAnn, atBob, ...inboxes].map((inbox) => hearing(inbox, 'call:ended', isIt));
      const startedAt = performance.now();
      await at(world.b, bob).ok('POST', `/users/block/${ann.id}`);
      const ends = await Promise.all(heard);
      over.tookMs.push(Math.max(...ends.map((one) => one.at)) - startedAt);
      // The room is there for a moment more; nothing is sent or heard there any longer.
      const media = await atAnn.room.request('media:open', { direction: 'send' }).catch((error) => error);
      over.check(media.reason?.code === 'CALL_NOT_ACTIVE', () => 'media after the end');
      for (const { code } of await Promise.all(left))
        over.check(code === OVER, () => `a room was closed with ${code}`);
      const outcomes = ends.map(({ payload }) => payload.outcome);
      over.check(
        outcomes.every((one) => one === 'completed'),
        () => `the call ended as ${outcomes}`,
      );
      const call = await ann.call('POST', `/calls/initiate/${matchId}`, {});
      over.check(call.body?.code === 'MATCH_NOT_ACTIVE', () => `${told(call)} to a new call`);
      await Promise.all([ann.leave(), bob.leave()]);
    }
  },
};

/** Times from the sending of what ends a session until nothing of it is good any more, at either process. */
async function dies(
  world: PromiseWorld,
  row: PromiseRow,
  person: Person,
  end: () => Promise<unknown>,
  rooms: Promise<{ at: number; code: number }>[] = [],
): Promise<void> {
  const inboxes = await Promise.all(world.both.map((server) => at(server, person).inbox()));
  const closed = [...rooms, ...inboxes.map(closing)];
  const ask = (server: { url: string }) =>
    request(server.url, 'GET', '/api/v1/users/me', { token: person.token });
  for (const server of world.both) {
    const before = await row.time(() => ask(server), row.usualMs);
    row.check(before.status === 200, () => `${told(before)} before`);
  }
  const startedAt = performance.now();
  const refused = world.both.map((server) => momentOf(async () => (await ask(server)).status === 401));
  await end();
  const [moments, codes] = await Promise.all([Promise.all(refused), Promise.all(closed)]);
  row.tookMs.push(Math.max(...moments, ...codes.map((one) => one.at)) - startedAt);
  for (const { code } of codes) row.check(code === REVOKED, () => `a socket was closed with ${code}`);
  for (const server of world.both) {
    const after = await ask(server);
    row.check(after.status === 401, () => `${told(after)} afterwards`);
  }
}

async function logIn(world: PromiseWorld, email: string): Promise<Session> {
  const { body } = await request(world.a.url, 'POST', '/api/v1/auth/login', {
    body: { email, password: TEST_PASSWORD },
  });
  return sessionOf(world, body);
}

function sessionOf({ a }: PromiseWorld, { user, accessToken, refreshToken }: Json): Session {
  return { person: new Person(a.url, user.id, user.email, accessToken), refreshToken };
}

function refresh({ a }: PromiseWorld, { refreshToken }: Session) {
  return request(a.url, 'POST', '/api/v1/auth/refresh-token', { body: { refreshToken } });
}

/** Near each other and to nobody else. */
async function settleNearby(people: readonly Person[]): Promise<void> {
  places += 1;
  for (const person of people) {
    await person.ok('PUT', '/users/me', { location: { lat: 0.5, lon: STEP_DEGREES * places } });
    await person.ok('PATCH', '/users/me/preferences', { maxDistanceKm: 20 });
  }
}
