/** WS-01, WS-05, WS-22, AZ-07 of the catalogue of attacks, against the whole program. */
import { Protocol } from '@colyseus/core';
import type { Room } from '@colyseus/sdk';
import { beforeAll, describe, expect, test } from 'vitest';
import { CLIENT_MESSAGES } from '../../../rooms/messages.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { graph, regExp } from '../../support/hostilePayloads.ts';
import { newMatch } from '../../support/signedIn.ts';

// The call of these tests rings while they last, on a busy machine too.
const app = useApp({ CALL_RING_SEC: '600' });
let ann: Person;
let bob: Person;
let matchId: string;
let callId: string;
/** Two other people in a call: what happens to it while somebody attacks. */
let bystander: Room;
let bystanderPeer: Room;

beforeAll(async () => {
  ({ ann, bob, matchId } = await newMatch(app));
  callId = (await ann.ok('POST', `/calls/initiate/${matchId}`, {})).call.id;
  const others = await newMatch(app);
  const { call, seat } = await others.ann.ok('POST', `/calls/initiate/${others.matchId}`, {});
  bystander = await others.ann.sit(seat);
  const answered = await others.bob.ok('POST', `/calls/${call.id}/answer`, {});
  bystanderPeer = await others.bob.sit(answered.seat);
});

/** The process answers, and a call between two others passes messages. */
async function expectAlive(): Promise<void> {
  expect((await request(app.url, 'GET', '/health/liveness')).status).toBe(200);
  const heard = new Inbox(bystanderPeer);
  await bystander.request('media:capabilities', {});
  expect((await bystanderPeer.request('call:downgrade')).call.phase).toBe('connecting');
  heard.room.removeAllListeners();
}

async function seat(room: 'inbox' | 'match' | 'call', person: Person): Promise<Room> {
  const path = { inbox: '/realtime/inbox', match: `/matches/${matchId}/join`, call: `/calls/${callId}/join` }[
    room
  ];
  return person.sit((await person.ok('POST', path)).seat);
}

/** Two hundred payloads that no handler asked for. */
function hostilePayloads(): unknown[] {
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) });
  const singles: unknown[] = [
    null,
    undefined,
    0,
    -1,
    1.5,
    2 ** 53,
    Number.MAX_VALUE,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    '',
    '\u0000',
    'x'.repeat(20_000),
    [],
    [[]],
    [null],
    new Array(2_000).fill(0),
    {},
    { toString: 1 },
    // biome-ignore lint/suspicious/noThenProperty: what looks like a promise to whoever awaits it
    { then: 'x' },
    { length: -1 },
    { constructor: { prototype: {} } },
    JSON.parse('{"__proto__":{"admin":true}}'),
    { hasOwnProperty: null },
    new Uint8Array(4_096),
    new Date(0),
    deep(200),
    { direction: '../../etc' },
    { direction: ['send'] },
    { transportId: { $ne: null } },
    { id: "'; drop table calls; --" },
    { seq: Number.POSITIVE_INFINITY },
    { seq: -1 },
    { seq: '1' },
    { after: {} },
    { media: 'hologram' },
    { media: ['video'] },
    { transportId: 'x', dtlsParameters: { fingerprints: new Array(1_000).fill({}) } },
    { transportId: crypto.randomUUID(), kind: 'video', rtpParameters: { encodings: [{ maxBitrate: 1.5 }] } },
    { producerId: crypto.randomUUID(), rtpCapabilities: { codecs: null } },
  ];
  const payloads = [...singles];
  const fields = [
    'seq',
    'after',
    'media',
    'id',
    'direction',
    'transportId',
    'kind',
    'rtpParameters',
    'dtlsParameters',
    'rtpCapabilities',
  ];
  for (let i = 0; payloads.length < 200; i++)
    payloads.push({ [fields[i % fields.length]!]: singles[i % singles.length] });
  return payloads;
}

