/**
 * IN-33 where it is hard: the work was committed and the connection broke before anybody was told. Sent again under its
 * `Idempotency-Key` the request finds what there is, and does nothing again.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PushMirror } from '../../../src/events/PushMirror.ts';
import { useApp } from '../../support/app.ts';
import type { Json, Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { FickleWay } from '../../support/FickleWay.ts';
import { picture } from '../../support/images.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';

let way: FickleWay;
const app = useApp({}, async (dbUrl) => {
  const made = await FickleWay.to(dbUrl);
  way = made.way;
  return made.url;
});
let db: pg.Client;
let ann: Person;
let bob: Person;
let matchId: string;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
  ({ ann, bob, matchId } = await newMatch(app));
});
afterAll(async () => {
  await db?.end();
  way?.close();
});

async function rowsOf(text: string, ...values: unknown[]): Promise<Json[]> {
  return (await db.query(text, values)).rows;
}

/** Sends a request whose answer from the database is lost after `statement`; resolves with how to send it again. */
async function sendInVain(person: Person, statement: string, path: string, body: object) {
  // Not the name alone: the way must not find it in the statement that takes the key.
  const key = { 'idempotency-key': `${statement}-key` };
  const lost = way.lose(statement);
  const first = await person.call('POST', path, body, key);
  await lost;
  expect(first.status).toBe(503);
  return () => person.call('POST', path, body, key);
}

test('a call is started once: it is answered with, and not started anew when it is over by then', async () => {
  const again = await sendInVain(ann, 'call-insert', `/calls/initiate/${matchId}`, {});
  const { status, body } = await again();
  expect([status, body.call.phase]).toEqual([201, 'ringing']);
  expect((await again()).body.call).toEqual(body.call);
  await ann.ok('POST', `/calls/${body.call.id}/end`);
  expect(await rowsOf('select id from calls')).toEqual([{ id: body.call.id }]);
});

test('… also when it has ended before it is asked for again, however often', async () => {
  const again = await sendInVain(ann, 'call-insert-journal', `/calls/initiate/${matchId}`, {});
  const [{ id }] = await rowsOf(`select id from calls where phase <> 'ended'`);
  await bob.ok('POST', `/calls/${id}/answer`);
  await bob.ok('POST', `/calls/${id}/end`);
  for (let times = 0; times < 2; times++) expect((await again()).body.code).toBe('CALL_NOT_ACTIVE');
  expect(await rowsOf(`select id from calls where phase <> 'ended'`)).toEqual([]);
});

test('a command to a call is done once', async () => {
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const again = await sendInVain(bob, 'call-save', `/calls/${call.id}/answer`, {});
  const { status, body } = await again();
  expect([status, body.call.phase]).toEqual([200, 'connecting']);
  const journal = await rowsOf(
    `select command, command_id is not null as told from call_journal where call_id = $1 and command = 'answer'`,
    call.id,
  );
  expect(journal).toEqual([{ command: 'answer', told: true }]);
  await ann.ok('POST', `/calls/${call.id}/end`);
});

test('… and both are told of it, devices that ring by push as well', async () => {
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const mirrored = vi.spyOn(PushMirror.prototype, 'mirror');
  const again = await sendInVain(ann, 'call-save', `/calls/${call.id}/end`, {});
  const ends = () =>
    mirrored.mock.calls
      .flat(2)
      .filter((event) => event.type === 'call:ended')
      .map((event) => [event.userId, event.payload]);
  const end = { call: expect.objectContaining({ id: call.id, outcome: 'cancelled' }) };
  await eventually(ends).toEqual(expect.arrayContaining([ann.id, bob.id].map((userId) => [userId, end])));
  expect((await again()).status).toBe(200);
});

test('a report is filed once', async () => {
  const again = await sendInVain(ann, 'safety-report', `/users/report/${bob.id}`, {
    reason: 'rude',
    block: false,
  });
  const { status, body } = await again();
  expect(status).toBe(201);
  expect(await rowsOf('select id from reports')).toEqual([{ id: body.reportId }]);
});

test('a photo is added once', async () => {
  const image = new Uint8Array(await picture(7));
  const send = () =>
    fetch(`${app.url}/api/v1/users/me/photos`, {
      method: 'POST',
      headers: {
        'content-type': 'image/jpeg',
        authorization: `Bearer ${ann.token}`,
        'idempotency-key': 'photo',
      },
      body: image,
    });
  const lost = way.lose('photo-count');
  expect((await send()).status).toBe(503);
  await lost;
  const answer = await send();
  expect(answer.status).toBe(201);
  const { id, url } = (await answer.json()) as Json;
  expect(await rowsOf('select id, ready from photos')).toEqual([{ id, ready: true }]);
  expect(
    (await fetch(`${app.url}${new URL(url, app.url).pathname}${new URL(url, app.url).search}`)).status,
  ).toBe(200);
});

test('one dislike is taken back, and not the one before it as well', async () => {
  const [first, second] = await Promise.all([newPerson(app), newPerson(app)]);
  for (const { id } of [first, second]) await ann.ok('POST', `/matches/dislike/${id}`);
  const again = await sendInVain(ann, 'decision-undo', '/matches/undo', {});
  const { status, body } = await again();
  expect([status, body.undone.id]).toEqual([200, second.id]);
  expect((await ann.ok('POST', '/matches/undo')).undone.id).toBe(first.id);
});

test('the answer could not be kept: the client has it, and who asks again waits until the first is given up', async () => {
  const path = `/calls/initiate/${matchId}`;
  const again = await sendInVain(ann, 'idempotency-remember', path, {});
  const { call } = (await again()).body;
  await ann.ok('POST', `/calls/${call.id}/end`);
  // What a process leaves that dies between the commit and the answer.
  await db.query(
    `update idempotency_keys set status = null, created_at = now() where key = 'idempotency-remember-key'`,
  );
  expect((await again()).body.code).toBe('CONFLICT');
  await db.query(
    `update idempotency_keys set body = to_jsonb($1::text), created_at = now() - interval '16 s'
     where key = 'idempotency-remember-key'`,
    [call.id],
  );
  expect((await again()).body.code).toBe('CALL_NOT_ACTIVE');
  expect(await rowsOf(`select id from calls where phase <> 'ended'`)).toEqual([]);
});
