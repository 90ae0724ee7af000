/**
 * Push against a push service of the test's own: real HTTPS, the message decrypted as a browser would
 * (RFC 8291 section 3, RFC 8188 section 2).
 */
import { execFileSync } from 'node:child_process';
import { createDecipheriv, createECDH, ECDH, hkdfSync, randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { Database } from '../../../src/db/Database.ts';
import { type Heard, InboxHub } from '../../../src/events/InboxHub.ts';
import { append, type InboxEventType, type StoredEvent } from '../../../src/events/outbox.ts';
import { MAX_DEVICES, PushDevices } from '../../../src/events/PushDevices.ts';
import { PushMirror } from '../../../src/events/PushMirror.ts';
import { newId } from '../../../src/ids.ts';
import { createLog } from '../../../src/log.ts';
import { newVapidKeys, WebPush } from '../../../src/platform/WebPush.ts';
import { useApp } from '../../support/app.ts';
import type { Inbox, Json, Person } from '../../support/client.ts';
import { openDataKeys } from '../../support/database.ts';
import { newMatch, newPerson, registerPerson, signIn, TEST_PASSWORD } from '../../support/signedIn.ts';

const app = useApp();
const log = createLog('silent');
let db: Database;
let service: Server;
let origin: string;
let devices: PushDevices;
let push: PushMirror;
/** Of another process. */
let otherPush: PushMirror;
/** Waits long enough for what is to happen before it pushes, on a busy machine as well. */
let patient: PushMirror;
let newMirror: (graceMs?: number) => PushMirror;
const PATIENCE_MS = 2_000;
let answerWith = 201;
/** Where a device's push service answers otherwise. */
const answers = new Map<string, number>();
const received: { path: string; headers: Record<string, unknown>; body: Buffer }[] = [];

/** Told of what the server's rooms hear acknowledged. */
const heard = new Set<(heard: Heard) => void>();
/** Told of what is published, and of what somebody says to have seen to. */
const published = new Set<(event: StoredEvent) => void>();
const seenTo = new Set<(callId: string) => void>();
const tellHeard = InboxHub.prototype.tellHeard;
vi.spyOn(InboxHub.prototype, 'tellHeard').mockImplementation(function (this: InboxHub, device) {
  for (const listener of heard) listener(device);
  tellHeard.call(this, device);
});

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'duet-push-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  );
  service = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      received.push({ path: request.url!, headers: request.headers, body: Buffer.concat(pieces) });
      response.writeHead(answers.get(request.url!) ?? answerWith).end();
    });
  });
  rmSync(folder, { recursive: true });
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
  origin = `https://127.0.0.1:${(service.address() as { port: number }).port}`;
  db = await Database.open({ url: app.dbUrl, poolSize: 4, log });
  const keys = await openDataKeys(db);
  const tell = (device: Heard) => {
    for (const listener of heard) listener(device);
  };
  const newDevices = () =>
    new PushDevices({
      db,
      clock: new SystemClock(),
      log,
      keys,
      hub: { onHeard: (listener) => heard.add(listener), tellHeard: tell },
      push: new WebPush({
        vapid: newVapidKeys(),
        subject: 'mailto:push@example.org',
        hosts: [new URL(origin).host],
        agent: new Agent({ rejectUnauthorized: false }),
      }),
    });
  devices = newDevices();
  newMirror = (graceMs = 200) =>
    new PushMirror({
      db,
      devices: newDevices(),
      clock: new SystemClock(),
      log,
      graceMs,
      hub: {
        onPublished: (listener) => published.add(listener),
        onSeenTo: (listener) => seenTo.add(listener),
        tellSeenTo: (callId) => {
          for (const listener of seenTo) listener(callId);
        },
      },
    });
  push = newMirror();
  otherPush = newMirror();
  patient = newMirror(PATIENCE_MS);
});
afterAll(async () => {
  await db?.close();
  service?.close();
});

