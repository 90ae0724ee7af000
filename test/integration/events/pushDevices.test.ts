/** Whom a push goes to: the devices of a person that are signed in, and have not heard of it by themselves. */
import { ECDH, randomInt } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { Database } from '../../../src/db/Database.ts';
import { InboxHub } from '../../../src/events/InboxHub.ts';
import { append, type InboxEventType, type StoredEvent } from '../../../src/events/outbox.ts';
import { MAX_DEVICES, PushDevices, type PushMessage } from '../../../src/events/PushDevices.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { useApp } from '../../support/app.ts';
import type { Inbox, Person } from '../../support/client.ts';
import { openDataKeys } from '../../support/database.ts';
import { signInOf, usePushService } from '../../support/PushService.ts';
import { newMatch, newPerson, registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const app = useApp();
const service = usePushService();
const clock = new SystemClock();
const log = createLog('silent');
let db: Database;
let hub: InboxHub;
let devices: PushDevices;

beforeAll(async () => {
  db = await Database.open({ url: app.dbUrl, poolSize: 4, log });
  // What is acknowledged in the rooms of the server, the devices of here hear as those of another process do.
  const { tellHeard } = InboxHub.prototype;
  vi.spyOn(InboxHub.prototype, 'tellHeard').mockImplementation(function (this: InboxHub, heard) {
    tellHeard.call(this, heard);
    if (this !== hub) tellHeard.call(hub, heard);
  });
});
beforeEach(async () => {
  hub = new InboxHub({ db, bus: new MemoryBus(), clock, log });
  devices = new PushDevices({ db, clock, log, hub, keys: await openDataKeys(db), push: service.newSender() });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await db?.close();
});

/** Writes an event of a call as a use case does. */
async function write(userId: string, type: InboxEventType, call: object): Promise<StoredEvent> {
  const [event] = await db.transaction((tx) => append(tx, [{ userId, type, payload: { call } }]));
  return event!;
}

/** A call comes in for a person, and is pushed. */
async function ring(userId: string): Promise<PushMessage> {
  const call = { id: newId(), calleeId: userId, outcome: null };
  const message: PushMessage = { type: 'call:incoming', callId: call.id };
  await devices.tell(await write(userId, 'call:incoming', call), message, 30);
  return message;
}

async function subscriptionsOf(person: Person): Promise<number> {
  const { rowCount } = await db.pool.query('select from push_subscriptions where user_id = $1', [person.id]);
  return rowCount!;
}

/** A device that is connected hears of an event and acknowledges it. */
async function acknowledge(inbox: Inbox, { seq, type }: StoredEvent): Promise<void> {
  await inbox.room.request('inbox:replay', { after: seq - 1 });
  await inbox.next(type, (event) => event.seq === seq);
  await inbox.room.request('inbox:ack', { seq });
}

test('a page that is open at home is not pushed to, and does not keep the phone from ringing, nor from stopping to', async () => {
  const home = await registerPerson(app.url);
  const phone = await signIn(app.url, home.email);
  const [atHome, onPhone] = [await service.deviceOf(home, devices), await service.deviceOf(phone, devices)];
  const inbox = await home.inbox();
  const call = { id: newId(), calleeId: home.id, outcome: null, createdAt: new Date(0).toISOString() };
  const told: PushMessage[] = [
    { type: 'call:incoming', callId: call.id },
    { type: 'call:answered', callId: call.id },
  ];
  for (const message of told) {
    const event = await write(home.id, message.type as InboxEventType, call);
    await acknowledge(inbox, event);
    await devices.tell(event, message, 30);
  }
  expect(onPhone.messages).toEqual(told);
  expect(atHome.received).toEqual([]);
});

test('nothing rings that somebody answered meanwhile', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const phone = await service.deviceOf(bob, devices);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`);
  const event = await write(bob.id, 'call:incoming', call);
  await bob.ok('POST', `/calls/${call.id}/answer`);
  await devices.tell(event, { type: 'call:incoming', callId: call.id }, 30);
  expect(phone.received).toEqual([]);
});

test('a device that could not be told is told when it is tried again, and the others not twice', async () => {
  const lea = await registerPerson(app.url);
  const other = await signIn(app.url, lea.email);
  const [told, failing] = [await service.deviceOf(lea, devices), await service.deviceOf(other, devices)];
  failing.answersWith = 503;
  // Nor does the bus say whom it went to.
  hub.tellHeard = () => {};
  const call = { id: newId(), calleeId: lea.id, outcome: null };
  const event = await write(lea.id, 'call:incoming', call);
  const message: PushMessage = { type: 'call:incoming', callId: call.id };
  await expect(devices.tell(event, message, 30)).rejects.toThrow();
  failing.answersWith = 201;
  await devices.tell(event, message, 30);
  expect(told.messages).toEqual([message]);
  expect(failing.messages).toEqual([message, message]);
});

test('a device whose push service refuses it is done with, and keeps the others from nothing', async () => {
  const pia = await registerPerson(app.url);
  const [refused, other] = [
    await service.deviceOf(pia, devices),
    await service.deviceOf(await signIn(app.url, pia.email), devices),
  ];
  refused.answersWith = 403;
  const call = { id: newId(), calleeId: pia.id, outcome: null };
  const event = await write(pia.id, 'call:incoming', call);
  for (let times = 0; times < 2; times++)
    await devices.tell(event, { type: 'call:incoming', callId: call.id }, 30);
  expect([refused, other].map(({ received }) => received.length)).toEqual([1, 1]);
});

test('a number that was heard and is given again, of a log that lost its end, is news', async () => {
  const mia = await newPerson(app);
  const phone = await service.deviceOf(mia, devices);
  const call = { id: newId(), calleeId: mia.id, outcome: null };
  const lost = await write(mia.id, 'call:incoming', call);
  await db.pool.query('delete from outbox where user_id = $1', [mia.id]);
  await db.pool.query('update inboxes set seq = 0 where user_id = $1', [mia.id]);
  hub.tellHeard({ ...(await signInOf(mia)), seq: lost.seq, at: lost.at });
  const again = await write(mia.id, 'call:incoming', call);
  expect(again.seq).toBe(lost.seq);
  const message: PushMessage = { type: 'call:incoming', callId: call.id };
  await devices.tell(lost, message, 30);
  expect(phone.messages).toEqual([]);
  await devices.tell(again, message, 30);
  expect(phone.messages).toEqual([message]);
});

test('a device that unsubscribed is forgotten', async () => {
  const carl = await newPerson(app);
  const phone = await service.deviceOf(carl, devices);
  phone.answersWith = 410;
  await ring(carl.id);
  expect(await subscriptionsOf(carl)).toBe(0);
  await ring(carl.id);
  expect(phone.received).toHaveLength(1);
});

test('a device that was signed out is told nothing, however that came; the others are', async () => {
  const erin = await registerPerson(app.url);
  const others = await Promise.all(Array.from({ length: 3 }, () => signIn(app.url, erin.email)));
  const [loggedOut, signedOut] = others as [Person, Person];
  const phones = [];
  for (const person of [erin, ...others]) phones.push(await service.deviceOf(person, devices));
  await loggedOut.ok('POST', '/auth/logout');
  await erin.ok('DELETE', `/users/me/sessions/${(await signInOf(signedOut)).sessionId}`);
  const first = await ring(erin.id);
  expect(phones.map(({ messages }) => messages)).toEqual([[first], [], [], [first]]);
  await erin.ok('POST', '/auth/change-password', {
    currentPassword: TEST_PASSWORD,
    newPassword: 'a quiet violet harbour',
  });
  const second = await ring(erin.id);
  expect(phones.map(({ messages }) => messages)).toEqual([[first, second], [], [], [first]]);
});

test('those that are signed out make way before those that are not', async () => {
  const fred = await registerPerson(app.url);
  const phone = await service.deviceOf(fred, devices);
  const other = await signIn(app.url, fred.email);
  const left = await signInOf(other);
  const gone = Array.from({ length: MAX_DEVICES }, () => service.newDevice());
  for (const [nth, { target }] of gone.entries()) {
    if (nth === MAX_DEVICES - 1) await other.ok('POST', '/auth/logout');
    await devices.subscribe(left, target);
  }
  const message = await ring(fred.id);
  expect(phone.messages).toEqual([message]);
  expect(gone.flatMap(({ received }) => received)).toEqual([]);
});

/** An endpoint as long as may be. */
function longest(character: () => string): string {
  const service = 'https://fcm.googleapis.com/';
  return service + Array.from({ length: 1024 - service.length }, character).join('');
}

test('only known push services can be named', async () => {
  const dora = await newPerson(app);
  const { p256dh, auth } = service.newDevice().target;
  const subscribe = (endpoint: string) =>
    dora.call('POST', '/users/me/push-subscriptions', { endpoint, keys: { p256dh, auth } });
  expect((await subscribe('https://fcm.googleapis.com/fcm/send/abc')).status).toBe(204);
  expect((await subscribe(longest(() => randomInt(36).toString(36)))).status).toBe(204);
  for (const endpoint of [
    'https://127.0.0.1/x',
    'http://fcm.googleapis.com/x',
    'https://fcm.googleapis.com.evil.example/x',
    'https://fcm.googleapis.com:8443/x',
    'https://evilnotify.windows.com/x',
    // What another parser than ours reads as another host.
    'https://127.0.0.1;.notify.windows.com/x',
    'https://10.0.0.5{.notify.windows.com/x',
    'https://169.254.169.254`.notify.windows.com/x',
    "https://attacker.example'.notify.windows.com/x",
    'https:/fcm.googleapis.com/x',
    'https:fcm.googleapis.com/x',
    'https:\\\\fcm.googleapis.com\\x',
    'https://127.0.0.1@fcm.googleapis.com/x',
    'https://:secret@fcm.googleapis.com/x',
    'file:///etc/passwd',
    // Random, so that it does not compress below what an index takes.
    longest(() => String.fromCodePoint(0x4e00 + randomInt(0x5000))),
  ]) {
    expect([endpoint, (await subscribe(endpoint)).status]).toEqual([endpoint, 400]);
  }
  expect((await dora.ok('GET', '/push/public-key')).publicKey).toMatch(/^[\w-]{80,}$/);
  // However it is spelt, it is the same address.
  const before = await subscriptionsOf(dora);
  const removed = await dora.call('DELETE', '/users/me/push-subscriptions', {
    endpoint: 'HTTPS://FCM.googleapis.com:443/fcm/./send/abc',
  });
  expect(removed.status).toBe(204);
  expect(await subscriptionsOf(dora)).toBe(before - 1);
});

