/** What heals a lost hint, and what it asks the database for. */
import { expect, test } from 'vitest';
import type { Database } from '../../../src/db/Database.ts';
import type { Bind, Statement } from '../../../src/db/sql.ts';
import { InboxHub, readBehind, readRecent } from '../../../src/events/InboxHub.ts';
import { readFrom, readPosition } from '../../../src/events/InboxListener.ts';
import type { StoredEvent } from '../../../src/events/outbox.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus, RESUMED } from '../../../src/platform/Bus.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const MINUTE_MS = 60_000;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A log of one-event users, of whom the database says what the test tells it to. */
class FakeLog {
  readonly asked: string[] = [];
  /** How far each look at what was told lately went back, in seconds. */
  readonly lookedBackSec: number[] = [];
  readonly seqs = new Map<string, number>();
  /** Numbers that nobody has an event of any more. */
  readonly lost = new Set<number>();
  /** Who comes up when recent events are asked for; everybody else was told long ago. */
  readonly recent = new Set<string>();
  /** When all of its events were told. */
  at = 0;
  away = false;
  /** Whether the program noticed that the database was away since everybody was compared. */
  wasAway = () => false;

  async query({ name }: Statement<unknown>, values: readonly Bind[] = []): Promise<object[]> {
    this.asked.push(name);
    if (name === readRecent.name) this.lookedBackSec.push(values[0] as number);
    if (this.away) throw new Error('away');
    const position = (userId: string) => ({ user_id: userId, seq: this.seqs.get(userId) ?? 0, at: this.at });
    if (name === readRecent.name) return [...this.recent].map(position);
    if (name === readPosition.name) return [{ ...position(values[0] as string), epoch: 1, acked: 0 }];
    if (name === readBehind.name) {
      const [userIds, seqs] = values as [string[], number[]];
      return userIds.map(position).filter(({ seq }, i) => seq !== seqs[i]!);
    }
    expect(name).toBe(readFrom.name);
    const [userId, asked] = values as [string, number];
    const from = Math.max(asked, 1);
    const { seq } = position(userId);
    const told = Array.from({ length: Math.max(0, seq - from + 1) }, (_, i) => ({
      user_id: userId,
      seq: from + i,
      epoch: 1,
      type: 'match:ready',
      payload: {},
      at: this.at,
    }));
    return told.filter((event) => !this.lost.has(event.seq));
  }
}

const eventOf = (userId: string, seq: number): StoredEvent => ({
  userId,
  seq,
  epoch: 1,
  at: 0,
  type: 'match:ready',
  payload: {},
});

async function listening(count: number) {
  const log = new FakeLog();
  const clock = new FakeClock();
  const bus = new MemoryBus();
  const hub = new InboxHub({
    db: log as unknown as Database,
    bus,
    clock,
    log: createLog('silent'),
  });
  const heard: string[] = [];
  const subscriptions = Array.from({ length: count }, (_, i) =>
    hub.subscribe(`user ${i}`, 0, {
      deliver: ({ userId, seq }) => heard.push(`${userId}: ${seq}`),
      resync: () => heard.push('resync'),
    }),
  );
  await settled();
  log.asked.length = 0;
  const reconcile = async (afterMs = 3_000) => {
    clock.advance(afterMs);
    await hub.reconcile().catch(() => {});
    await settled();
  };
  return { log, heard, hub, bus, subscriptions, reconcile };
}

test('one question, whoever listens; only who was told something lately is read', async () => {
  const { log, heard, reconcile } = await listening(1_000);
  await reconcile();
  expect(log.asked).toEqual([readRecent.name]);
  log.seqs.set('user 7', 2).set('somebody elsewhere', 1);
  log.recent.add('user 7').add('somebody elsewhere');
  await reconcile();
  expect(log.asked).toEqual([readRecent.name, readRecent.name, readFrom.name]);
  expect(heard).toEqual(['user 7: 1', 'user 7: 2']);
});

test('however much news comes while the log is read, it is read once more', async () => {
  const { log, heard, hub } = await listening(1);
  const seqs = Array.from({ length: 40 }, (_, i) => i + 1);
  log.seqs.set('user 0', seqs.length);
  // The first is lost, so that all others are news of a gap.
  for (const seq of seqs.slice(1)) hub.publish([eventOf('user 0', seq)]);
  await settled();
  expect(log.asked).toEqual([readFrom.name, readFrom.name]);
  expect(heard).toEqual(seqs.map((seq) => `user 0: ${seq}`));
});

