/**
 * When a device is pushed to: once what is connected has had its time to acknowledge, once in all, and whatever becomes
 * of the process that had it to do.
 */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Database } from '../../../src/db/Database.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { append, type InboxEventType, type StoredEvent } from '../../../src/events/outbox.ts';
import { PushDevices } from '../../../src/events/PushDevices.ts';
import { PushMirror } from '../../../src/events/PushMirror.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import type { DataKeys } from '../../../src/platform/DataKeys.ts';
import type { WebPush } from '../../../src/platform/WebPush.ts';
import { useApp } from '../../support/app.ts';
import { openDataKeys } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { type PushDevice, usePushService } from '../../support/PushService.ts';
import { newPerson, registerPerson, signIn } from '../../support/signedIn.ts';

const GRACE_MS = 1_500;
/** Far beyond every delay and every time that a push is worth anything. */
const LONG_MS = 120_000;
const app = useApp();
const service = usePushService();
let db: Database;
let keys: DataKeys;
let sender: WebPush;
let bus: MemoryBus;
let clock: FakeClock;
/** Of a process that pushes nothing. */
let subscribing: PushDevices;
const warn = vi.fn();

beforeAll(async () => {
  db = await Database.open({ url: app.dbUrl, poolSize: 4, log: createLog('silent') });
  keys = await openDataKeys(db);
  sender = service.newSender();
});
afterAll(() => db?.close());
beforeEach(() => {
  bus = new MemoryBus();
  clock = new FakeClock(Date.now());
  const log = createLog('silent');
  const hub = new InboxHub({ db, bus: new MemoryBus(), clock, log });
  subscribing = new PushDevices({ db, clock, log, keys, hub, push: sender });
  warn.mockClear();
});

/** What a process has of it. */
function newProcess() {
  const log = { ...createLog('silent'), warn };
  const hub = new InboxHub({ db, bus, clock, log });
  const devices = new PushDevices({ db, clock, log, keys, hub, push: sender });
  return { hub, devices, mirror: new PushMirror({ db, devices, clock, log, hub, graceMs: GRACE_MS }) };
}

/** Somebody who is signed in on a device that is subscribed. */
async function subscriber(): Promise<{ id: string; phone: PushDevice }> {
  const person = await newPerson(app);
  return { id: person.id, phone: await service.deviceOf(person, subscribing) };
}

const newCall = (calleeId: string, outcome: string | null = null) => ({ id: newId(), calleeId, outcome });

/** Writes an event of a call as a use case does. */
async function write(userId: string, type: InboxEventType, call: object): Promise<StoredEvent> {
  const [event] = await db.transaction((tx) => append(tx, [{ userId, type, payload: { call } }]));
  return event!;
}

/** The same, and hands it to a process's mirror. */
async function tell(by: PushMirror, userId: string, type: InboxEventType, call: object): Promise<void> {
  by.mirror([await write(userId, type, call)]);
}

/** Does what asks the database something, and resolves when it was answered. */
async function asking(act: () => void): Promise<void> {
  const asked = vi.spyOn(db, 'query');
  act();
  await Promise.allSettled(asked.mock.results.map(({ value }) => value));
  asked.mockRestore();
}

/** A device's requests come to be as many, as the clock moves on from one thing that happens to the next. */
async function inTime({ received }: PushDevice, count: number): Promise<void> {
  await eventually(() => {
    if (received.length < count) clock.advance(100);
    return received.length;
  }).toBe(count);
}

/** Resolves when all that a mirror was sending is sent. What tells that a call is over, and still waited, it sends as well. */
const ended = (mirror: PushMirror) => mirror.close();

test('who is not connected is pushed to: incoming, cancelled, missed; sealed and signed', async () => {
  const { id, phone } = await subscriber();
  const { mirror, devices } = newProcess();
  const tells = vi.spyOn(devices, 'tell');
  const [call, missed] = [newCall(id), newCall(id, 'missed')];
  const rings = await write(id, 'call:incoming', call);
  mirror.mirror([rings]);
  clock.advance(GRACE_MS - 1);
  expect(tells).not.toHaveBeenCalled();
  clock.advance(1);
  await eventually(() => phone.messages).toEqual([{ type: 'call:incoming', callId: call.id }]);
  const { headers } = phone.received[0]!;
  expect(headers).toMatchObject({ 'content-encoding': 'aes128gcm', ttl: '30', urgency: 'high' });
  expect(headers.authorization).toMatch(/^vapid t=[\w-]+\.[\w-]+\.[\w-]+, ?k=[\w-]+$/);
  const cancelled = await write(id, 'call:ended', { ...call, outcome: 'cancelled' });
  mirror.mirror([{ ...cancelled, at: rings.at + GRACE_MS }]);
  clock.advance(GRACE_MS);
  await eventually(() => phone.received.length).toBe(2);
  await tell(mirror, id, 'call:ended', missed);
  clock.advance(GRACE_MS);
  await eventually(() => phone.received.length).toBe(3);
  expect(phone.messages.slice(1)).toEqual([
    { type: 'call:cancelled', callId: call.id },
    { type: 'call:missed', callId: missed.id },
  ]);
});

