import { describe, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { Inbox, newMatch } from '../../support/client.ts';

const app = useApp();
const KEY = { epoch: 1, key: 'k'.repeat(43), signature: 's'.repeat(86) };

async function ringing() {
  const { ann, bob, matchId } = await newMatch(app.url);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const room = await ann.sit(seat);
  const { seat: bobSeat } = await bob.ok('POST', `/calls/${call.id}/join`);
  return { ann, bob, call, room, heard: new Inbox(room), bobRoom: await bob.sit(bobSeat) };
}

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => 'done',
    (error: { reason: { code: string } }) => error.reason.code,
  );

describe('public keys for end-to-end encryption', () => {
  test('go to the other person, also to one who joins later, and never back', async () => {
    const { ann, bob, call, room, heard, bobRoom } = await ringing();
    const bobHeard = new Inbox(bobRoom);
    await room.request('call:e2ee_key', KEY);
    expect(await bobHeard.next('call:e2ee_key')).toEqual({ userId: ann.id, ...KEY });
    await room.request('call:e2ee_key', KEY);
    const next = { ...KEY, epoch: 2, key: 'n'.repeat(43) };
    await room.request('call:e2ee_key', next);
    expect(await bobHeard.next('call:e2ee_key', ({ epoch }) => epoch === 2)).toMatchObject(next);
    expect(bobHeard.ofType('call:e2ee_key')).toHaveLength(2);

    await bobRoom.leave();
    const again = new Inbox(await bob.sit((await bob.ok('POST', `/calls/${call.id}/join`)).seat));
    expect(await again.next('call:e2ee_key')).toEqual({ userId: ann.id, ...next });
    expect(heard.ofType('call:e2ee_key')).toEqual([]);
  });

  test('of an old epoch, or more than public keys, are refused', async () => {
    const { room } = await ringing();
    await room.request('call:e2ee_key', { ...KEY, epoch: 5 });
    const attempts: [object, string][] = [
      [{ ...KEY, epoch: 4 }, 'CONFLICT'],
      [{ ...KEY, epoch: 5, key: 'swapped' }, 'CONFLICT'],
      [{ ...KEY, epoch: 6.5 }, 'VALIDATION_FAILED'],
      [{ ...KEY, epoch: -1 }, 'VALIDATION_FAILED'],
      [{ ...KEY, epoch: 6, key: 'k'.repeat(257) }, 'VALIDATION_FAILED'],
      [{ ...KEY, epoch: 6, key: 'not base64url!' }, 'VALIDATION_FAILED'],
      [{ ...KEY, epoch: 6, note: 'call me at +49...' }, 'VALIDATION_FAILED'],
      [{}, 'VALIDATION_FAILED'],
    ];
    for (const [payload, code] of attempts) {
      expect([payload, await refusal(room.request('call:e2ee_key', payload))]).toEqual([payload, code]);
    }
  });
});