test('what does not come up as recent is found within a minute', async () => {
  const { log, heard, reconcile } = await listening(3);
  log.seqs.set('user 1', 1);
  await reconcile(MINUTE_MS - 1);
  expect(heard).toEqual([]);
  await reconcile(1);
  expect(heard).toEqual(['user 1: 1']);
});

test('everybody is compared when the database is back, for what it may have lost', async () => {
  const { log, heard, hub, reconcile } = await listening(2);
  log.seqs.set('user 0', 2);
  hub.publish([eventOf('user 0', 1), eventOf('user 0', 2)]);
  await settled();
  log.seqs.set('user 0', 1);
  await reconcile();
  expect(heard).toEqual(['user 0: 1', 'user 0: 2']);
  log.wasAway = () => true;
  await reconcile();
  expect(heard).toEqual(['user 0: 1', 'user 0: 2', 'resync']);
});

test('until everybody was compared after an outage, news are read from the log: it may be another one', async () => {
  const { log, heard, hub, reconcile } = await listening(1);
  log.seqs.set('user 0', 2);
  hub.publish([eventOf('user 0', 1), eventOf('user 0', 2)]);
  await settled();
  // It lost the second in a failover, and was told of two more; the news of the first of them are lost as well.
  log.wasAway = () => true;
  log.at = 1;
  log.seqs.set('user 0', 3);
  hub.publish([{ ...eventOf('user 0', 3), at: 1 }]);
  await settled();
  expect(heard).toEqual(['user 0: 1', 'user 0: 2', 'resync']);
  await reconcile();
  log.wasAway = () => false;
  log.asked.length = 0;
  log.seqs.set('user 0', 4);
  hub.publish([{ ...eventOf('user 0', 4), at: 1 }]);
  await settled();
  expect(heard.at(-1)).toBe('user 0: 4');
  expect(log.asked).toEqual([]);
});

test.each([
  ['no type', { type: undefined }],
  ['no payload', { payload: null }],
  ['a time that is none', { at: 'soon' }],
  ['a number that is none', { seq: 1.5 }],
  ['no epoch', { epoch: undefined }],
])('what is on the bus with %s is read from the log', async (_what, wrong) => {
  const { log, heard, bus } = await listening(1);
  log.seqs.set('user 0', 1);
  bus.publish('inbox', [{ ...eventOf('user 0', 1), ...wrong }]);
  await settled();
  expect(log.asked).toContain(readFrom.name);
  expect(heard).toEqual(['user 0: 1']);
});

test.each([[{}], [[null]], [[{}]], [['x']], [[{ userId: 7 }]]])(
  '%j on the bus is nothing',
  async (message) => {
    const { log, heard, bus, hub } = await listening(1);
    const told: unknown[] = [];
    hub.onHeard((heardOf) => told.push(heardOf));
    hub.onPublished((event) => told.push(event));
    hub.onSeenTo((callId) => told.push(callId));
    bus.publish('inbox', message);
    bus.publish('inbox.heard', message);
    bus.publish('push.seen_to', message);
    hub.tellHeard({ userId: 'user 0', sessionId: 'a', seq: 1 });
    await settled();
    expect([heard, log.asked]).toEqual([[], []]);
    expect(told).toEqual([{ userId: 'user 0', sessionId: 'a', seq: 1 }]);
  },
);

test('what is published and seen to is heard by whoever asks for it', async () => {
  const { hub } = await listening(0);
  const told: unknown[] = [];
  hub.onPublished((event) => told.push(event));
  hub.onSeenTo((callId) => told.push(callId));
  const events = [eventOf('ann', 1), eventOf('bob', 1)];
  hub.publish(events);
  hub.tellSeenTo('a call');
  await settled();
  expect(told).toEqual([...events, 'a call']);
});

test('what a listener could not take is not passed over', async () => {
  const { log, hub, reconcile } = await listening(0);
  const heard: number[] = [];
  let fails = true;
  log.seqs.set('ann', 0);
  hub.subscribe('ann', 0, {
    deliver: ({ seq }) => {
      if (fails) throw new Error('not now');
      heard.push(seq);
    },
    resync: () => {},
  });
  await settled();
  log.seqs.set('ann', 1);
  log.recent.add('ann');
  await reconcile();
  expect(heard).toEqual([]);
  fails = false;
  await reconcile();
  expect(heard).toEqual([1]);
});

