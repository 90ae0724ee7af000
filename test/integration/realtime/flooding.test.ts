/** WS-05, WS-07: every message counts, also one that no room knows, and who sends too many is in the security log once. */
import type { Room } from '@colyseus/sdk';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Inbox, Json, Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newPerson } from '../../support/signedIn.ts';

const ALLOWED = 20;
/** Close code of a client that goes on all the same. */
const FLOODING = 4105;

const app = useApp({ LIMIT_MESSAGES: `${ALLOWED}` });
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

async function joinInbox(person: Person): Promise<{ room: Room; heard: Inbox; left: Promise<number> }> {
  const heard = await person.inbox();
  const { room } = heard;
  return { room, heard, left: new Promise((done) => room.onLeave((code) => done(code))) };
}

async function logged(person: Person): Promise<Json[]> {
  const { rows } = await db.query('select action, details from audit_log where user_id = $1', [person.id]);
  return rows;
}

test.each(['nope', '*', 'constructor', '__proto__', 'toString', '_', 7])(
  'a request that no room knows is refused with a code: %s',
  async (type) => {
    const { room } = await joinInbox(await newPerson(app));
    await expect(room.request(type as string, {})).rejects.toMatchObject({ reason: { code: 'NOT_FOUND' } });
    expect((await room.request('inbox:ack', { seq: 0 })) ?? {}).toEqual({});
  },
);

test('bytes of a type that no room knows are refused as well', async () => {
  const { room, heard } = await joinInbox(await newPerson(app));
  room.sendBytes('nope', Buffer.from([1, 2, 3]));
  expect(await heard.next('error')).toMatchObject({ code: 'NOT_FOUND' });
});

test('messages that no room knows are counted like others, refused, and closed in the end; the log has one line', async () => {
  const person = await newPerson(app);
  const { room, heard, left } = await joinInbox(person);
  const send = (count: number) => {
    for (let i = 0; i < count; i++) room.send('nope', { i });
  };
  const told = (code: string) => heard.ofType('error').filter((error) => error.code === code).length;
  send(ALLOWED + 10);
  await eventually(() => heard.ofType('error').length).toBe(ALLOWED + 10);
  expect([told('NOT_FOUND'), told('TOO_MANY_REQUESTS')]).toEqual([ALLOWED, 10]);
  expect(JSON.stringify(heard.events)).not.toContain('nope');
  const refused = await room.request('inbox:ack', { seq: 0 }).catch(({ reason }) => reason);
  expect(refused.code).toBe('TOO_MANY_REQUESTS');
  // The rest of the minute, as `Retry-After` says it over HTTP; by either way of sending.
  for (const { retryAfterSec } of [refused, heard.ofType('error').at(-1)!])
    expect(Array.from({ length: 60 }, (_, i) => i + 1)).toContain(retryAfterSec);
  expect(heard.ofType('error')[0]).not.toHaveProperty('retryAfterSec');
  await eventually(() => logged(person)).toEqual([
    { action: 'messages_refused', details: { room: 'inbox' } },
  ]);
  send(300);
  expect(await left).toBe(FLOODING);
  expect(await logged(person)).toHaveLength(1);
});
