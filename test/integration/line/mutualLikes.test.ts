import pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { type Person, request } from '../../support/client.ts';
import { newPeople } from '../../support/signedIn.ts';

const PAIRS = 1_000;
const app = useApp();
let people: Person[];

beforeAll(async () => {
  people = await newPeople(app, PAIRS * 2);
});

test('a thousand simultaneous mutual likes: exactly a thousand matches, each told once to each', async () => {
  const like = (from: Person, to: Person) =>
    request(app.url, 'POST', `/api/v1/matches/like/${to.id}`, { token: from.token });
  const answers = await Promise.all(
    Array.from({ length: PAIRS }, (_, i) => [people[2 * i]!, people[2 * i + 1]!] as const).flatMap(
      ([ann, bob]) => [like(ann, bob), like(bob, ann)],
    ),
  );
  expect(answers.filter((answer) => answer.status !== 200)).toEqual([]);
  // Whoever's like came second was told of the match in the answer.
  const told = answers.filter((answer) => answer.body.match !== null).length;
  expect(told).toBeGreaterThanOrEqual(PAIRS);

  const db = new pg.Client(app.dbUrl);
  await db.connect();
  const { rows } = await db.query(
    `select count(*)::int as matches, count(distinct (low_id, high_id))::int as pairs from matches where status = 'active'`,
  );
  expect(rows[0]).toEqual({ matches: PAIRS, pairs: PAIRS });
  const events = await db.query(
    `select count(*)::int as events, count(distinct (user_id, payload->>'matchId'))::int as once
     from outbox where type = 'match:created'`,
  );
  expect(events.rows[0]).toEqual({ events: 2 * PAIRS, once: 2 * PAIRS });
  await db.end();

  // And as its user sees it: the inbox of some of them holds that one event.
  for (const person of people.slice(0, 20)) {
    const inbox = await person.inbox();
    await inbox.next('match:created');
    expect(inbox.ofType('match:created')).toHaveLength(1);
    await person.leave();
  }
});
