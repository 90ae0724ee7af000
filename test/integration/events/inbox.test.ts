/** The inbox: at least once, in order, without a gap that the client is not told of. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Database } from '../../../src/db/Database.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { append } from '../../../src/events/outbox.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Json, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';

const app = useApp();
let db: Database;

beforeAll(async () => {
  db = await Database.open({ url: app.dbUrl, poolSize: 4, log: createLog('silent') });
});
afterAll(() => db.close());

/** Tells a person something as a use case would, but nobody hands it on: the hint is lost, the log has it. */
async function tell(person: Person, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await db.transaction((tx) =>
      append(tx, [{ userId: person.id, type: 'match:ready', payload: { matchId: `number ${i}` } }]),
    );
  }
}

const seqs = (events: Json[]) => events.map((event) => event.seq);
const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i);

describe('delivery', () => {
  test('what came while one was away comes on joining, in order', async () => {
    const ann = await newPerson(app);
    await tell(ann, 450);
    const inbox = await ann.inbox();
    await inbox.next('match:ready', (event) => event.seq === 450, 15_000);
    expect(seqs(inbox.ofType('match:ready'))).toEqual(upTo(450));
  });

  test('what was acknowledged does not come again; a replay brings it back', async () => {
    const ann = await newPerson(app);
    await tell(ann, 5);
    const first = await ann.inbox();
    await first.next('match:ready', (event) => event.seq === 5);
    await first.room.request('inbox:ack', { seq: 3 });
    await first.room.leave();
    const second = await ann.inbox();
    await second.next('match:ready', (event) => event.seq === 5);
    expect(seqs(second.ofType('match:ready'))).toEqual([4, 5]);
    await second.room.request('inbox:replay', { after: 1 });
    await second.next('match:ready', (event) => event.seq === 2);
    await new Promise((done) => setTimeout(done, 100));
    expect(seqs(second.ofType('match:ready'))).toEqual([4, 5, 2, 3, 4, 5]);
  });

  test('a call that rings rings on a device that comes later, whoever acknowledged it; one that is over does not', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`);
    const first = await bob.inbox();
    const { seq } = await first.next('call:incoming');
    await tell(bob, 1);
    await first.room.request('inbox:ack', { seq: seq + 1 });
    await first.room.leave();

    const second = await bob.inbox();
    expect(await second.next('call:incoming')).toMatchObject({
      seq,
      call: { id: call.id, phase: 'ringing' },
    });
    await second.next('match:ready', (event) => event.seq === seq + 1);

    await bob.ok('POST', `/calls/${call.id}/reject`);
    const { seq: over } = await second.next('call:rejected');
    await second.room.request('inbox:ack', { seq: over });
    const third = await bob.inbox();
    await tell(bob, 1);
    await third.room.request('inbox:replay', { after: over });
    await third.next('match:ready');
    expect(third.ofType('call:incoming')).toEqual([]);
  });

  test('a device hears all that follows where its seat says that it begins, whatever another has acknowledged since', async () => {
    const ann = await newPerson(app);
    await tell(ann, 3);
    const first = await ann.inbox();
    await first.next('match:ready', (event) => event.seq === 3);
    await first.room.request('inbox:ack', { seq: 1 });
    const { seat, position } = await ann.ok('POST', '/realtime/inbox');
    expect(position).toMatchObject({ seq: 1 });
    await first.room.request('inbox:ack', { seq: 3 });
    const second = new Inbox(await ann.sit(seat));
    await second.next('match:ready', (event) => event.seq === 3);
    expect(seqs(second.ofType('match:ready'))).toEqual([2, 3]);
  });

  test('a replay from beyond the log is a resync, and what comes afterwards is heard', async () => {
    const ann = await newPerson(app);
    await tell(ann, 2);
    const inbox = await ann.inbox();
    await inbox.next('match:ready', (event) => event.seq === 2);
    await inbox.room.request('inbox:replay', { after: 1_000 });
    expect(await inbox.next('inbox:resync')).toMatchObject({ seq: 2 });
    await tell(ann, 1);
    await inbox.next('match:ready', (event) => event.seq === 3);
  });

  test('a log that a failover set back is told as a resync, and what comes afterwards is heard', async () => {
    const ann = await newPerson(app);
    await tell(ann, 10);
    const clock = new FakeClock();
    const hub = new InboxHub({ db, bus: new MemoryBus(), clock, log: createLog('silent') });
    const listen = (after: number) => {
      const heard: string[] = [];
      hub.subscribe(ann.id, after, {
        deliver: ({ seq }) => heard.push(`${seq}`),
        resync: ({ seq }) => heard.push(`resync at ${seq}`),
      });
      return heard;
    };
    const before = listen(9);
    await eventually(() => before).toEqual(['10']);

    await db.pool.query('delete from outbox where user_id = $1 and seq > 8', [ann.id]);
    await db.pool.query('update inboxes set seq = seq - 2 where user_id = $1', [ann.id]);
    // Of two devices one came back since: where all of them stand counts.
    const after = listen(8);
    clock.advance(60_000);
    await hub.reconcile();
    await eventually(() => before).toEqual(['10', 'resync at 8']);
    await tell(ann, 2);
    await hub.reconcile();
    await eventually(() => [before, after]).toEqual([
      ['10', 'resync at 8', '9', '10'],
      ['9', '10'],
    ]);
  });

  describe('a log that lost its end and was filled up again', () => {
    /** Two devices, of which one came back since, have heard of three events when the last is lost. */
    async function rewound() {
      const ann = await newPerson(app);
      await tell(ann, 2);
      const bus = new MemoryBus();
      const clock = new FakeClock();
      const hub = new InboxHub({ db, bus, clock, log: createLog('silent') });
      const listen = (after: number) => {
        const heard: string[] = [];
        hub.subscribe(ann.id, after, {
          deliver: ({ seq, payload }) => heard.push(`${seq} ${(payload as { matchId: string }).matchId}`),
          resync: ({ seq }) => heard.push(`resync at ${seq}`),
        });
        return heard;
      };
      const write = async (matchId: string) => {
        const events = await db.transaction((tx) =>
          append(tx, [{ userId: ann.id, type: 'match:ready', payload: { matchId } }]),
        );
        return () => hub.publish(events);
      };
      const first = listen(2);
      (await write('lost'))();
      await eventually(() => first).toEqual(['3 lost']);
      const asked = vi.spyOn(db, 'query');
      const second = listen(3);
      await Promise.all(asked.mock.results.map(({ value }) => value));
      asked.mockRestore();
      await db.pool.query('delete from outbox where user_id = $1 and seq > 2', [ann.id]);
      await db.pool.query('update inboxes set seq = 2 where user_id = $1', [ann.id]);
      return { hub, clock, write, first, second };
    }

    test('is told as a resync when its news are, and what comes afterwards is heard', async () => {
      const { write, first, second } = await rewound();
      (await write('new'))();
      await eventually(() => [first, second]).toEqual([['3 lost', 'resync at 3'], ['resync at 3']]);
      (await write('next'))();
      await eventually(() => [first, second]).toEqual([
        ['3 lost', 'resync at 3', '4 next'],
        ['resync at 3', '4 next'],
      ]);
    });

    test('is found by its news of more', async () => {
      const { write, first, second } = await rewound();
      await write('new');
      await write('newer');
      (await write('next'))();
      await eventually(() => [first, second]).toEqual([['3 lost', 'resync at 5'], ['resync at 5']]);
    });

    test.each([
      ['among what was told lately', 3_000],
      ['when everybody is compared', 60_000],
    ])('is found without its news: %s', async (_when, afterMs) => {
      const { hub, clock, write, first, second } = await rewound();
      await write('new');
      if (afterMs === 60_000) await db.pool.query(`update outbox set at = at - interval '1 h' where seq = 3`);
      clock.advance(afterMs);
      await hub.reconcile();
      await eventually(() => [first, second]).toEqual([['3 lost', 'resync at 3'], ['resync at 3']]);
    });
  });

  test('who comes back with what the log has lost since is told a resync, though that is as long again', async () => {
    const ann = await newPerson(app);
    await tell(ann, 3);
    const before = await ann.inbox();
    const [last, next] = [
      await before.next('match:ready', ({ seq }) => seq === 2),
      await before.next('match:ready', ({ seq }) => seq === 3),
    ];
    await before.room.leave();
    await db.pool.query('delete from outbox where user_id = $1 and seq > 2', [ann.id]);
    await db.pool.query('update inboxes set seq = 2 where user_id = $1', [ann.id]);
    await tell(ann, 2);

    const after = await ann.inbox();
    await after.next('match:ready', ({ seq }) => seq === 4);
    await after.room.request('inbox:replay', { after: 2, at: last.at });
    await after.room.request('inbox:replay', { after: 3, at: next.at });
    expect(await after.next('inbox:resync')).toMatchObject({ seq: 4 });
    await tell(ann, 1);
    await after.next('match:ready', ({ seq }) => seq === 5);
    expect(seqs(after.ofType('inbox:resync'))).toEqual([4]);
  });

  test('news that come again are none, also when the database has been set back meanwhile', async () => {
    const ann = await newPerson(app);
    const hub = new InboxHub({ db, bus: new MemoryBus(), clock: new FakeClock(), log: createLog('silent') });
    const heard: string[] = [];
    const asked = vi.spyOn(db, 'query');
    hub.subscribe(ann.id, 0, {
      deliver: ({ seq }) => heard.push(`${seq}`),
      resync: () => heard.push('resync'),
    });
    // It has read the log, twice, while there was nothing in it: what follows it hears by the news alone.
    const answered = () => asked.mock.settledResults.filter(({ type }) => type === 'fulfilled').length;
    await eventually(answered).toBe(2);
    asked.mockRestore();
    const events = await db.transaction((tx) =>
      append(
        tx,
        ['a', 'b', 'c'].map((matchId) => ({ userId: ann.id, type: 'match:ready', payload: { matchId } })),
      ),
    );
    const set = { user: ann.id, at: events[2]!.at - 3_600_000 };
    await db.pool.query('update outbox set at = $2 where user_id = $1 and seq = 3', [
      set.user,
      new Date(set.at),
    ]);
    const told = [events[0]!, events[1]!, { ...events[2]!, at: set.at }];
    for (const event of [...told, ...told]) hub.publish([event]);
    await hub.reconcile();
    const next = await db.transaction((tx) =>
      append(tx, [{ userId: ann.id, type: 'match:ready', payload: {} }]),
    );
    hub.publish([...next, ...told]);
    await eventually(() => heard).toEqual(['1', '2', '3', '4']);
    await hub.reconcile();
    hub.publish([{ ...next[0]!, seq: 5 }]);
    await eventually(() => heard).toEqual(['1', '2', '3', '4', '5']);
  });

  test('an acknowledgement of what was never sent acknowledges nothing beyond the log', async () => {
    const ann = await newPerson(app);
    await tell(ann, 2);
    const inbox = await ann.inbox();
    await inbox.room.request('inbox:ack', { seq: Number.MAX_SAFE_INTEGER });
    await tell(ann, 1);
    const again = await ann.inbox();
    await again.next('match:ready', (event) => event.seq === 3);
    expect(seqs(again.ofType('match:ready'))).toEqual([3]);
  });

  test('a lost hint is made good', async () => {
    const ann = await newPerson(app);
    const inbox = await ann.inbox();
    await tell(ann, 3);
    await inbox.next('match:ready', (event) => event.seq === 3, 10_000);
    expect(seqs(inbox.ofType('match:ready'))).toEqual([1, 2, 3]);
  });

  test('every device hears everything; nobody hears what is for somebody else', async () => {
    const [ann, bob] = await Promise.all([newPerson(app), newPerson(app)]);
    const [phone, tablet, bobs] = await Promise.all([ann.inbox(), ann.inbox(), bob.inbox()]);
    await ann.ok('POST', `/matches/like/${bob.id}`);
    await bob.ok('POST', `/matches/like/${ann.id}`);
    const told = await Promise.all([phone, tablet, bobs].map((inbox) => inbox.next('match:created')));
    expect(told.map((event) => event.match.peer.id)).toEqual([bob.id, bob.id, ann.id]);
    expect(phone.events).toHaveLength(1);
    expect(bobs.events).toHaveLength(1);
  });
});

test('two writers for the same two people: no number twice, none left out, no deadlock', async () => {
  const people = await Promise.all([newPerson(app), newPerson(app)]);
  const ids = people.map((person) => person.id);
  const event = (userId: string) => ({ userId, type: 'match:ready' as const, payload: {} });
  await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      db.transaction((tx) => append(tx, (i % 2 === 0 ? ids : [...ids].reverse()).map(event))),
    ),
  );
  for (const person of people) {
    const inbox = await person.inbox();
    await inbox.next('match:ready', ({ seq }) => seq === 200);
    expect(seqs(inbox.ofType('match:ready'))).toEqual(upTo(200));
  }
});
