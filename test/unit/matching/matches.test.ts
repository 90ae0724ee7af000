/** Whose lists are forgotten when: also where nobody was told that a change was committed. */
import { expect, test } from 'vitest';
import type { Database } from '../../../src/db/Database.ts';
import type { Sql } from '../../../src/db/sql.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import type { MatchCommand } from '../../../src/matching/transitions.ts';
import { MemoryDatabase } from '../../simulation/MemoryDatabase.ts';
import { newMatch } from '../../simulation/tables.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const ANN = '00000000-0000-7000-8000-000000000001';
const BEN = '00000000-0000-7000-8000-000000000002';
const STRANGER = '00000000-0000-7000-8000-000000000009';
const MATCH = '00000000-0000-7000-8000-000000000003';
const settings = { acceptMs: 10_000, warningMs: 1_000 };

function setUp() {
  const clock = new FakeClock();
  const memory = new MemoryDatabase({ now: clock.now() });
  memory.tables.matches.set(MATCH, newMatch(MATCH, [ANN, BEN], clock.now(), settings));
  const forgotten: string[][] = [];
  let isAnswerLost = false;
  const db = {
    query: memory.query.bind(memory),
    transaction: async <T>(work: (tx: Sql) => Promise<T>) => {
      const result = await memory.transaction(work);
      if (isAnswerLost) throw new Error('the answer was lost');
      return result;
    },
  } as unknown as Database;
  const matches = new Matches({
    db,
    clock,
    settings,
    cards: () => Promise.resolve(new Map()),
    publish: () => {},
    onChanged: (userIds) => forgotten.push([...userIds]),
    onClosed: () => Promise.resolve(),
  });
  const command = (type: MatchCommand['type'], userId: string, lost = false) => {
    isAnswerLost = lost;
    return matches.command(MATCH, { type }, userId);
  };
  return { command, forgotten };
}

test.each(['accept', 'decline', 'end'] as const)(
  '%s whose answer was lost: lists are forgotten then, and when it comes again',
  async (type) => {
    const { command, forgotten } = setUp();
    await expect(command(type, ANN, true)).rejects.toThrow('the answer was lost');
    expect(forgotten).toEqual([[ANN, BEN]]);
    // The commit may have come through only after that.
    await command(type, ANN).catch(() => {});
    expect(forgotten).toEqual([
      [ANN, BEN],
      [ANN, BEN],
    ]);
  },
);

test('a stranger’s command forgets nobody’s list', async () => {
  const { command, forgotten } = setUp();
  await expect(command('end', STRANGER)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(forgotten).toEqual([]);
});
