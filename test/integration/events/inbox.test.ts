/** The inbox: at least once, in order, without a gap that the client is not told of. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../../../src/db/Database.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { append } from '../../../src/events/outbox.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
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
