/** IN-33: the same key, the same answer, one effect. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import type { Json } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { picture } from '../../support/images.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';

const app = useApp();
let db: pg.Client;
const withKey = (key: string) => ({ 'idempotency-key': key });

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

/** Ann likes Bob; `like` likes her back, under one key. */
async function newMatchByKey() {
  const [ann, bob] = await Promise.all([newPerson(app, { displayName: 'Zenobia' }), newPerson(app)]);
  await ann.ok('POST', `/matches/like/${bob.id}`);
  const like = () => bob.call('POST', `/matches/like/${ann.id}`, {}, withKey('like'));
  return { ann, bob, like };
}

test('a repeated request is answered from what the first one did, and does nothing again', async () => {
  const { ann, matchId } = await newMatch(app);
  const path = `/calls/initiate/${matchId}`;
  const first = await ann.call('POST', path, {}, withKey('one'));
  expect(first.status).toBe(201);
  const again = await ann.call('POST', path, {}, withKey('one'));
  expect([again.status, again.body.call]).toEqual([201, first.body.call]);
  await ann.ok('POST', `/calls/${first.body.call.id}/end`);
  // Also when doing it again would by now have another effect.
  expect((await ann.call('POST', path, {}, withKey('one'))).body.code).toBe('CALL_NOT_ACTIVE');
  expect((await ann.call('POST', path, {}, withKey('two'))).body.call.id).not.toBe(first.body.call.id);
});

test('whoever was erased in this very moment is told of a conflict', async () => {
  const [ann, bob] = await Promise.all([newPerson(app), newPerson(app)]);
  await db.query('delete from users where id = $1', [bob.id]);
  const answer = await bob.call('POST', `/matches/like/${ann.id}`, {}, withKey('gone'));
  expect([answer.status, answer.body.code]).toEqual([409, 'CONFLICT']);
});

test('a seat that is asked for again is one that still admits', async () => {
  const { ann, matchId } = await newMatch(app);
  const start = () => ann.call('POST', `/calls/initiate/${matchId}`, {}, withKey('seat'));
  await ann.sit((await start()).body.seat);
  await ann.sit((await start()).body.seat);
});

test('a decision that was changed meanwhile is not made again', async () => {
  const [ann, bob] = await Promise.all([newPerson(app), newPerson(app)]);
  const like = () => ann.call('POST', `/matches/like/${bob.id}`, {}, withKey('like'));
  const first = await like();
  await ann.ok('POST', `/matches/dislike/${bob.id}`);
  expect((await like()).body).toEqual(first.body);
  expect((await bob.ok('POST', `/matches/like/${ann.id}`)).match).toBe(null);
  const block = () => ann.call('POST', `/users/block/${bob.id}`, undefined, withKey('block'));
  expect((await block()).status).toBe(204);
  await ann.ok('DELETE', `/users/block/${bob.id}`);
  expect((await block()).status).toBe(204);
  expect((await ann.ok('GET', '/users/blocked')).items).toEqual([]);
});

test('AZ-19, PV-23: who blocked the asker is not shown to him, whatever was answered before', async () => {
  const { ann, bob, like } = await newMatchByKey();
  expect((await like()).body.match.peer.displayName).toBe('Zenobia');
  await ann.ok('POST', `/users/block/${bob.id}`);
  expect((await like()).status).toBe(404);
});

test('what is kept are ids: nobody’s card and no seat', async () => {
  const { bob, like } = await newMatchByKey();
  const { match } = (await like()).body;
  const { body } = await bob.call('POST', `/calls/initiate/${match.id}`, {}, withKey('call'));
  await bob.call('POST', '/realtime/inbox', undefined, withKey('inbox'));
  await bob.call('POST', `/matches/${match.id}/join`, undefined, withKey('join'));
  const eve = await newPerson(app);
  await bob.ok('POST', `/matches/dislike/${eve.id}`);
  expect((await bob.call('POST', '/matches/undo', {}, withKey('undo'))).body.undone.id).toBe(eve.id);
  await bob.call('POST', `/matches/${match.id}/end`, undefined, withKey('end'));
  const { rows } = await db.query('select key, body from idempotency_keys where user_id = $1', [bob.id]);
  expect(Object.fromEntries(rows.map((row) => [row.key, row.body.done]))).toEqual({
    like: { decision: 'like', matchId: match.id },
    call: body.call.id,
    inbox: null,
    join: null,
    undo: eve.id,
    end: null,
  });
});

test('the same key with another request is a conflict', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  expect(
    (await ann.call('POST', `/calls/initiate/${matchId}`, { media: 'audio' }, withKey('k'))).status,
  ).toBe(201);
  const other = await ann.call('POST', `/calls/initiate/${matchId}`, { media: 'video' }, withKey('k'));
  expect(other.body.code).toBe('CONFLICT');
  // What a path names is part of the request.
  const cay = await newPerson(app);
  const like = (id: string) => ann.call('POST', `/matches/like/${id}`, {}, withKey('like'));
  expect((await like(bob.id)).status).toBe(200);
  expect((await like(cay.id)).body.code).toBe('CONFLICT');
  // A key is its user's own.
  expect((await bob.call('POST', `/matches/${matchId}/end`, undefined, withKey('k'))).status).toBe(200);
});

