import { describe, expect, test } from 'vitest';
import type { ActorAnswer, PersonsCommand } from '../../../src/actors/Actors.ts';
import { localRoom } from '../../../src/actors/colyseus.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Json, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { metricOf } from '../../support/metrics.ts';
import { newMatch, newPerson, signIn } from '../../support/signedIn.ts';

const app = useApp({ CALL_RING_SEC: '2', CALL_DURATION_SEC: '60', MATCH_ACCEPT_SEC: '3600' });

describe('from a like to a ready match', () => {
  test('the mutual like makes one match, told once to each', async () => {
    const [ann, bob] = await Promise.all([newPerson(app), newPerson(app)]);
    const [annInbox, bobInbox] = await Promise.all([ann.inbox(), bob.inbox()]);
    expect(await ann.ok('POST', `/matches/like/${bob.id}`)).toEqual({ decision: 'like', match: null });
    const { match } = await bob.ok('POST', `/matches/like/${ann.id}`);
    expect(match).toMatchObject({
      status: 'active',
      phase: 'awaiting_accept',
      youAccepted: false,
      peer: { id: ann.id },
    });
    expect(await annInbox.next('match:created')).toMatchObject({
      seq: 1,
      match: { id: match.id, peer: { id: bob.id } },
    });
    expect(await bobInbox.next('match:created')).toMatchObject({
      seq: 1,
      match: { id: match.id, peer: { id: ann.id } },
    });
    expect((await ann.ok('GET', '/matches/active')).items).toHaveLength(1);
  });

  test('acceptance is blind until both have accepted', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const inbox = await bob.inbox();
    const rooms = await Promise.all(
      [ann, bob].map(async (person) =>
        person.sit((await person.ok('POST', `/matches/${matchId}/join`)).seat),
      ),
    );
    expect((await rooms[0]!.request('match:accept')).match).toMatchObject({
      phase: 'awaiting_accept',
      youAccepted: true,
    });
    expect((await bob.ok('GET', '/matches/active')).items[0]).toMatchObject({
      phase: 'awaiting_accept',
      youAccepted: false,
    });
    expect((await rooms[1]!.request('match:accept')).match).toMatchObject({ phase: 'ready' });
    expect(await inbox.next('match:ready')).toMatchObject({ matchId });
  });

  test('a decline rejects at once, and nobody is told who', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const inboxes = await Promise.all([ann.inbox(), bob.inbox()]);
    const room = await ann.sit((await ann.ok('POST', `/matches/${matchId}/join`)).seat);
    await room.request('match:decline');
    const [toAnn, toBob] = await Promise.all(inboxes.map((inbox) => inbox.next('match:ended')));
    expect(toAnn).toMatchObject({ matchId, status: 'rejected', reason: 'ended' });
    expect({ ...toAnn, at: 0 }).toEqual({ ...toBob, at: 0 });
    expect((await bob.ok('GET', '/matches/history')).items[0]).toMatchObject({
      status: 'rejected',
      endReason: 'ended',
    });
  });
});

