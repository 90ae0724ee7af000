/** What time asks for of accounts, where it does not work with some of them. */
import { beforeEach, expect, test } from 'vitest';
import { AccountDeadlines } from '../../../src/accounts/AccountDeadlines.ts';
import type { Erasure } from '../../../src/accounts/Erasure.ts';
import type { Sanctions } from '../../../src/accounts/Sanctions.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { useDatabase } from '../../support/database.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const base = useDatabase();
const DUE_MS = Date.UTC(2030, 0, 1);
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock(DUE_MS);
  await base.db.pool.query('delete from users');
});

/** Accounts that are due now, one after the other. */
async function due(count: number, column: 'erase_at' | 'settle_at'): Promise<string[]> {
  const ids = Array.from({ length: count }, newId);
  for (const [nth, id] of ids.entries()) {
    await base.db.pool.query(
      `insert into users (id, email, email_key, password_hash, display_name, birth_date, gender, created_at, last_active_at,
         status, ${column})
       values ($1, $2, $2, 'x', 'X', '1990-01-01', 'man', now(), now(), 'deleted', $3)`,
      [id, `${id}@example.org`, new Date(DUE_MS - 1_000_000 + nth)],
    );
  }
  return ids;
}

function deadlinesWith(work: { erase?: Erasure['erase']; settle?: (userId: string) => Promise<void> }) {
  return new AccountDeadlines({
    db: base.db,
    clock,
    log: createLog('silent'),
    sanctions: {} as Sanctions,
    erasure: { erase: work.erase } as Erasure,
    settle: work.settle ?? (async () => {}),
  });
}

test('accounts with which it does not work keep nobody else’s from being erased, and are tried again later', async () => {
  const ids = await due(45, 'erase_at');
  const broken = new Set(ids.slice(0, 40));
  const tried: string[] = [];
  const deadlines = deadlinesWith({
    erase: async (id) => {
      tried.push(id);
      if (broken.has(id)) throw new Error('its photos cannot be removed');
      await base.db.pool.query('delete from users where id = $1', [id]);
      return true;
    },
  });
  for (let round = 0; round < 4; round++) await deadlines.run();
  expect(tried).toEqual(ids);
  clock.advance(30_000);
  broken.clear();
  for (let round = 0; round < 2; round++) await deadlines.run();
  expect(tried.slice(45)).toEqual(ids.slice(0, 40));
  expect((await base.db.pool.query('select from users')).rowCount).toBe(0);
  await deadlines.close();
});

test('when it works with nobody, no more than a hundred are tried in half a minute', async () => {
  await due(350, 'settle_at');
  let tries = 0;
  const deadlines = deadlinesWith({
    settle: async () => {
      tries++;
      throw new Error('nothing can be reached');
    },
  });
  for (let round = 0; round < 5; round++) await deadlines.run();
  expect(tries).toBe(100);
  clock.advance(30_000);
  await deadlines.run();
  expect(tries).toBe(200);
  await deadlines.close();
});
