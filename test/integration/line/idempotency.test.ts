/** IN-33: the same key, the same answer, one effect. */
import { expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import { newMatch } from '../../support/signedIn.ts';

const app = useApp();
const withKey = (key: string) => ({ 'idempotency-key': key });

test('a repeated request is answered with the first answer and does nothing again', async () => {
  const { ann, matchId } = await newMatch(app);
  const path = `/calls/initiate/${matchId}`;
  const first = await ann.call('POST', path, {}, withKey('one'));
  expect(first.status).toBe(201);
  const again = await ann.call('POST', path, {}, withKey('one'));
  expect([again.status, again.body]).toEqual([201, first.body]);
  await ann.ok('POST', `/calls/${first.body.call.id}/end`);
  // Also when doing it again would by now have another effect.
  expect((await ann.call('POST', path, {}, withKey('one'))).body).toEqual(first.body);
  expect((await ann.call('POST', path, {}, withKey('two'))).body.call.id).not.toBe(first.body.call.id);
});

test('the same key with another request is a conflict', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  expect(
    (await ann.call('POST', `/calls/initiate/${matchId}`, { media: 'audio' }, withKey('k'))).status,
  ).toBe(201);
  const other = await ann.call('POST', `/calls/initiate/${matchId}`, { media: 'video' }, withKey('k'));
  expect(other.body.code).toBe('CONFLICT');
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

test.each(['', 'x'.repeat(256), 'käse'])('a key must be readable: %#', async (key) => {
  const { ann, matchId } = await newMatch(app);
  const send = () => ann.call('POST', `/matches/${matchId}/end`, undefined, withKey(encodeURI(key)));
  const { status } = await send();
  expect(status).toBe(key.length > 255 ? 400 : 200);
});