describe('a call', () => {
  test('rings in the inbox, is answered, and ends for both', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const inbox = await bob.inbox();
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    expect(call).toMatchObject({
      phase: 'ringing',
      media: 'audio',
      callerId: ann.id,
      calleeId: bob.id,
      outcome: null,
    });
    const room = await ann.sit(seat);
    const heard = new Inbox(room);
    expect(await inbox.next('call:incoming')).toMatchObject({ call: { id: call.id }, from: { id: ann.id } });
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    expect(answered.call.phase).toBe('connecting');
    expect(await heard.next('call:answered')).toMatchObject({ by: bob.id });
    const bobRoom = await bob.sit(answered.seat);
    const bobHeard = new Inbox(bobRoom);
    // Both have accepted the match by calling and answering.
    expect((await ann.ok('GET', '/matches/active')).items[0].phase).toBe('ready');
    expect((await ann.ok('POST', `/calls/${call.id}/end`)).call).toMatchObject({
      phase: 'ended',
      outcome: 'cancelled',
    });
    expect(await bobHeard.next('call:ended')).toMatchObject({ outcome: 'cancelled', durationSec: 0 });
    expect(await inbox.next('call:ended')).toMatchObject({ outcome: 'cancelled' });
    for (let again = 0; again < 3; again++) {
      expect((await bob.ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
    }
    await eventually(() => metricOf(app.url, 'duet_calls')).toBe(0);
    expect((await ann.call('POST', `/calls/${call.id}/answer`, {})).body.code).toBe('CALL_NOT_ACTIVE');
  });

  test('declined, cancelled, and nobody there', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const ring = async () => (await ann.ok('POST', `/calls/initiate/${matchId}`, {})).call.id as string;
    const declined = await ring();
    expect((await ann.call('POST', `/calls/${declined}/answer`, {})).body.code).toBe('FORBIDDEN');
    expect((await bob.ok('POST', `/calls/${declined}/reject`)).call.outcome).toBe('rejected');
    const cancelled = await ring();
    expect((await ann.ok('POST', `/calls/${cancelled}/end`)).call.outcome).toBe('cancelled');
    const inbox = await ann.inbox();
    const missed = await ring();
    expect(await inbox.next('call:ended', (event: Json) => event.call.id === missed)).toMatchObject({
      outcome: 'missed',
    });
  });

  test('both initiate at once: one call (RC-09)', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const [one, other] = await Promise.all(
      [ann, bob].map((person) => person.ok('POST', `/calls/initiate/${matchId}`, {})),
    );
    expect(one.call.id).toBe(other.call.id);
    expect(one.seat.sessionId).not.toBe(other.seat.sessionId);
  });

  test('somebody in a call is busy for a third', async () => {
    const { ann, matchId } = await newMatch(app);
    const carl = await newPerson(app);
    await carl.ok('POST', `/matches/like/${ann.id}`);
    const { match } = await ann.ok('POST', `/matches/like/${carl.id}`);
    await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    expect((await carl.call('POST', `/calls/initiate/${match.id}`, {})).body.code).toBe('BUSY');
  });

  test('three unanswered calls an hour are enough', async () => {
    const { ann, matchId } = await newMatch(app);
    for (let i = 0; i < 3; i++) {
      const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
      await ann.ok('POST', `/calls/${call.id}/end`);
    }
    const refused = await ann.call('POST', `/calls/initiate/${matchId}`, {});
    expect(refused.body.code).toBe('TOO_MANY_REQUESTS');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_000);
  });

  test('a call that was answered is none of them, however short', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    for (let i = 0; i < 4; i++) {
      const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
      await bob.ok('POST', `/calls/${call.id}/answer`, {});
      expect((await ann.ok('POST', `/calls/${call.id}/end`)).call.outcome).toBe('cancelled');
    }
  });

  test('a block ends what is between the two at once', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const heard = new Inbox(await ann.sit(seat));
    await bob.ok('POST', `/users/block/${ann.id}`);
    expect(await heard.next('call:ended')).toMatchObject({ outcome: 'unavailable' });
    expect((await ann.call('POST', `/calls/initiate/${matchId}`, {})).body.code).toBe('MATCH_NOT_ACTIVE');
    expect((await ann.call('GET', `/users/${bob.id}`)).status).toBe(404);
    expect((await ann.call('GET', `/calls/${call.id}`)).body.call.phase).toBe('ended');
    expect((await ann.ok('GET', '/matches/active')).items).toEqual([]);
  });

  test('an ended match ends the call', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const heard = new Inbox(await ann.sit(seat));
    await bob.ok('POST', `/matches/${matchId}/end`);
    expect(await heard.next('call:ended')).toMatchObject({ outcome: 'unavailable' });
  });
});

