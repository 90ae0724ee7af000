/** The RC cases of calls and matches: what two people do at the same moment has one outcome, which both are told. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localRoom } from '../../../src/actors/colyseus.ts';
import { useApp } from '../../support/app.ts';
import { type Answer, Inbox, type Json, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { type Couple, newMatch, newPerson, type Talk } from '../../support/signedIn.ts';
import { pause } from './processes.ts';

const RING_MS = 2_000;
const TALK_MS = 4_000;
const app = useApp({
  CALL_RING_SEC: `${RING_MS / 1000}`,
  CALL_DURATION_SEC: `${TALK_MS / 1000}`,
  CALL_EXTENSION_SEC: '60',
  CALL_WARNING_SEC: '1',
  CALL_REQUEST_SEC: '3',
});
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db?.end());

/** A call that rings at Bob's, Ann in its room. */
async function ringing(couple?: Couple): Promise<Talk> {
  const { ann, bob, matchId } = couple ?? (await newMatch(app));
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const atAnn = new Inbox(await ann.sit(seat));
  const atBob = new Inbox(await bob.sit((await bob.ok('POST', `/calls/${call.id}/join`)).seat));
  return { ann, bob, matchId, callId: call.id, atAnn, atBob };
}

/** A call in which they talk: audio, which nobody here has, is said to flow. */
async function talking(): Promise<Talk> {
  const talk = await ringing();
  await talk.bob.ok('POST', `/calls/${talk.callId}/answer`, {});
  const room = localRoom(talk.callId) as unknown as { command(given: object): Promise<{ call: Json }> };
  expect((await room.command({ command: { type: 'media_flowing' } })).call.phase).toBe('active');
  return talk;
}

const act = (person: Person, talk: Talk, verb: string): Promise<Answer<Json>> =>
  person.call('POST', `/calls/${talk.callId}/${verb}`, verb === 'answer' ? {} : undefined);

/** What was committed, in order. */
async function journal(callId: string): Promise<{ command: string; phase: string; state: Json }[]> {
  const { rows } = await db.query(
    'select command, phase, state from call_journal where call_id = $1 order by version',
    [callId],
  );
  return rows;
}

async function commands(callId: string): Promise<string[]> {
  return (await journal(callId)).map(({ command }) => command).filter((name) => !/joined|dropped/.test(name));
}

/** Both hear the same end, once, and it is the one that was committed. */
async function oneEnd(talk: Talk): Promise<string> {
  const [toAnn, toBob] = await Promise.all(
    [talk.atAnn, talk.atBob].map((inbox) => inbox.next('call:ended', undefined, 20_000)),
  );
  expect(toAnn).toEqual(toBob);
  const ends = (await journal(talk.callId)).filter(({ phase }) => phase === 'ended');
  expect(ends).toHaveLength(1);
  expect(toAnn!.outcome).toBe(ends[0]!.state.outcome);
  for (const inbox of [talk.atAnn, talk.atBob]) expect(inbox.ofType('call:ended')).toHaveLength(1);
  return toAnn!.outcome;
}

