/** After an outage more has fallen due than one look takes: the rest does not wait for the next round. */
import { expect, test } from 'vitest';
import { Keeper, overdueMatches } from '../../../src/actors/Keeper.ts';
import type { CallStore } from '../../../src/calling/CallStore.ts';
import type { Database } from '../../../src/db/Database.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const ROUND_MS = 500;
const LOOK = 100;

/** A keeper with so many matches overdue; `act` does something about one, and says whether that was it. */
function setUp(overdue: number, act: (id: string) => Promise<boolean>) {
  const clock = new FakeClock();
  const due = new Set(Array.from({ length: overdue }, (_, n) => `${n}`));
  const counts = { looks: 0, tried: 0 };
  let compared = 0;
  const query = ({ name }: { name: string }) => {
    if (name !== overdueMatches.name) return Promise.resolve([]);
    counts.looks += 1;
    return Promise.resolve([...due].slice(0, LOOK).map((id) => ({ id })));
  };
  const keeper = new Keeper({
    db: { query, wasAway: () => false } as unknown as Database,
    calls: {} as CallStore,
    bus: new MemoryBus(),
    clock,
    log: createLog('silent'),
    tickMatch: async (id) => {
      counts.tried += 1;
      if (await act(id)) due.delete(id);
    },
    activateCall: () => Promise.resolve(),
    reconcileInboxes: async () => {
      compared += 1;
    },
    dropOld: () => Promise.resolve(),
  });
  keeper.start();
  const round = async () => {
    clock.advance(ROUND_MS);
    for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done));
  };
  return { due, counts, round, keeper, compared: () => compared };
}

test('all that is overdue is acted on in the round that found it', async () => {
  const { due, counts, round, keeper } = setUp(350, async () => true);
  await round();
  expect([due.size, counts]).toEqual([0, { looks: 4, tried: 350 }]);
  keeper.close();
});

test('one that takes long holds up nothing: the next look comes in its time, and does not begin it again', async () => {
  const begun: string[] = [];
  const { due, round, keeper } = setUp(350, (id) => {
    begun.push(id);
    return id === '0' ? new Promise(() => {}) : Promise.resolve(true);
  });
  await round();
  expect(due.size).toBe(251);
  await round();
  expect(due.size).toBe(152);
  expect(begun.filter((id) => id === '0')).toHaveLength(1);
  keeper.close();
});

test('a keeper that is closed does nothing more', async () => {
  const { counts, round, keeper, compared } = setUp(1, async () => false);
  for (let n = 0; n < 6; n++) await round();
  expect([counts.looks, compared()]).toEqual([6, 1]);
  keeper.close();
  for (let n = 0; n < 6; n++) await round();
  expect([counts.looks, compared()]).toEqual([6, 1]);
});

test('where the database takes nothing it is tried again in the next round, not at once', async () => {
  const { counts, round, keeper } = setUp(350, () => Promise.reject(new Error('not now')));
  await round();
  expect(counts).toEqual({ looks: 1, tried: LOOK });
  keeper.close();
});

test('however much it is, a round comes to an end', async () => {
  const { due, round, keeper } = setUp(100_000, async () => true);
  await round();
  const once = due.size;
  expect(once).toBeGreaterThan(90_000);
  await round();
  expect(due.size).toBeLessThan(once);
  keeper.close();
});
