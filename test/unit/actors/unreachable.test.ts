/** A call that another process holds, while nothing passes between the processes. */
import { expect, test } from 'vitest';
import { Actors, type RoomHost } from '../../../src/actors/Actors.ts';
import type { CallStore } from '../../../src/calling/CallStore.ts';
import { DuetError } from '../../../src/errors.ts';
import { createLog } from '../../../src/log.ts';
import { FakeClock } from '../../support/FakeClock.ts';

test('who asks for it is refused at once: it is not looked for again, and no clock has to move', async () => {
  let asked = 0;
  const rooms = {
    processId: () => 'P',
    localRoom: () => undefined,
    roomClosed: () => Promise.resolve(),
    callRoom: () => {
      asked += 1;
      return Promise.reject(new DuetError('UNAVAILABLE'));
    },
  } as unknown as RoomHost;
  const calls = { claim: () => Promise.resolve({ heldBy: 'Q' }) } as unknown as CallStore;
  const actors = new Actors({ calls, clock: new FakeClock(), log: createLog('silent'), rooms });
  const refused = { code: 'UNAVAILABLE' };
  await expect(actors.callSeat('a call', 'ann')).rejects.toMatchObject(refused);
  await expect(actors.callCommand('a call', { command: { type: 'sever' } })).rejects.toMatchObject(refused);
  expect(asked).toBe(2);
});
