/** Two whose match ended long ago begin anew, both at once. */
import { expect, test } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { DAY_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { newId } from '../../../src/ids.ts';
import { forgetPair } from '../../../src/matching/decisionSql.ts';
import { Decisions } from '../../../src/matching/decisions.ts';
import { useDatabase } from '../../support/database.ts';

const addPeople = sql(
  'test-add-people',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
   select id, id || '@example.org', id || '@example.org', now(), '', 'Somebody', '1990-01-01', 'woman'
   from unnest($1::uuid[]) as given (id)`,
);
const lastMatched = sql(
  'test-last-matched',
  `insert into pair_decisions (low_id, high_id, low_decision, low_at, high_decision, high_at, matched)
   values ($1, $2, 'like', $3, 'like', $3, true)`,
);
const matchAgain = sql(
  'test-match-again',
  `update pair_decisions set low_decision = 'like', low_at = $3, high_decision = 'like', high_at = $3, matched = true
   where low_id = $1 and high_id = $2`,
);
const addMatch = sql(
  'test-add-match',
  `insert into matches (id, low_id, high_id, status, phase, created_at, accept_by, ended_at, end_reason)
   values ($1, $2, $3, $4, case when $4 = 'active' then 'ready' else 'closed' end, $5, $5, $6, null)`,
);
const pairOf = sql<{ matched: boolean }>(
  'test-pair-of',
  'select matched from pair_decisions where low_id = $1 and high_id = $2',
);

const database = useDatabase();

test('who looks before the two have matched anew, and writes after it, leaves their match alone', async () => {
  const { db } = database;
  const [low, high] = [newId(), newId()].sort() as [string, string];
  const now = Date.now();
  const [longAgo, since] = [new Date(now - 200 * DAY_MS), new Date(now - 90 * DAY_MS)];
  await db.query(addPeople, [[low, high]]);
  await db.query(lastMatched, [low, high, longAgo]);
  await db.query(addMatch, [newId(), low, high, 'ended', longAgo, longAgo]);

  const decisions = new Decisions({
    db,
    clock: new SystemClock(),
    match: { acceptMs: DAY_MS, warningMs: 1_000 },
    likesPerDay: { regular: 10, premium: 10 },
    publish: () => {},
  });
  const matchId = newId();
  let late: Promise<unknown> | undefined;
  await db.transaction(async (tx) => {
    await tx.query(forgetPair, [low, high, since]);
    await tx.query(matchAgain, [low, high, new Date(now)]);
    await tx.query(addMatch, [matchId, low, high, 'active', new Date(now), null]);
    late = decisions.decide(high, low, 'like');
    // Until it has seen the match of long ago, and waits for the pair's row.
    for (let waits = 0; waits === 0; ) {
      const { rows } = await db.pool.query(
        `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      waits = rows[0].n;
    }
  });

  expect(await late).toEqual({ decision: 'like', matchId });
  expect(await db.query(pairOf, [low, high])).toEqual([{ matched: true }]);
  await decisions.close();
});