test('whatever ends a call that rings, the phone is told to stop; once, and not of one that began', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  const [severed, failed, answered] = [newCall(id, 'unavailable'), newCall(id, 'failed'), newCall(id)];
  const told: [InboxEventType, { id: string }][] = [
    ['call:ended', { ...severed, startedAt: null } as never],
    ['call:ended', { ...failed, startedAt: null } as never],
    ['call:answered', answered],
    ['call:ended', { ...answered, outcome: 'failed', startedAt: null } as never],
    ['call:ended', { ...newCall(id, 'failed'), startedAt: new Date(0).toISOString() } as never],
  ];
  for (const [nth, [type, call]] of told.entries()) {
    await tell(mirror, id, type, call);
    clock.advance(GRACE_MS);
    await eventually(() => phone.received.length).toBe(Math.min(nth + 1, 3));
  }
  await ended(mirror);
  expect(phone.messages).toEqual([
    { type: 'call:cancelled', callId: severed.id },
    { type: 'call:cancelled', callId: failed.id },
    { type: 'call:answered', callId: answered.id },
  ]);
});

test('the caller is told nothing, nor is anybody of what is no news', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  await tell(mirror, id, 'call:ended', newCall(newId(), 'missed'));
  await tell(mirror, id, 'call:ended', newCall(id, 'completed'));
  clock.advance(LONG_MS);
  await ended(mirror);
  expect(phone.received).toEqual([]);
});

test('a process that ends tells those who would ring on; what rings is left to whoever takes it over', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  const over = newCall(id, 'cancelled');
  await tell(mirror, id, 'call:ended', over);
  await tell(mirror, id, 'call:incoming', newCall(id));
  await mirror.close();
  expect(phone.messages).toEqual([{ type: 'call:cancelled', callId: over.id }]);
  await mirror.close();
  clock.advance(LONG_MS);
  expect(phone.received).toHaveLength(1);
});

test.each([
  ['is told to stop half of the time after which it would ring', GRACE_MS / 2, 2],
  ['is not told so before, when it cannot have rung', GRACE_MS / 2 - 1, 1],
  ['is told to stop when the database was set back meanwhile', -3_600_000, 2],
])('a phone %s', async (_when, afterMs, pushes) => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  // Of a process whose clock is ahead of the database's.
  const createdAt = new Date(clock.now() + 3_600_000).toISOString();
  const call = { ...newCall(id), createdAt };
  const rings = await write(id, 'call:incoming', call);
  mirror.mirror([rings]);
  clock.advance(GRACE_MS);
  await eventually(() => phone.received.length).toBe(1);
  const missed = await write(id, 'call:ended', { ...call, outcome: 'missed' });
  mirror.mirror([{ ...missed, at: rings.at + afterMs }]);
  clock.advance(GRACE_MS);
  await ended(mirror);
  const [, ...stops] = phone.messages;
  expect(stops).toEqual(Array(pushes - 1).fill({ type: 'call:missed', callId: call.id }));
});

test('a call that rings is pushed though whoever committed it did not see to it, once', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  const call = newCall(id);
  await write(id, 'call:incoming', call);
  const ring = () => asking(() => mirror.ring(call));
  await Promise.all([ring(), ring()]);
  clock.advance(2 * GRACE_MS);
  await eventually(() => phone.messages).toEqual([{ type: 'call:incoming', callId: call.id }]);
  await ring();
  clock.advance(LONG_MS);
  await ended(mirror);
  expect(phone.received).toHaveLength(1);
});

test.each(['while', 'after'] as const)(
  'a call that rings is not pushed again %s another process pushes it',
  async (when) => {
    const { id, phone } = await subscriber();
    const [one, other] = [newProcess(), newProcess()];
    const call = newCall(id);
    await tell(one.mirror, id, 'call:incoming', call);
    if (when === 'while') await asking(() => other.mirror.ring(call));
    clock.advance(GRACE_MS);
    await ended(one.mirror);
    expect(phone.received).toHaveLength(1);
    if (when === 'after') await asking(() => other.mirror.ring(call));
    clock.advance(2 * GRACE_MS);
    await ended(other.mirror);
    expect(phone.received).toHaveLength(1);
  },
);