test('a device names keys that a message can be encrypted for', async () => {
  const dora = await newPerson(app);
  const { p256dh, auth } = service.newDevice().target;
  const subscribe = async (keys: object) => {
    const endpoint = 'https://fcm.googleapis.com/fcm/send/keys';
    const { status, body } = await dora.call('POST', '/users/me/push-subscriptions', { endpoint, keys });
    return [status, body?.details?.[0]?.path];
  };
  const point = Buffer.from(p256dh, 'base64url');
  const compressed = ECDH.convertKey(point, 'prime256v1', undefined, 'base64url', 'compressed');
  const offTheCurve = Buffer.from(point.with(64, point[64]! ^ 1)).toString('base64url');
  for (const wrong of ['A', 'A'.repeat(87), p256dh.slice(0, -2), `${p256dh}AA`, compressed, offTheCurve])
    expect([wrong, await subscribe({ p256dh: wrong, auth })]).toEqual([wrong, [400, 'keys.p256dh']]);
  for (const wrong of ['A', auth.slice(0, -2), `${auth}AAAA`])
    expect([wrong, await subscribe({ p256dh, auth: wrong })]).toEqual([wrong, [400, 'keys.auth']]);
  // Padded, as base64url may be.
  expect(await subscribe({ p256dh: `${p256dh}=`, auth: `${auth}==` })).toEqual([204, undefined]);
});