describe('while it rings', () => {
  test.each([
    ['answer', 'reject'],
    ['answer', 'answer'],
    ['reject', 'reject'],
  ])('the callee’s two devices %s and %s at once: one of them counts', async (one, other) => {
    const talk = await ringing();
    const answers = await Promise.all([act(talk.bob, talk, one), act(talk.bob, talk, other)]);
    const done = await commands(talk.callId);
    expect(done.filter((name) => name === 'answer' || name === 'reject')).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    await act(talk.ann, talk, 'end');
    await oneEnd(talk);
  });

  test.each(['answer', 'reject'])('the caller hangs up and the callee does %s: one outcome', async (verb) => {
    for (let round = 0; round < 3; round++) {
      const talk = await ringing();
      const [ended, other] = await Promise.all([act(talk.ann, talk, 'end'), act(talk.bob, talk, verb)]);
      expect(ended!.status).toBe(200);
      expect([200, 409]).toContain(other!.status);
      expect(['cancelled', 'rejected']).toContain(await oneEnd(talk));
    }
  });

  test('RC-11 answered at the very end of ringing: answered or missed, never both', async () => {
    const offsetsMs = [-12, -8, -5, -3, -1, 0, 1, 3, 5, 8];
    // Made before anything rings, which is not for long.
    const couples = await Promise.all(offsetsMs.map(() => newMatch(app)));
    const outcomes = await Promise.all(
      offsetsMs.map(async (offsetMs, i) => {
        const talk = await ringing(couples[i]);
        const { call, serverNow } = await talk.bob
          .ok('POST', `/calls/${talk.callId}/join`)
          .then((joined) => ({
            call: joined.call,
            serverNow: joined.seat.serverNow,
          }));
        await pause(Date.parse(call.ringUntil) - serverNow + offsetMs);
        const answer = await act(talk.bob, talk, 'answer');
        const done = (await commands(talk.callId)).filter((name) => name === 'answer' || name === 'tick');
        if (answer.status === 200) {
          expect(done).toEqual(['answer']);
          await act(talk.ann, talk, 'end');
          expect(await oneEnd(talk)).toBe('cancelled');
        } else {
          expect(answer.status).toBe(409);
          expect(await oneEnd(talk)).toBe('missed');
          expect(await commands(talk.callId)).not.toContain('answer');
        }
        return answer.status;
      }),
    );
    expect(outcomes).toHaveLength(10);
  });
});