test('twenty at once: one effect, and every answer is that one or a conflict', async () => {
  const { ann, bob } = await newMatch(app);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      ann.call('POST', `/users/report/${bob.id}`, { reason: 'rude', block: false }, withKey('report')),
    ),
  );
  const made = answers.filter((answer) => answer.status === 201);
  expect(new Set(made.map((answer) => answer.body.reportId)).size).toBe(1);
  expect(answers.filter((answer) => answer.status !== 201 && answer.body.code !== 'CONFLICT')).toEqual([]);
});

test('whose process died with it is done by the next one, whose process lives is waited for', async () => {
  const { ann, bob } = await newMatch(app);
  const report = () =>
    ann.call('POST', `/users/report/${bob.id}`, { reason: 'rude', block: false }, withKey('attempt'));
  const first = await report();
  expect(first.status).toBe(201);
  const inWorkAt = (holder: string) =>
    db.query(
      `update idempotency_keys set status = null, body = coalesce(body #> '{done,reportId}', body), holder = $2,
         created_at = clock_timestamp() - interval '2 s' where user_id = $1 and key = 'attempt'`,
      [ann.id, holder],
    );
  await db.query(`select pg_advisory_lock(hashtextextended('duet process living', 0))`);
  await inWorkAt('living');
  expect((await report()).body.code).toBe('CONFLICT');
  // A PostgreSQL that has just started does not say of anybody that they are gone. However long that takes, the key is no
  // older.
  await eventually(async () => {
    await inWorkAt('gone');
    return (await report()).body;
  }).toEqual(first.body);
  // What was remembered is not for another request under the same key.
  await inWorkAt('gone');
  const other = { reason: 'spam', block: false };
  const taken = await ann.call('POST', `/users/report/${bob.id}`, other, withKey('attempt'));
  expect(taken.body.code).toBe('CONFLICT');
});

test('a refusal is not remembered', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const early = await ann.call('POST', `/calls/${call.id}/extend`, undefined, withKey('later'));
  expect(early.body.code).toBe('WRONG_PHASE');
  await bob.ok('POST', `/calls/${call.id}/end`);
  expect((await ann.call('POST', `/calls/${call.id}/extend`, undefined, withKey('later'))).body.code).toBe(
    'CALL_NOT_ACTIVE',
  );
});

test('… also where the request had remembered what it was to make: another may be sent under the same key', async () => {
  const me = await newPerson(app);
  const send = async (bytes: Buffer) => {
    const response = await fetch(`${app.url}/api/v1/users/me/photos`, {
      method: 'POST',
      headers: { authorization: `Bearer ${me.token}`, 'content-type': 'image/jpeg', ...withKey('photo') },
      body: new Uint8Array(bytes),
    });
    return { status: response.status, body: (await response.json()) as Json };
  };
  const good = await picture(1);
  expect((await send(good.subarray(0, 2_000))).status).toBe(400);
  const made = await send(good);
  expect(made.status).toBe(201);
  expect((await send(good)).body.id).toBe(made.body.id);
});

test('… but not where an earlier attempt remembered it, and has perhaps done it', async () => {
  const { ann, bob } = await newMatch(app);
  const remembered = newId();
  const report = () =>
    ann.call(
      'POST',
      `/users/report/${bob.id}`,
      { reason: 'rude', callId: remembered },
      withKey('remembered'),
    );
  const blocker = new pg.Client(app.dbUrl);
  await blocker.connect();
  // Holds up what comes after the key was taken, until somebody else seems to have it.
  await blocker.query('begin');
  await blocker.query('lock table blocks in access exclusive mode');
  const first = report();
  const find = `select body from idempotency_keys where user_id = $1 and key = 'remembered'`;
  await eventually(async () => (await db.query(find, [ann.id])).rows.length).toBe(1);
  await db.query(
    `update idempotency_keys set body = to_jsonb($2::text), created_at = clock_timestamp()
     where user_id = $1 and key = 'remembered'`,
    [ann.id, remembered],
  );
  await blocker.query('commit');
  await blocker.end();
  expect((await first).status).toBe(400);
  expect((await db.query(find, [ann.id])).rows).toEqual([{ body: remembered }]);
  expect((await report()).body.code).toBe('CONFLICT');
});

test.each(['', 'x'.repeat(256), 'käse'])('a key must be readable: %#', async (key) => {
  const { ann, matchId } = await newMatch(app);
  const send = () => ann.call('POST', `/matches/${matchId}/end`, undefined, withKey(encodeURI(key)));
  const { status } = await send();
  expect(status).toBe(key.length > 255 ? 400 : 200);
});