describe('WS-01: every message with hostile payloads', () => {
  test.each(['inbox', 'match', 'call'] as const)('%s', async (name) => {
    const payloads = hostilePayloads();
    expect(payloads).toHaveLength(200);
    // What ends the match or the call by its rules is no hostile payload's doing: those are tried elsewhere.
    const types = Object.keys(CLIENT_MESSAGES[name]).filter(
      (type) => !/:(end|decline|reject)$|initiate/.test(type),
    );
    for (const type of types) {
      // A client of its own for each type: one that is closed for what it sent takes nothing from the others.
      const room = await seat(name, ann);
      room.onMessage('*', () => {});
      const answers = payloads.map((payload) => {
        room.send(type, payload);
        return room.request(type, payload).then(
          () => 'answered',
          (error: { reason?: { code?: string } }) => error.reason?.code ?? 'closed',
        );
      });
      // Every request is answered one way or another; none by a failure of ours.
      const outcomes = new Set(await Promise.all(answers));
      expect([type, outcomes.has('INTERNAL_SERVER_ERROR')]).toEqual([type, false]);
      await room.leave();
    }
    await expectAlive();
    expect((await bob.ok('GET', `/calls/${callId}`)).call.id).toBe(callId);
  });
});

test('a payload of msgpackr’s extensions is refused in words, before it keeps anybody waiting', async () => {
  const room = await seat('inbox', ann);
  room.reconnection.enabled = false;
  const inbox = new Inbox(room);
  const type = Buffer.from('inbox:ack');
  const heading = [Protocol.ROOM_DATA, 0xa0 | type.length, ...type];
  // Written out, the graph would be a petabyte.
  for (const payload of [Buffer.concat([graph(50), Buffer.from([0])]), regExp('a', '')]) {
    room.connection.send(Buffer.concat([Buffer.from(heading), payload]));
  }
  await eventually(() => inbox.ofType('error').map(({ code }) => code)).toEqual([
    'VALIDATION_FAILED',
    'VALIDATION_FAILED',
  ]);
  await room.leave();
  await expectAlive();
});

test('WS-05: a payload with fields that nobody knows is refused without giving them back', async () => {
  const inbox = await ann.inbox();
  const refused = await inbox.room.request('inbox:ack', { seq: 0, ['k'.repeat(50_000)]: 1 }).catch((e) => e);
  expect(JSON.stringify([refused.code, refused.message, refused.reason])).toMatch(
    /VALIDATION_FAILED.{0,500}$/,
  );
  await inbox.room.leave();
});

test('WS-05: an unknown type is answered without an echo of it', async () => {
  const room = await seat('inbox', ann);
  const errors = new Inbox(room);
  room.send('no:such', {});
  expect(await errors.next('error')).toMatchObject({ code: 'NOT_FOUND' });
  const long = 'z'.repeat(100);
  const left = new Promise<number>((resolve) => room.onLeave((code) => resolve(code)));
  room.send(long, {});
  expect(await left).toBeGreaterThan(1_000);
  expect(JSON.stringify(errors.events)).not.toContain('zzzz');
  await expectAlive();
});

test('WS-22: what a handler refuses or throws is an error with a code, never a success', async () => {
  const room = await seat('call', bob);
  room.onMessage('*', () => {});
  await expect(room.request('call:extend_request')).rejects.toMatchObject({
    reason: { code: 'WRONG_PHASE' },
  });
  await expect(room.request('media:open', { direction: 'up' })).rejects.toMatchObject({
    reason: { code: 'VALIDATION_FAILED', details: [{ path: 'direction' }] },
  });
  await expect(room.request('media:pause', { id: crypto.randomUUID() })).rejects.toMatchObject({
    reason: { code: 'NOT_FOUND' },
  });
});

test('AZ-07: seats come from the API only', async () => {
  for (const method of ['create', 'joinOrCreate', 'join', 'joinById', 'reconnect']) {
    for (const target of ['inbox', 'match', 'call', callId]) {
      const { status, body } = await request(app.url, 'POST', `/matchmake/${method}/${target}`, {
        body: {},
        token: ann.token,
      });
      expect([method, target, status, body.code]).toEqual([method, target, 404, 'NOT_FOUND']);
    }
  }
  expect((await request(app.url, 'GET', '/matchmake/')).status).toBe(404);
});
