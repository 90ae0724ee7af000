/** A process that drains takes on no call, and reaches those of others as before. */
import { expect, test } from 'vitest';
import { Actors, type RoomHost } from '../../../src/actors/Actors.ts';
import { Keeper } from '../../../src/actors/Keeper.ts';
import type { CallActor } from '../../../src/calling/CallActor.ts';
import type { CallStore, Claim } from '../../../src/calling/CallStore.ts';
import type { Database } from '../../../src/db/Database.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const CALL = '00000000-0000-7000-8000-000000000004';
const log = createLog('silent');

test('what others hold is found and commanded, what nobody holds is not claimed', async () => {
  const clock = new FakeClock();
  const claimed: string[] = [];
  let holder = 'Q';
  const find = () => Promise.resolve<Claim>({ heldBy: holder });
  const calls = {
    find,
    claim: (callId: string) => {
      claimed.push(callId);
      return find();
    },
  } as unknown as CallStore;
  const rooms = {
    processId: () => 'P',
    localRoom: () => undefined,
    roomClosed: () => Promise.resolve(),
    callRoom: (_callId: string, method: string) => {
      if (holder === '') return Promise.reject(new Error('no answer from the room'));
      const call = { id: CALL };
      return Promise.resolve(method === 'reserve' ? { processId: holder } : { ok: true, call });
    },
  } as unknown as RoomHost;
  const actors = new Actors({ calls, clock, log, rooms });
  actors.drain();
  expect(await actors.callCommand(CALL, { command: { type: 'sever' } })).toEqual({ id: CALL });
  expect((await actors.callSeat(CALL, 'ann')).processId).toBe('Q');
  holder = '';
  const nobody = actors.callCommand(CALL, { command: { type: 'sever' } });
  const refused = expect(nobody).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  for (let waited = 0; waited <= 4_000; waited += 100) {
    await new Promise((done) => setImmediate(done));
    clock.advance(100);
  }
  await refused;
  expect(claimed).toEqual([]);
});

test('calls that nobody holds are not looked for, deadlines of matches are', async () => {
  const clock = new FakeClock();
  const swept: string[] = [];
  let isOpen = false;
  const query = ({ name }: { name: string }) => {
    swept.push(name);
    return Promise.resolve([]);
  };
  const keeper = newKeeper(clock, { query, wasAway: () => false }, () => isOpen);
  keeper.start();
  const sweep = async () => {
    for (let waited = 0; waited < 1_500; waited += 50) {
      await new Promise((done) => setImmediate(done));
      clock.advance(50);
    }
  };
  await sweep();
  expect(swept).toContain('sweep-matches');
  expect(swept).not.toContain('sweep-calls');
  isOpen = true;
  await sweep();
  expect(swept).toContain('sweep-calls');
  keeper.close();
});

test('with a call that goes on it ends at its deadline, not at the look after it', async () => {
  const clock = new FakeClock();
  const keeper = newKeeper(clock);
  keeper.hold({ call: { id: CALL }, epoch: 1 } as CallActor);
  let isIdle = false;
  void keeper.idle(250).then(() => {
    isIdle = true;
  });
  const move = async (ms: number) => {
    clock.advance(ms);
    await new Promise((done) => setImmediate(done));
  };
  await move(200);
  await move(49);
  expect(isIdle).toBe(false);
  await move(1);
  expect(isIdle).toBe(true);
});

function newKeeper(clock: FakeClock, db: object = {}, isOpen = () => true): Keeper {
  return new Keeper({
    db: db as Database,
    calls: {} as CallStore,
    bus: new MemoryBus(),
    clock,
    log,
    tickMatch: () => Promise.resolve(),
    activateCall: () => Promise.resolve(),
    isOpen,
    reconcileInboxes: () => Promise.resolve(),
    dropOld: () => Promise.resolve(),
  });
}