/** A browser's side of a subscription. */
function device(path: string) {
  const keys = createECDH('prime256v1');
  keys.generateKeys();
  const auth = randomBytes(16);
  const target = {
    endpoint: `${origin}${path}`,
    p256dh: keys.getPublicKey().toString('base64url'),
    auth: auth.toString('base64url'),
  };
  return { target, keys, auth };
}

/** The sign-in that a device of this person's subscribes with. */
async function deviceOf(person: Person): Promise<{ userId: string; sessionId: string }> {
  const { items } = await person.ok('GET', '/users/me/sessions');
  return { userId: person.id, sessionId: items.find((session: Json) => session.current).id };
}

function decrypt(body: Buffer, keys: ECDH, auth: Buffer): unknown {
  const salt = body.subarray(0, 16);
  const senderLength = body[20]!;
  const sender = body.subarray(21, 21 + senderLength);
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), keys.getPublicKey(), sender]);
  const secret = Buffer.from(hkdfSync('sha256', keys.computeSecret(sender), auth, info, 32));
  const key = Buffer.from(hkdfSync('sha256', secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16));
  const nonce = Buffer.from(hkdfSync('sha256', secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12));
  const sealed = body.subarray(21 + senderLength);
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAuthTag(sealed.subarray(-16));
  const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  return JSON.parse(plain.subarray(0, plain.lastIndexOf(2)).toString());
}

/** Writes an event as a use case does. */
async function write(userId: string, type: InboxEventType, call: object): Promise<StoredEvent> {
  const [event] = await db.transaction((tx) => append(tx, [{ userId, type, payload: { call } }]));
  return event!;
}

/** The same, and hands it to the mirror. */
async function tell(userId: string, type: InboxEventType, call: object, by = push): Promise<number> {
  const event = await write(userId, type, call);
  by.mirror([event]);
  return event.seq;
}

/** The same, where a device is connected: it hears of it and acknowledges. */
async function tellAndHear(inbox: Inbox, userId: string, type: InboxEventType, call: object): Promise<void> {
  const seq = await tell(userId, type, call, patient);
  await inbox.room.request('inbox:replay', { after: seq - 1 });
  await inbox.next(type, (event) => event.seq === seq);
  await inbox.room.request('inbox:ack', { seq });
}

async function eventually(count: number): Promise<void> {
  for (let tries = 0; tries < 100 && received.length < count; tries++) await pause(50);
  expect(received.length).toBe(count);
}
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

test('who is not connected is pushed to: incoming, cancelled, missed; sealed and signed', async () => {
  received.length = 0;
  const ann = await newPerson(app);
  const { target, keys, auth } = device('/ann');
  await devices.subscribe(await deviceOf(ann), target);
  const call = { id: newId(), calleeId: ann.id, outcome: null };
  await tell(ann.id, 'call:incoming', call);
  await eventually(1);
  expect(received[0]!.headers).toMatchObject({ 'content-encoding': 'aes128gcm', ttl: '30', urgency: 'high' });
  expect(String(received[0]!.headers.authorization)).toMatch(/^vapid t=[\w-]+\.[\w-]+\.[\w-]+, ?k=[\w-]+$/);
  await tell(ann.id, 'call:ended', { ...call, outcome: 'cancelled' });
  await eventually(2);
  const missed = { ...call, id: newId(), outcome: 'missed' };
  await tell(ann.id, 'call:ended', missed);
  await eventually(3);
  expect(received.map(({ body }) => decrypt(body, keys, auth))).toEqual([
    { type: 'call:incoming', callId: call.id },
    { type: 'call:cancelled', callId: call.id },
    { type: 'call:missed', callId: missed.id },
  ]);
});