test('what one device could not be told is tried again until it is; the others are not told twice', async () => {
  const { mirror } = newProcess();
  const lea = await registerPerson(app.url);
  const told = await service.deviceOf(lea, subscribing);
  const failing = await service.deviceOf(await signIn(app.url, lea.email), subscribing);
  failing.answersWith = 503;
  const call = newCall(lea.id);
  await tell(mirror, lea.id, 'call:incoming', call);
  await inTime(failing, 2);
  failing.answersWith = 201;
  mirror.ring(call);
  await inTime(failing, 3);
  clock.advance(LONG_MS);
  await ended(mirror);
  expect([told, failing].map(({ received }) => received.length)).toEqual([1, 3]);
});

test('a database that is away for a moment keeps no phone from ringing, nor from being told to stop', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  const away = vi.spyOn(db, 'query').mockRejectedValueOnce(new Error('away'));
  await tell(mirror, id, 'call:ended', newCall(id, 'cancelled'));
  await inTime(phone, 1);
  expect(away).toHaveBeenCalledTimes(2);
  const call = newCall(id);
  await write(id, 'call:incoming', call);
  away.mockRejectedValueOnce(new Error('away'));
  mirror.ring(call);
  await inTime(phone, 2);
  expect(away).toHaveBeenCalledTimes(5);
  away.mockRestore();
});

test('what is to be tried again is tried once more by a process that ends', async () => {
  const { id, phone } = await subscriber();
  const { mirror } = newProcess();
  phone.answersWith = 429;
  await tell(mirror, id, 'call:ended', newCall(id, 'missed'));
  clock.advance(GRACE_MS);
  await eventually(() => warn.mock.calls.length).toBe(1);
  await mirror.close();
  expect(phone.received).toHaveLength(2);
  clock.advance(LONG_MS);
  await mirror.close();
  expect(phone.received).toHaveLength(2);
});

test('a phone is told to stop though whoever ended the call died, by one of the others', async () => {
  const { id, phone } = await subscriber();
  const [dying, living] = [newProcess(), newProcess()];
  const tells = vi.spyOn(living.devices, 'tell');
  const call = newCall(id);
  const rings = await write(id, 'call:incoming', call);
  const over = await write(id, 'call:answered', call);
  dying.hub.publish([rings, { ...over, at: rings.at + 60_000 }]);
  await dying.mirror.close();
  // It gives the other twice the time, and by chance up to as much again.
  clock.advance(2 * GRACE_MS - 1);
  expect(tells).not.toHaveBeenCalled();
  clock.advance(GRACE_MS + 1);
  await ended(living.mirror);
  expect(phone.messages).toEqual([{ type: 'call:answered', callId: call.id }]);
});

test('where the process that ended a call has told the phone so, the others do not', async () => {
  const { id, phone } = await subscriber();
  const [one, other] = [newProcess(), newProcess()];
  const over = await write(id, 'call:ended', newCall(id, 'missed'));
  one.mirror.mirror([over]);
  one.hub.publish([over]);
  await Promise.resolve();
  clock.advance(GRACE_MS);
  await ended(one.mirror);
  await eventually(() => phone.received.length).toBe(1);
  // That the device has heard of it would keep it from being told twice; that one has seen to it, from being asked for.
  const tells = vi.spyOn(other.devices, 'tell');
  clock.advance(LONG_MS);
  await ended(other.mirror);
  expect(tells).not.toHaveBeenCalled();
});

test('what others have heard of is nothing to a process that ends', async () => {
  const { id, phone } = await subscriber();
  const [one, ending] = [newProcess(), newProcess()];
  one.hub.publish([await write(id, 'call:ended', newCall(id, 'missed'))]);
  await Promise.resolve();
  await ending.mirror.close();
  expect(phone.received).toEqual([]);
});

test('a process that starts sees to what ended just before, and to nothing of longer ago', async () => {
  const { id, phone } = await subscriber();
  const [old, just] = [newCall(id, 'missed'), newCall(id, 'missed')];
  const { seq } = await write(id, 'call:ended', old);
  await db.pool.query(`update outbox set at = at - interval '5 s' where user_id = $1 and seq = $2`, [
    id,
    seq,
  ]);
  await write(id, 'call:ended', just);
  const { mirror } = newProcess();
  await asking(() => mirror.lookBack());
  clock.advance(3 * GRACE_MS);
  await ended(mirror);
  expect(phone.messages).toEqual([{ type: 'call:missed', callId: just.id }]);
});