describe('whose it is', () => {
  test('strangers see neither match nor call', async () => {
    const { ann, matchId } = await newMatch(app);
    const eve = await newPerson(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const attempts = [
      ['POST', `/matches/${matchId}/end`],
      ['POST', `/matches/${matchId}/join`],
      ['POST', `/calls/initiate/${matchId}`],
      ['GET', `/calls/${call.id}`],
      ...['answer', 'reject', 'end', 'extend', 'upgrade', 'join'].map((verb) => [
        'POST',
        `/calls/${call.id}/${verb}`,
      ]),
    ] as const;
    for (const [method, path] of attempts) {
      expect([path, (await eve.call(method!, path!)).status]).toEqual([path, 404]);
    }
    expect((await ann.ok('GET', `/calls/${call.id}`)).call.phase).toBe('ringing');
  });

  test('a seat admits its own user, once', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    expect(seat.sessionId.length).toBeGreaterThanOrEqual(22);
    await expect(bob.sit(seat)).rejects.toThrow();
    await expect(ann.sit(seat, '')).rejects.toThrow();
    await ann.sit(seat);
    await expect(ann.sit(seat)).rejects.toThrow();
  });

  test('a second device of the same person takes the seat over', async () => {
    const { ann, matchId } = await newMatch(app);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const first = await ann.sit(seat);
    const left = new Promise<number>((resolve) => first.onLeave((code) => resolve(code)));
    await ann.sit((await ann.ok('POST', `/calls/${call.id}/join`)).seat);
    expect(await left).toBe(4101);
    expect((await ann.ok('GET', `/calls/${call.id}`)).call.phase).toBe('ringing');
  });

  test('a command that comes after its asker was told of no answer does not count, but hanging up does', async () => {
    const { ann, matchId } = await newMatch(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const room = localRoom(call.id) as unknown as { command(given: PersonsCommand): Promise<ActorAnswer> };
    const late = (command: PersonsCommand['command']) => room.command({ userId: ann.id, command, until: 1 });
    expect(await late({ type: 'answer' })).toEqual({ ok: false, code: 'UNAVAILABLE' });
    expect(await late({ type: 'end' })).toMatchObject({ ok: true, call: { phase: 'ended' } });
  });

  describe('a call that rings on two devices', () => {
    const ringing = async () => {
      const { ann, bob, matchId } = await newMatch(app);
      const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
      const seat = async () => (await bob.ok('POST', `/calls/${call.id}/join`)).seat;
      return { bob, call, seat };
    };
    const phaseOf = async (bob: Person, id: string) => (await bob.ok('GET', `/calls/${id}`)).call.phase;

    test('is not taken from the one that answered by the other, which was on its way in to wait', async () => {
      const { bob, call, seat } = await ringing();
      const phone = await bob.sit(await seat());
      const onTablet = await seat();
      await phone.request('call:answer', {});
      await expect(bob.sit(onTablet)).rejects.toThrow('CONFLICT');
      expect(await phone.request('call:downgrade', {})).toMatchObject({ call: { id: call.id } });
      expect(await phaseOf(bob, call.id)).toBe('connecting');
    });

    test('nor while the answer is being committed, nor where it came over HTTP', async () => {
      const { bob, call, seat } = await ringing();
      const phone = await bob.sit(await seat());
      const onTablet = await seat();
      const answered = phone.request('call:answer', {});
      await expect(bob.sit(onTablet)).rejects.toThrow('CONFLICT');
      await answered;

      const other = await ringing();
      const waiting = await other.seat();
      const { seat: answering } = await other.bob.ok('POST', `/calls/${other.call.id}/answer`, {});
      const room = await other.bob.sit(answering);
      await expect(other.bob.sit(waiting)).rejects.toThrow('CONFLICT');
      expect(room.connection.isOpen).toBe(true);
      expect(await phaseOf(bob, call.id)).toBe('connecting');
    });

    test('stays where they talk when the other device comes back by itself, and its own device may', async () => {
      const { bob, call } = await ringing();
      const returns = async (person: Person) =>
        (await person.ok('POST', `/calls/${call.id}/join`, { returns: true })).seat;
      const { seat: answering } = await bob.ok('POST', `/calls/${call.id}/answer`, {});
      const phone = await bob.sit(answering);
      const tablet = await signIn(app.url, bob.email);
      await expect(tablet.sit(await returns(tablet))).rejects.toThrow('CONFLICT');
      const left = new Promise<number>((resolve) => phone.onLeave((code) => resolve(code)));
      await bob.sit(await returns(bob));
      expect(await left).toBe(4101);
    });

    test('is not lost to a seat of before, whose join was long on its way', async () => {
      const { bob, call, seat } = await ringing();
      await bob.ok('POST', `/calls/${call.id}/answer`, {});
      const late = await seat();
      const room = await bob.sit(await seat());
      await expect(bob.sit(late)).rejects.toThrow('CONFLICT');
      expect(room.connection.isOpen).toBe(true);
    });

    test('goes on at the other when it joins by a seat that it asked for since', async () => {
      const { bob, call, seat } = await ringing();
      const phone = await bob.sit(await seat());
      await phone.request('call:answer', {});
      const left = new Promise<number>((resolve) => phone.onLeave((code) => resolve(code)));
      await bob.sit(await seat());
      expect(await left).toBe(4101);
      expect(await phaseOf(bob, call.id)).toBe('connecting');
    });
  });
});