test('whatever ends a call that rings, the phone is told to stop; once, and not of one that began', async () => {
  received.length = 0;
  const ida = await newPerson(app);
  const { target, keys, auth } = device('/ida');
  await devices.subscribe(await deviceOf(ida), target);
  const newCall = (outcome: string | null) => ({ id: newId(), calleeId: ida.id, outcome, startedAt: null });
  const [severed, failed, answered] = [newCall('unavailable'), newCall('failed'), newCall(null)];
  await tell(ida.id, 'call:ended', severed);
  await eventually(1);
  await tell(ida.id, 'call:ended', failed);
  await eventually(2);
  await tell(ida.id, 'call:answered', answered);
  await eventually(3);
  await tell(ida.id, 'call:ended', { ...answered, outcome: 'failed' });
  const began = { ...newCall('failed'), startedAt: new Date(0).toISOString() };
  await tell(ida.id, 'call:ended', began);
  await pause(600);
  expect(received.map(({ body }) => decrypt(body, keys, auth))).toEqual([
    { type: 'call:cancelled', callId: severed.id },
    { type: 'call:cancelled', callId: failed.id },
    { type: 'call:answered', callId: answered.id },
  ]);
});

test('a process that ends tells those who would ring on; what rings is left to whoever takes it over', async () => {
  received.length = 0;
  const jan = await newPerson(app);
  const { target, keys, auth } = device('/jan');
  const ending = newMirror(60_000);
  await devices.subscribe(await deviceOf(jan), target);
  const newCall = (outcome: string | null) => ({ id: newId(), calleeId: jan.id, outcome });
  const over = newCall('cancelled');
  await tell(jan.id, 'call:ended', over, ending);
  await tell(jan.id, 'call:incoming', newCall(null), ending);
  await ending.close();
  expect(received.map(({ body }) => decrypt(body, keys, auth))).toEqual([
    { type: 'call:cancelled', callId: over.id },
  ]);
  await ending.close();
  expect(received).toHaveLength(1);
});

test('who acknowledges is connected and is not pushed to; nor is the caller, nor what is no news', async () => {
  received.length = 0;
  const bob = await newPerson(app);
  await devices.subscribe(await deviceOf(bob), device('/bob').target);
  const inbox = await bob.inbox();
  await tellAndHear(inbox, bob.id, 'call:incoming', { id: newId(), calleeId: bob.id, outcome: null });
  await tell(bob.id, 'call:ended', { id: newId(), calleeId: newId(), outcome: 'missed' });
  await tell(bob.id, 'call:ended', { id: newId(), calleeId: bob.id, outcome: 'completed' });
  await pause(PATIENCE_MS + 500);
  expect(received).toEqual([]);
});

test('a page that is open at home does not keep the phone from ringing, nor from stopping to', async () => {
  received.length = 0;
  const home = await registerPerson(app.url);
  const phone = await signIn(app.url, home.email);
  const [atHome, onPhone] = [device('/home'), device('/phone')];
  await devices.subscribe(await deviceOf(home), atHome.target);
  await devices.subscribe(await deviceOf(phone), onPhone.target);
  const inbox = await home.inbox();
  const call = { id: newId(), calleeId: home.id, outcome: null, createdAt: new Date(0).toISOString() };
  await tellAndHear(inbox, home.id, 'call:incoming', call);
  await eventually(1);
  await tellAndHear(inbox, home.id, 'call:answered', call);
  await eventually(2);
  await pause(300);
  expect(received.map(({ path, body }) => [path, decrypt(body, onPhone.keys, onPhone.auth)])).toEqual([
    ['/phone', { type: 'call:incoming', callId: call.id }],
    ['/phone', { type: 'call:answered', callId: call.id }],
  ]);
});