describe('while they talk', () => {
  test('RC-15 both upgrade: video, once', async () => {
    const talk = await talking();
    const answers = await Promise.all([act(talk.ann, talk, 'upgrade'), act(talk.bob, talk, 'upgrade')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await talk.ann.ok('GET', `/calls/${talk.callId}`)).call).toMatchObject({
      media: 'video',
      pending: null,
    });
    for (const inbox of [talk.atAnn, talk.atBob]) {
      await inbox.next('call:upgraded');
      expect(inbox.ofType('call:upgraded')).toHaveLength(1);
    }
    await act(talk.ann, talk, 'end');
    await oneEnd(talk);
  });

  test('both extend: one extension', async () => {
    const talk = await talking();
    const { call: before } = await talk.ann.ok('GET', `/calls/${talk.callId}`);
    await Promise.all([act(talk.ann, talk, 'extend'), act(talk.bob, talk, 'extend')]);
    const { call } = await talk.bob.ok('GET', `/calls/${talk.callId}`);
    expect(call).toMatchObject({ extensions: 1, pending: null });
    expect(Date.parse(call.endsAt) - Date.parse(before.endsAt)).toBe(60_000);
    await act(talk.bob, talk, 'end');
    await oneEnd(talk);
  });

  test('one extends, the other upgrades: one question stands, the other is refused', async () => {
    const talk = await talking();
    const answers = await Promise.all([act(talk.ann, talk, 'extend'), act(talk.bob, talk, 'upgrade')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const { call } = await talk.ann.ok('GET', `/calls/${talk.callId}`);
    expect(call).toMatchObject({ extensions: 0, media: 'audio' });
    expect(['extend', 'upgrade']).toContain(call.pending.kind);
    await act(talk.ann, talk, 'end');
    await oneEnd(talk);
  });

  test('RC-13 extended at the last moment, and hung up at it: both agree, and it is charged once at most', async () => {
    await Promise.all(
      [-20, -10, -5, -2, 0, 2].map(async (offsetMs, nth) => {
        const talk = await talking();
        await act(talk.ann, talk, 'extend');
        const joined = await talk.bob.ok('POST', `/calls/${talk.callId}/join`);
        await talk.atBob.room.leave().catch(() => {});
        const back = new Inbox(await talk.bob.sit(joined.seat));
        await pause(Date.parse(joined.call.endsAt) - joined.seat.serverNow + offsetMs);
        const verb = nth % 2 === 0 ? 'extend' : 'end';
        await Promise.all([act(talk.bob, talk, 'extend'), act(talk.ann, talk, verb)]);
        await act(talk.ann, talk, 'end');
        await oneEnd({ ...talk, atBob: back });
        const lines = await journal(talk.callId);
        const last = lines.at(-1)!.state;
        expect(last.extensions).toBeLessThanOrEqual(1);
        expect(last.endsAt - last.startedAt).toBe(TALK_MS + last.extensions * 60_000);
        // Not extended: it ended when it was due, or when somebody hung up before.
        if (last.extensions === 0) expect(last.endedAt).toBeLessThanOrEqual(last.endsAt);
      }),
    );
  });

  test('RC-17 twenty ends, one after the other and at once: one end, one duration', async () => {
    const talk = await talking();
    const first = await act(talk.ann, talk, 'end');
    const again = await Promise.all(
      Array.from({ length: 19 }, (_, i) => act(i % 2 === 0 ? talk.ann : talk.bob, talk, 'end')),
    );
    for (const { status, body } of again) {
      expect(status).toBe(200);
      expect(body.call).toEqual(first.body.call);
    }
    expect(await oneEnd(talk)).toBe('completed');
  });

  test.each([
    ['RC-19 blocked', (talk: Talk) => talk.bob.ok('POST', `/users/block/${talk.ann.id}`)],
    ['RC-21 the match ended', (talk: Talk) => talk.bob.ok('POST', `/matches/${talk.matchId}/end`)],
  ])('%s: over for both, rooms and seats too', async (_, sever) => {
    const talk = await talking();
    const left = [talk.atAnn, talk.atBob].map(
      ({ room }) => new Promise<number>((resolve) => room.onLeave((code) => resolve(code))),
    );
    await sever(talk);
    expect(await oneEnd(talk)).toBe('completed');
    expect(await Promise.all(left)).toEqual([4103, 4103]);
    expect((await act(talk.ann, talk, 'join')).body.code).toBe('CALL_NOT_ACTIVE');
    expect((await talk.ann.call('POST', `/calls/initiate/${talk.matchId}`, {})).body.code).toBe(
      'MATCH_NOT_ACTIVE',
    );
  });
});

test('RC-07 both end the match at once: told once to each, with one reason', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const inboxes = await Promise.all([ann.inbox(), bob.inbox()]);
  const answers = await Promise.all(
    [ann, bob].map((person) => person.call('POST', `/matches/${matchId}/end`)),
  );
  for (const { status } of answers) expect([200, 409]).toContain(status);
  const ends = await Promise.all(inboxes.map((inbox) => inbox.next('match:ended', undefined, 20_000)));
  expect(ends[0]!.reason).toBe(ends[1]!.reason);
  const { rows } = await db.query(
    `select user_id from outbox where type = 'match:ended' and payload->>'matchId' = $1`,
    [matchId],
  );
  expect(rows.map(({ user_id }) => user_id).sort()).toEqual([ann.id, bob.id].sort());
});

describe('RC-29 joining what is being closed', () => {
  test('a call that ends: a seat in it, or a clear no', async () => {
    const talk = await ringing();
    await act(talk.ann, talk, 'end');
    const answers: Answer<Json>[] = [];
    const joins: Promise<unknown>[] = [];
    // Its room stays for a second; so these come before, during and after its end.
    for (let i = 0; i < 30; i++) {
      joins.push(act(talk.bob, talk, 'join').then((answer) => answers.push(answer)));
      await pause(50);
    }
    await Promise.all(joins);
    for (const { status, body } of answers) expect([status, body.code]).toEqual([409, 'CALL_NOT_ACTIVE']);
  });

  test('a match’s room that the last one leaves: the next one is in it, or in a new one', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const seat = async (person: Person) => (await person.ok('POST', `/matches/${matchId}/join`)).seat;
    for (let round = 0; round < 15; round++) {
      const room = await ann.sit(await seat(ann));
      const [, joined] = await Promise.all([
        room.leave(),
        (async () => {
          await pause(Math.random() * 10);
          // Whoever loses the race asks for another seat, as the SDK does.
          for (let tries = 0; ; tries++) {
            const taken = await bob.sit(await seat(bob)).catch((error: unknown) => {
              if (tries === 5) throw error;
              return undefined;
            });
            if (taken !== undefined) return taken;
          }
        })(),
      ]);
      expect((await joined.request('match:accept')).match.id).toBe(matchId);
      await joined.leave();
    }
  });
});