test('a log that could not be read is read with the next comparison', async () => {
  const { log, heard, hub, reconcile } = await listening(2);
  log.seqs.set('user 0', 2);
  log.away = true;
  // Its number tells that one before it is missing.
  hub.publish([eventOf('user 0', 2)]);
  await settled();
  expect(heard).toEqual([]);
  log.away = false;
  await reconcile();
  expect(heard).toEqual(['user 0: 1', 'user 0: 2']);
});

test('what is missed at any moment of a read is read without a comparison', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const { log, heard, hub } = await listening(1);
    log.seqs.set('user 0', 2);
    // Its number tells that one before it is missing.
    hub.publish([eventOf('user 0', 2)]);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    log.seqs.set('user 0', 4);
    hub.publish([eventOf('user 0', 4)]);
    await settled();
    expect([turns, heard]).toEqual([turns, ['user 0: 1', 'user 0: 2', 'user 0: 3', 'user 0: 4']]);
  }
});

test('a replay is read at once, at any moment of a read of before', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const { log, heard, hub, subscriptions } = await listening(1);
    log.seqs.set('user 0', 3);
    hub.publish([eventOf('user 0', 3)]);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    subscriptions[0]!.replay(1);
    await settled();
    expect([turns, heard.slice(-2)]).toEqual([turns, ['user 0: 2', 'user 0: 3']]);
    heard.length = 0;
    subscriptions[0]!.replay(0);
    await settled();
    expect([turns, heard]).toEqual([turns, ['user 0: 1', 'user 0: 2', 'user 0: 3']]);
  }
});

test('a hole in the log is not passed over', async () => {
  const { log, heard, hub } = await listening(1);
  log.seqs.set('user 0', 3);
  log.lost.add(2);
  hub.publish([eventOf('user 0', 3)]);
  await settled();
  expect(heard).toEqual(['user 0: 1', 'resync']);
});

test('a look goes back to the last one that succeeded, and to what was being committed then', async () => {
  const { log, reconcile } = await listening(1);
  await reconcile();
  log.away = true;
  await reconcile();
  await reconcile();
  log.away = false;
  await reconcile();
  await reconcile();
  const [, , , late, soon] = log.lookedBackSec as [number, number, number, number, number];
  expect(late).toBeGreaterThanOrEqual(9 + 5);
  expect(soon).toBeGreaterThanOrEqual(3 + 5);
  expect(soon).toBeLessThan(late);
});

test('who listens no more hears nothing, and is not asked about; another device of theirs goes on', async () => {
  const { log, heard, hub, subscriptions, reconcile } = await listening(1);
  const other: number[] = [];
  const second = hub.subscribe('user 0', 0, { deliver: ({ seq }) => other.push(seq), resync: () => {} });
  await settled();
  subscriptions[0]!.close();
  log.seqs.set('user 0', 1);
  hub.publish([eventOf('user 0', 1)]);
  await settled();
  expect([heard, other]).toEqual([[], [1]]);
  second.close();
  log.asked.length = 0;
  log.seqs.set('user 0', 2);
  log.recent.add('user 0');
  hub.publish([eventOf('user 0', 2)]);
  await reconcile();
  expect([heard, other, log.asked]).toEqual([[], [1], []]);
});

test('what comes up as recent under a known number, but of another time, is another log', async () => {
  const { log, heard, hub, reconcile } = await listening(1);
  log.seqs.set('user 0', 1);
  hub.publish([eventOf('user 0', 1)]);
  await settled();
  log.at = 5_000;
  log.recent.add('user 0');
  await reconcile();
  expect(heard).toEqual(['user 0: 1', 'resync']);
});

test.each([
  [{ userId: 7 }],
  [{ sessionId: undefined }],
  [{ seq: '1' }],
  [{ seq: undefined }],
  [{ at: 'soon' }],
])('that a device has heard is not taken from what says it with %j', async (wrong) => {
  const { hub, bus } = await listening(0);
  const told: unknown[] = [];
  hub.onHeard((heard) => told.push(heard));
  const heard = { userId: 'ann', sessionId: 'a', seq: 1, at: 5 };
  bus.publish('inbox.heard', { ...heard, ...wrong });
  bus.publish('inbox.heard', heard);
  await settled();
  expect(told).toEqual([heard]);
});

test('nothing is asked where nobody listens', async () => {
  const { log, reconcile } = await listening(0);
  await reconcile();
  expect(log.asked).toEqual([]);
});

test('hints that go through again are a reason to look at once', async () => {
  const { log, heard, bus } = await listening(10);
  log.seqs.set('user 3', 1);
  log.recent.add('user 3');
  bus.publish(RESUMED, {});
  await settled();
  expect(heard).toEqual(['user 3: 1']);
});