test('nothing rings that somebody answered before anything could be pushed', async () => {
  received.length = 0;
  const { ann, bob, matchId } = await newMatch(app);
  await devices.subscribe(await deviceOf(bob), device('/bob').target);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`);
  await bob.ok('POST', `/calls/${call.id}/answer`);
  await tell(bob.id, 'call:incoming', call, patient);
  await tell(bob.id, 'call:answered', call, patient);
  await pause(PATIENCE_MS + 500);
  expect(received).toEqual([]);
});

test.each([
  ['half of the time after which it would ring', 100],
  ['when the database was set back meanwhile', -3_600_000],
])('a phone is told to stop %s', async (_when, afterMs) => {
  received.length = 0;
  const nora = await newPerson(app);
  const { target, keys, auth } = device('/nora');
  await devices.subscribe(await deviceOf(nora), target);
  // Of a process whose clock is ahead of the database's.
  const createdAt = new Date(Date.now() + 3_600_000).toISOString();
  const call = { id: newId(), calleeId: nora.id, outcome: null, createdAt };
  const rings = await write(nora.id, 'call:incoming', call);
  push.mirror([rings]);
  await eventually(1);
  const missed = await write(nora.id, 'call:ended', { ...call, outcome: 'missed' });
  push.mirror([{ ...missed, at: rings.at + afterMs }]);
  await eventually(2);
  expect(decrypt(received[1]!.body, keys, auth)).toEqual({ type: 'call:missed', callId: call.id });
});

test('a call that rings is pushed though whoever committed it did not see to it, once', async () => {
  received.length = 0;
  const gina = await newPerson(app);
  await devices.subscribe(await deviceOf(gina), device('/gina').target);
  const call = { id: newId(), calleeId: gina.id, outcome: null };
  await write(gina.id, 'call:incoming', call);
  push.ring(call);
  push.ring(call);
  await eventually(1);
  push.ring(call);
  await pause(600);
  expect(received).toHaveLength(1);
});

test('a call that rings is not pushed again to those that another process pushes to', async () => {
  received.length = 0;
  const hanna = await newPerson(app);
  await devices.subscribe(await deviceOf(hanna), device('/hanna').target);
  const call = { id: newId(), calleeId: hanna.id, outcome: null };
  await tell(hanna.id, 'call:incoming', call);
  otherPush.ring(call);
  await eventually(1);
  await pause(600);
  expect(received).toHaveLength(1);
});

test('a call that is found after another process has pushed it is not pushed again', async () => {
  received.length = 0;
  const kim = await newPerson(app);
  await devices.subscribe(await deviceOf(kim), device('/kim').target);
  const call = { id: newId(), calleeId: kim.id, outcome: null };
  await tell(kim.id, 'call:incoming', call);
  await eventually(1);
  await pause(200);
  otherPush.ring(call);
  await pause(1_000);
  expect(received).toHaveLength(1);
});

test('what one device could not be told is tried again until it is; the others are not told twice', async () => {
  received.length = 0;
  const lea = await registerPerson(app.url);
  const other = await signIn(app.url, lea.email);
  await devices.subscribe(await deviceOf(lea), device('/lea').target);
  await devices.subscribe(await deviceOf(other), device('/other').target);
  const call = { id: newId(), calleeId: lea.id, outcome: null };
  answers.set('/other', 503);
  await tell(lea.id, 'call:incoming', call);
  await eventually(3);
  answers.clear();
  push.ring(call);
  await eventually(4);
  await pause(200);
  expect(received.map(({ path }) => path).sort()).toEqual(['/lea', '/other', '/other', '/other']);
});

test('a database that is away for a moment keeps no phone from ringing, nor from being told to stop', async () => {
  received.length = 0;
  const olga = await newPerson(app);
  await devices.subscribe(await deviceOf(olga), device('/olga').target);
  const away = vi.spyOn(db, 'query').mockRejectedValueOnce(new Error('away'));
  await tell(olga.id, 'call:ended', { id: newId(), calleeId: olga.id, outcome: 'cancelled' });
  await eventually(1);
  expect(away).toHaveBeenCalledTimes(2);
  const call = { id: newId(), calleeId: olga.id, outcome: null };
  await write(olga.id, 'call:incoming', call);
  away.mockRejectedValueOnce(new Error('away'));
  push.ring(call);
  await eventually(2);
  expect(away).toHaveBeenCalledTimes(5);
  away.mockRestore();
});

test('a device whose push service refuses it is not tried again', async () => {
  received.length = 0;
  const pia = await newPerson(app);
  await devices.subscribe(await deviceOf(pia), device('/pia').target);
  answers.set('/pia', 403);
  await tell(pia.id, 'call:incoming', { id: newId(), calleeId: pia.id, outcome: null });
  await eventually(1);
  await pause(1_500);
  answers.clear();
  expect(received).toHaveLength(1);
});

test('what is to be tried again is tried once more by a process that ends', async () => {
  received.length = 0;
  const rosa = await newPerson(app);
  const ending = newMirror();
  await devices.subscribe(await deviceOf(rosa), device('/rosa').target);
  answers.set('/rosa', 429);
  await tell(rosa.id, 'call:ended', { id: newId(), calleeId: rosa.id, outcome: 'missed' }, ending);
  await eventually(1);
  await pause(300);
  await ending.close();
  await pause(1_500);
  answers.clear();
  expect(received).toHaveLength(2);
});

test('a phone is told to stop though whoever ended the call died, by one of the others', async () => {
  received.length = 0;
  const sara = await newPerson(app);
  const { target, keys, auth } = device('/sara');
  await devices.subscribe(await deviceOf(sara), target);
  const call = { id: newId(), calleeId: sara.id, outcome: null };
  const rings = await write(sara.id, 'call:incoming', call);
  const over = await write(sara.id, 'call:answered', call);
  const seen = await write(sara.id, 'call:ended', { ...call, id: newId(), outcome: 'missed' });
  const late = { ...over, at: rings.at + 60_000 };
  const [overhear] = published;
  for (const event of [rings, late]) overhear!(event);
  await eventually(1);
  expect(decrypt(received[0]!.body, keys, auth)).toEqual({ type: 'call:answered', callId: call.id });
  // Where one has seen to it the others do not.
  newMirror(1_000);
  [...published].at(-1)!(seen);
  push.mirror([seen]);
  await eventually(2);
  await pause(3_000);
  expect(received).toHaveLength(2);
});

test('what others have heard of is nothing to a process that ends', async () => {
  received.length = 0;
  const tess = await newPerson(app);
  const ending = newMirror(60_000);
  await devices.subscribe(await deviceOf(tess), device('/tess').target);
  const over = await write(tess.id, 'call:ended', { id: newId(), calleeId: tess.id, outcome: 'missed' });
  [...published].at(-1)!(over);
  await ending.close();
  expect(received).toEqual([]);
});

test('a process that starts sees to what ended just before, and to nothing of longer ago', async () => {
  received.length = 0;
  const uma = await newPerson(app);
  const { target, keys, auth } = device('/uma');
  await devices.subscribe(await deviceOf(uma), target);
  const newCall = () => ({ id: newId(), calleeId: uma.id, outcome: 'missed' });
  const [old, just] = [newCall(), newCall()];
  const { seq } = await write(uma.id, 'call:ended', old);
  await db.pool.query(`update outbox set at = at - interval '5 s' where user_id = $1 and seq = $2`, [
    uma.id,
    seq,
  ]);
  await write(uma.id, 'call:ended', just);
  newMirror().lookBack();
  const told = () =>
    received.filter(({ path }) => path === '/uma').map(({ body }) => decrypt(body, keys, auth));
  const justNow = [{ type: 'call:missed', callId: just.id }];
  await expect.poll(told, { timeout: 20_000 }).toEqual(justNow);
  await pause(600);
  expect(told()).toEqual(justNow);
});

test('a number that was heard and is given again, of a log that lost its end, is news', async () => {
  received.length = 0;
  const mia = await newPerson(app);
  const { target, keys, auth } = device('/mia');
  const ofMia = await deviceOf(mia);
  await devices.subscribe(ofMia, target);
  const newCall = () => ({ id: newId(), calleeId: mia.id, outcome: null });
  const { at: lostAt } = await write(mia.id, 'call:incoming', newCall());
  await db.pool.query('delete from outbox where user_id = $1', [mia.id]);
  await db.pool.query('update inboxes set seq = 0 where user_id = $1', [mia.id]);
  for (const listener of heard) listener({ ...ofMia, seq: 1, at: lostAt });
  const call = newCall();
  expect(await tell(mia.id, 'call:incoming', call)).toBe(1);
  await eventually(1);
  expect(decrypt(received[0]!.body, keys, auth)).toEqual({ type: 'call:incoming', callId: call.id });
});

test('a device that unsubscribed is forgotten', async () => {
  received.length = 0;
  const carl = await newPerson(app);
  await devices.subscribe(await deviceOf(carl), device('/carl').target);
  answerWith = 410;
  await tell(carl.id, 'call:incoming', { id: newId(), calleeId: carl.id, outcome: null });
  await eventually(1);
  await pause(200);
  await tell(carl.id, 'call:incoming', { id: newId(), calleeId: carl.id, outcome: null });
  await pause(500);
  answerWith = 201;
  expect(received).toHaveLength(1);
});

test('a device that was signed out is told nothing, however that came; the others are', async () => {
  received.length = 0;
  const erin = await registerPerson(app.url);
  const [loggedOut, signedOut, gone] = await Promise.all(
    Array.from({ length: 3 }, () => signIn(app.url, erin.email)),
  );
  const subscribed = { erin, loggedOut: loggedOut!, signedOut: signedOut!, gone: gone! };
  for (const [name, person] of Object.entries(subscribed))
    await devices.subscribe(await deviceOf(person), device(`/${name}`).target);
  await loggedOut!.ok('POST', '/auth/logout');
  await erin.ok('DELETE', `/users/me/sessions/${(await deviceOf(signedOut!)).sessionId}`);
  await tell(erin.id, 'call:incoming', { id: newId(), calleeId: erin.id, outcome: null });
  await eventually(2);
  expect(received.map(({ path }) => path).sort()).toEqual(['/erin', '/gone']);
  await erin.ok('POST', '/auth/change-password', {
    currentPassword: TEST_PASSWORD,
    newPassword: 'a quiet violet harbour',
  });
  await tell(erin.id, 'call:incoming', { id: newId(), calleeId: erin.id, outcome: null });
  await eventually(3);
  await pause(200);
  expect(received.slice(2).map(({ path }) => path)).toEqual(['/erin']);
});

test('those that are signed out make way before those that are not', async () => {
  received.length = 0;
  const fred = await registerPerson(app.url);
  await devices.subscribe(await deviceOf(fred), device('/fred').target);
  const other = await signIn(app.url, fred.email);
  const left = await deviceOf(other);
  for (let nth = 0; nth < MAX_DEVICES; nth++) {
    if (nth === MAX_DEVICES - 1) await other.ok('POST', '/auth/logout');
    await devices.subscribe(left, device(`/other${nth}`).target);
  }
  await tell(fred.id, 'call:incoming', { id: newId(), calleeId: fred.id, outcome: null });
  await eventually(1);
  expect(received[0]!.path).toBe('/fred');
});

async function devicesOf(person: Person): Promise<number> {
  const { rowCount } = await db.pool.query('select from push_subscriptions where user_id = $1', [person.id]);
  return rowCount!;
}

/** An endpoint as long as may be. */
function longest(character: () => string): string {
  const service = 'https://fcm.googleapis.com/';
  return service + Array.from({ length: 1024 - service.length }, character).join('');
}

test('only known push services can be named', async () => {
  const dora = await newPerson(app);
  const { p256dh, auth } = device('/').target;
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
  const before = await devicesOf(dora);
  const removed = await dora.call('DELETE', '/users/me/push-subscriptions', {
    endpoint: 'HTTPS://FCM.googleapis.com:443/fcm/./send/abc',
  });
  expect(removed.status).toBe(204);
  expect(await devicesOf(dora)).toBe(before - 1);
});

test('a device names keys that a message can be encrypted for', async () => {
  const dora = await newPerson(app);
  const { p256dh, auth } = device('/').target;
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