describe('WS-29, RC-19 whoever is blocked calls at that moment', () => {
  const rung = async (person: Person) => {
    const { rows } = await db.query(`select 1 from outbox where user_id = $1 and type = 'call:incoming'`, [
      person.id,
    ]);
    return rows.length;
  };
  const severPair = `update matches set due_at = to_timestamp(0) where id = $1`;

  test.each([
    ['HTTP', (ann: Person, matchId: string) => ann.call('POST', `/calls/initiate/${matchId}`, {})],
    [
      'the match’s room',
      async (ann: Person, matchId: string) => {
        const room = await ann.sit((await ann.ok('POST', `/matches/${matchId}/join`)).seat);
        const { reason } = await room.request('call:initiate', {}).catch((error) => error);
        return { body: reason };
      },
    ],
  ])('by %s, waiting for the transaction of the block: refused once that is committed', async (_, call) => {
    const { ann, bob, matchId } = await newMatch(app);
    await db.query('begin');
    await db.query(severPair, [matchId]);
    const calling = call(ann, matchId);
    await eventually(async () => {
      const { rows } = await db.query(
        `select 1 from pg_locks where not granted and locktype = 'transactionid'`,
      );
      return rows.length;
    }).toBeGreaterThan(0);
    await db.query('commit');
    expect((await calling).body).toMatchObject({ code: 'MATCH_NOT_ACTIVE' });
    expect(await rung(bob)).toBe(0);
  });
});

test('a match whose time to accept is over takes no call and no answer, before anybody has swept it', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const expire = `update matches set accept_by = to_timestamp(0), due_at = null where id = $1`;
  await db.query(expire, [matchId]);
  expect((await bob.call('POST', `/calls/${call.id}/answer`, {})).body.code).toBe('MATCH_NOT_ACTIVE');
  await ann.ok('POST', `/calls/${call.id}/end`);
  expect((await bob.call('POST', `/calls/initiate/${matchId}`, {})).body.code).toBe('MATCH_NOT_ACTIVE');
  const { rows } = await db.query(
    `select type from outbox where user_id = any($1::uuid[]) and type in ('call:incoming', 'call:answered', 'match:ready')`,
    [[ann.id, bob.id]],
  );
  expect(rows).toEqual([{ type: 'call:incoming' }]);
});

test('WS-29 whoever blocked somebody hears of the end, and nothing of theirs ever after', async () => {
  const { ann, bob, matchId } = await newMatch(app);
  const third = await newPerson(app);
  const inbox = await bob.inbox();
  await bob.ok('POST', `/users/block/${ann.id}`);
  await inbox.next('match:ended', undefined, 20_000);
  for (const path of [
    `/matches/like/${bob.id}`,
    `/calls/initiate/${matchId}`,
    `/matches/${matchId}/join`,
    `/matches/${matchId}/accept`,
    `/users/report/${bob.id}`,
  ])
    expect(
      (await ann.call('POST', path, path.includes('report') ? { reason: 'other' } : undefined)).status,
    ).toBeGreaterThanOrEqual(200);
  // Something of somebody else's comes through, and by its number nothing came before it.
  const { seq } = inbox.ofType('match:ended')[0]!;
  await third.ok('POST', `/matches/like/${bob.id}`);
  await bob.ok('POST', `/matches/like/${third.id}`);
  const next = await inbox.next('match:created', (event) => event.match?.peer.id === third.id, 20_000);
  expect(next.seq).toBe(seq + 1);
});
