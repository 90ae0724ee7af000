/**
 * WS-21: a client that stops reading while megabytes are due to it is closed, never passed over in silence, and finds
 * everything when it returns. `loadtest/deliverySlow.ts` runs the same a thousand times.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { slowEpisode } from '../../../loadtest/deliverySlowEpisode.ts';
import { Database } from '../../../src/db/Database.ts';
import { createLog } from '../../../src/log.ts';
import { useApp } from '../../support/app.ts';
import type { Person } from '../../support/client.ts';
import { newPerson } from '../../support/signedIn.ts';

const EPISODES = 6;

const app = useApp();
let db: Database;

beforeAll(async () => {
  db = await Database.open({ url: app.dbUrl, poolSize: 8, log: createLog('silent') });
});
afterAll(() => db?.close());

test(`${EPISODES} episodes of not reading: closed, and every number there after coming back`, async () => {
  const people = await Promise.all([newPerson(app), newPerson(app), newPerson(app)]);
  const ask = async (person: Person) => (await person.ok('POST', '/realtime/inbox')).seat;
  const stories = await Promise.all(
    people.map(async (person) => {
      const outcomes = [];
      let seq = 0;
      for (let i = 0; i < EPISODES / people.length; i++) {
        const episode = await slowEpisode({
          port: Number(new URL(app.url).port),
          person,
          seat: () => ask(person),
          db,
          startSeq: seq,
        });
        outcomes.push(episode);
        seq = episode.seq;
      }
      return outcomes;
    }),
  );
  const episodes = stories.flat();
  expect(episodes).toHaveLength(EPISODES);
  // One that the server came to late, on a busy machine, may have read everything after all.
  expect(episodes.filter(({ wasClosed }) => wasClosed).length).toBeGreaterThan(0);
  expect(episodes.flatMap(({ gaps }) => gaps)).toEqual([]);
  expect(episodes.filter(({ missing }) => missing > 0)).toEqual([]);
}, 240_000);

test('somebody else hears everything at once meanwhile', async () => {
  const [slow, quick, third] = await Promise.all([newPerson(app), newPerson(app), newPerson(app)]);
  const inbox = await quick.inbox();
  const during = slowEpisode({
    port: Number(new URL(app.url).port),
    person: slow,
    seat: async () => (await slow.ok('POST', '/realtime/inbox')).seat,
    db,
    startSeq: 0,
  });
  await quick.ok('POST', `/matches/like/${third.id}`);
  await third.ok('POST', `/matches/like/${quick.id}`);
  await inbox.next('match:created');
  expect(await during).toMatchObject({ gaps: [], missing: 0 });
});
