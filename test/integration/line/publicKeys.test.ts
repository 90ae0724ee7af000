import { afterEach, describe, expect, test, vi } from 'vitest';
import { DeviceKeys } from '../../../src/accounts/DeviceKeys.ts';
import { useApp } from '../../support/app.ts';
import { Inbox } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';

const app = useApp();
afterEach(() => vi.restoreAllMocks());

const KEY = { epoch: 1, key: 'k'.repeat(43), signature: 's'.repeat(86) };

async function ringing() {
  const { ann, bob, matchId } = await newMatch(app);
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

  test('are signed by the key that the device registered after signing in', async () => {
    const { ann, room, bobRoom } = await ringing();
    const bobHeard = new Inbox(bobRoom);
    const device = `${'d'.repeat(42)}A`;
    const offer = { ...KEY, step: 'offer', device };
    expect(await refusal(room.request('call:e2ee_key', offer))).toBe('FORBIDDEN');
    for (const key of ['short', 'd'.repeat(43), 'not base64url!']) {
      const { body } = await ann.call('PUT', '/users/me/sessions/current/key', { key });
      expect(body).toMatchObject({ code: 'VALIDATION_FAILED', details: [{ path: 'key' }] });
    }
    await ann.ok('PUT', '/users/me/sessions/current/key', { key: device });
    await room.request('call:e2ee_key', offer);
    expect(await bobHeard.next('call:e2ee_key')).toEqual({ userId: ann.id, ...offer });
    // Of another device of the same person's, and of somebody else's.
    const other = `${'o'.repeat(42)}A`;
    const { ann: carl } = await newMatch(app);
    await carl.ok('PUT', '/users/me/sessions/current/key', { key: other });
    expect(await refusal(room.request('call:e2ee_key', { ...offer, epoch: 2, device: other }))).toBe(
      'FORBIDDEN',
    );
  });

  test('are not told of a client whose seat another took while its device was looked up', async () => {
    const { ann, call, room, bobRoom } = await ringing();
    const bobHeard = new Inbox(bobRoom);
    const device = 'd'.repeat(43);
    const lookedUp = Promise.withResolvers<string>();
    const lookUp = vi.spyOn(DeviceKeys.prototype, 'of').mockReturnValueOnce(lookedUp.promise);
    const left = new Promise((resolve) => room.onLeave(resolve));
    // Its client is gone before it is answered.
    room.request('call:e2ee_key', { ...KEY, step: 'offer', device }).catch(() => {});
    await eventually(() => lookUp.mock.calls.length).toBe(1);
    const tablet = await ann.sit((await ann.ok('POST', `/calls/${call.id}/join`)).seat);
    await left;
    lookedUp.resolve(device);
    const own = { ...KEY, epoch: 2, step: 'offer' };
    await tablet.request('call:e2ee_key', own);
    await bobHeard.next('call:e2ee_key', ({ epoch }) => epoch === 2);
    expect(bobHeard.ofType('call:e2ee_key')).toEqual([{ userId: ann.id, ...own }]);
  });

  test('are taken no more when the call is over', async () => {
    const { room } = await ringing();
    await room.request('call:end');
    expect(await refusal(room.request('call:e2ee_key', KEY))).toBe('CALL_NOT_ACTIVE');
  });

  test('each step once an epoch; what began an agreement is told to who joins later', async () => {
    const { ann, bob, call, room } = await ringing();
    const [offer, reveal] = ['offer', 'reveal'].map((step) => ({ ...KEY, step, key: step }));
    await room.request('call:e2ee_key', offer);
    await room.request('call:e2ee_key', reveal);
    expect(await refusal(room.request('call:e2ee_key', { ...reveal, key: 'swapped' }))).toBe('CONFLICT');
    const { seat } = await bob.ok('POST', `/calls/${call.id}/join`);
    const later = new Inbox(await bob.sit(seat));
    expect(await later.next('call:e2ee_key')).toEqual({ userId: ann.id, ...offer });
    expect(later.ofType('call:e2ee_key')).toHaveLength(1);
    // Another client of the same person begins anew: the old key is told to nobody any more, and epochs may be lower.
    const again = await ann.sit((await ann.ok('POST', `/calls/${call.id}/join`)).seat);
    const afterwards = new Inbox(await bob.sit((await bob.ok('POST', `/calls/${call.id}/join`)).seat));
    await again.request('call:e2ee_key', { ...offer, epoch: 0 });
    expect(await afterwards.next('call:e2ee_key')).toMatchObject({ epoch: 0 });
    expect(afterwards.ofType('call:e2ee_key')).toHaveLength(1);
  });

  test('of a new agreement are taken whatever epoch the one before had: clocks of devices differ', async () => {
    const { ann, bob, call, room, bobRoom } = await ringing();
    await bobRoom.request('call:answer');
    await room.request('call:e2ee_key', { ...KEY, epoch: 2_000, step: 'offer' });
    await bobRoom.request('call:e2ee_key', { ...KEY, epoch: 2_000, step: 'share' });
    const tablet = await ann.sit((await ann.ok('POST', `/calls/${call.id}/join`)).seat);
    const heard = new Inbox(tablet);
    await tablet.request('call:e2ee_key', { ...KEY, epoch: 1_940, step: 'offer' });
    // What was still on its way to the one before is for nobody, and does not stand in the way of what is.
    const late = { ...KEY, epoch: 2_000, step: 'share', key: 'late' };
    expect(await refusal(bobRoom.request('call:e2ee_key', late))).toBe('CONFLICT');
    await bobRoom.request('call:e2ee_key', { ...KEY, epoch: 1_940, step: 'share' });
    const share = await heard.next('call:e2ee_key', ({ epoch }) => epoch === 1_940);
    expect(share).toMatchObject({ userId: bob.id, step: 'share' });
  });

  test('of a callee are not told while it rings: they would say that somebody is there', async () => {
    const { ann, bob, heard, room, bobRoom } = await ringing();
    await bobRoom.request('call:e2ee_state', { state: 'off', able: true });
    await bobRoom.request('call:e2ee_key', { ...KEY, step: 'share' });
    const again = await ann.ok('POST', `/calls/${room.roomId}/join`);
    const later = new Inbox(await ann.sit(again.seat));
    await later.room.request('media:capabilities', {});
    expect([...heard.ofType('call:e2ee_key'), ...later.ofType('call:e2ee_key')]).toEqual([]);
    type People = Map<string, { e2eeAble: boolean }>;
    const isAble = () => (later.room.state as { people: People }).people.get(bob.id)!.e2eeAble;
    expect(isAble()).toBe(false);

    await bobRoom.request('call:answer');
    expect(await later.next('call:e2ee_key')).toEqual({ userId: bob.id, ...KEY, step: 'share' });
    await eventually(isAble).toBe(true);
    expect(later.ofType('call:e2ee_key')).toHaveLength(1);
  });

  test('each says what its client does with its frames, until that client goes', async () => {
    const { ann, bob, bobRoom, room } = await ringing();
    type People = Map<string, { e2ee: string; e2eeAble: boolean }>;
    const seen = () => {
      const { e2ee, e2eeAble } = (bobRoom.state as { people: People }).people.get(ann.id)!;
      return [e2ee, e2eeAble];
    };
    await eventually(seen).toEqual(['off', false]);
    await room.request('call:e2ee_state', { state: 'off', able: true });
    await eventually(seen).toEqual(['off', true]);
    await room.request('call:e2ee_state', { state: 'verified', able: true });
    await eventually(seen).toEqual(['verified', true]);
    for (const payload of [{ state: 'certainly' }, { state: 'on', note: 'x' }, {}]) {
      expect(await refusal(room.request('call:e2ee_state', payload))).toBe('VALIDATION_FAILED');
    }
    await room.leave();
    await eventually(seen).toEqual(['off', false]);
    expect((bobRoom.state as { people: People }).people.get(bob.id)!.e2ee).toBe('off');
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
