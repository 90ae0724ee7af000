/** What one person can try on another through the whole program: decisions, lists, profiles. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useApp } from '../../support/app.ts';
import type { Answer, Json, Person } from '../../support/client.ts';
import { match, newPeople } from '../../support/signedIn.ts';

const app = useApp({ LIKES_PER_DAY_REGULAR: '50' });
const NOBODY = '0190a0a0-0000-7000-8000-000000000000';
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

const people = (count: number) => newPeople(app, count);
const setStatus = (person: Person, status: string) =>
  db.query('update users set status = $2 where id = $1', [person.id, status]);

const withoutIds = ({ requestId: _, ...rest }: Json): Json => rest;

describe('AZ-15 whom one cannot decide on, report or block', () => {
  const verbs = ['/matches/like/', '/matches/dislike/', '/users/block/', '/users/report/'];
  const bodyOf = (path: string) => (path.includes('report') ? { reason: 'spam' } : undefined);

  test('is a uniform answer, whatever the reason', async () => {
    const [me, blocker, ...gone] = await people(5);
    await blocker!.ok('POST', `/users/block/${me!.id}`);
    await setStatus(gone[0]!, 'banned');
    await setStatus(gone[1]!, 'deleted');
    await setStatus(gone[2]!, 'suspended');
    for (const verb of verbs) {
      const answers = await Promise.all(
        [NOBODY, blocker!.id, ...gone.map(({ id }) => id)].map((id) =>
          me!.call('POST', verb + id, bodyOf(verb)),
        ),
      );
      for (const answer of answers) {
        expect(answer.status, verb).toBe(404);
        expect(withoutIds(answer.body)).toEqual(withoutIds(answers[0]!.body));
      }
    }
  });

  test('oneself and what is no id are refused as well', async () => {
    const [me] = await people(1);
    for (const verb of verbs) {
      expect((await me!.call('POST', verb + me!.id, bodyOf(verb))).status, verb).toBe(400);
      for (const id of ['x', '1', "' or 1=1", me!.id.toUpperCase().replaceAll('-', '')]) {
        const answer = await me!.call('POST', verb + encodeURIComponent(id), bodyOf(verb));
        expect([400, 404], `${verb}${id}`).toContain(answer.status);
      }
    }
  });
});

describe('decisions', () => {
  test('AZ-29: a like is answered the same whether or not the other one likes already, but for the match', async () => {
    const [me, liker, stranger] = await people(3);
    await liker!.ok('POST', `/matches/like/${me!.id}`);
    const [mutual, plain] = [
      await me!.call('POST', `/matches/like/${liker!.id}`),
      await me!.call('POST', `/matches/like/${stranger!.id}`),
    ];
    expect(mutual.body.match.peer.id).toBe(liker!.id);
    expect({ ...mutual.body, match: null }).toEqual(plain.body);
    const names = (answer: Answer<Json>) => [...answer.headers.keys()].sort();
    expect(names(mutual)).toEqual(names(plain));
    // Nor does anything else of the API know of a like before it is mutual.
    expect((await stranger!.call('GET', `/users/${me!.id}`)).status).toBe(404);
    for (const path of ['/matches/active', '/matches/history', '/users/blocked']) {
      expect((await stranger!.ok('GET', path)).items).toEqual([]);
    }
  });

  test('RC-01: mutual likes at once are one match, told once to each', async () => {
    const pairs = 20;
    const all = await people(pairs * 2);
    const inboxes = await Promise.all(all.slice(0, 8).map((person) => person.inbox()));
    await Promise.all(
      Array.from({ length: pairs }, (_, n) => [all[2 * n]!, all[2 * n + 1]!] as const).flatMap(
        ([one, other]) => [
          one.ok('POST', `/matches/like/${other.id}`),
          other.ok('POST', `/matches/like/${one.id}`),
        ],
      ),
    );
    for (const inbox of inboxes) await inbox.next('match:created', () => true, 20_000);
    for (const person of all) {
      const { items } = await person.ok('GET', '/matches/active');
      expect(items).toHaveLength(1);
    }
    for (const inbox of inboxes) expect(inbox.ofType('match:created')).toHaveLength(1);
    await Promise.all(all.slice(0, 8).map((person) => person.leave()));
  });

  test('RC-03: a like and a block at once never leave an active match', async () => {
    const all = await people(40);
    for (let n = 0; n < 20; n++) {
      const [one, other] = [all[2 * n]!, all[2 * n + 1]!];
      await one.ok('POST', `/matches/like/${other.id}`);
      const [liked, blocked] = await Promise.all([
        other.call('POST', `/matches/like/${one.id}`),
        one.call('POST', `/users/block/${other.id}`),
      ]);
      expect([200, 404]).toContain(liked.status);
      expect(blocked.status).toBe(204);
      const { rows } = await db.query(
        `select 1 from matches where status = 'active' and (low_id = $1 or high_id = $1)`,
        [one.id],
      );
      expect(rows).toEqual([]);
    }
  });

  test('RC-05: a like and a dislike at once are one decision', async () => {
    const all = await people(20);
    for (let n = 0; n < 10; n++) {
      const [one, other] = [all[2 * n]!, all[2 * n + 1]!];
      await Promise.all([
        one.call('POST', `/matches/like/${other.id}`),
        one.call('POST', `/matches/dislike/${other.id}`),
      ]);
      const { rows } = await db.query(
        `select coalesce(case when low_id = $1 then low_decision else high_decision end, 'none') as decision
         from pair_decisions where low_id = $1 or high_id = $1`,
        [one.id],
      );
      expect(rows).toHaveLength(1);
      const { match: made } = await other.ok('POST', `/matches/like/${one.id}`);
      expect(made !== null).toBe(rows[0].decision === 'like');
    }
  });

  test('RC-22: twenty ends, or an end and a block, of one match are one end, told once', async () => {
    const [one, other] = await people(2);
    const inbox = await other!.inbox();
    const matchId = await match(one!, other!);
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, () => one!.call('POST', `/matches/${matchId}/end`)),
      ...Array.from({ length: 10 }, () => other!.call('POST', `/matches/${matchId}/end`)),
      one!.call('POST', `/users/block/${other!.id}`),
    ]);
    for (const { status } of answers) expect([200, 204, 404, 409]).toContain(status);
    await inbox.next('match:ended', (event) => event.matchId === matchId, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(inbox.ofType('match:ended')).toHaveLength(1);
    await other!.leave();
  });

  test('RC-27: 200 likes at once are as many as the day has', async () => {
    const [me] = await people(1);
    const others = await people(200);
    const answers = await Promise.all(others.map((other) => me!.call('POST', `/matches/like/${other.id}`)));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(50);
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused).toHaveLength(150);
    for (const { headers } of refused) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('RC: of two undos at once each takes a dislike of its own back, or is told to ask again', async () => {
    const [me, first, second] = await people(3);
    await me!.ok('POST', `/matches/dislike/${first!.id}`);
    await me!.ok('POST', `/matches/dislike/${second!.id}`);
    const undo = () => me!.call('POST', '/matches/undo', {});
    const answers = await Promise.all([undo(), undo()]);
    const undone = answers.filter((answer) => answer.status === 200).map((answer) => answer.body.undone.id);
    expect(new Set(undone).size).toBe(undone.length);
    expect(answers.every((answer) => [200, 409].includes(answer.status))).toBe(true);
  });
});

describe('AZ-18, AZ-20 lists', () => {
  test('a cursor is of one list: somebody else’s, another list’s and made-up ones show nothing new', async () => {
    const [me, other, third] = await people(3);
    await match(other!, third!);
    const theirs = (await other!.ok('GET', '/matches/active')).items[0].id;
    const { nextCursor } = await other!.ok('GET', '/users/discovery?limit=1');
    const cursors = [theirs, nextCursor ?? 'none', '', "' or 1=1 --", '%00', '0.0', '../..', 'a'.repeat(513)];
    for (const path of ['/matches/active', '/matches/history', '/users/blocked', '/users/discovery']) {
      for (const cursor of cursors) {
        const answer = await me!.call('GET', `${path}?cursor=${encodeURIComponent(cursor)}`);
        expect([200, 400], `${path} ${cursor}`).toContain(answer.status);
        if (path !== '/users/discovery' && answer.status === 200) expect(answer.body.items).toEqual([]);
      }
    }
  });

  test('a stranger’s match is not there, whatever one tries on it', async () => {
    const [me, one, other] = await people(3);
    const matchId = await match(one!, other!);
    for (const path of [
      `/matches/${matchId}/end`,
      `/matches/${matchId}/join`,
      `/calls/initiate/${matchId}`,
    ]) {
      expect((await me!.call('POST', path, {})).status, path).toBe(404);
    }
    expect((await one!.ok('GET', '/matches/active')).items[0]).toMatchObject({
      id: matchId,
      status: 'active',
    });
  });
});

describe('profiles', () => {
  test('IN-19: preferences out of range are refused and change nothing', async () => {
    const [me] = await people(1);
    const before = await me!.ok('GET', '/users/me');
    const bad = [
      { minAge: 40, maxAge: 30 },
      { minAge: 17 },
      { maxAge: 100 },
      { maxDistanceKm: 0 },
      { maxDistanceKm: -1 },
      { maxDistanceKm: 1e9 },
      { minAge: 20.5 },
      { genders: [] },
      { genders: ['woman', 'woman'] },
      { genders: ['robot'] },
      { hideDistance: 'yes' },
      { minAge: '20' },
      { minAge: null },
    ];
    for (const edit of bad) {
      const answer = await me!.call('PATCH', '/users/me/preferences', edit);
      expect(answer.status, JSON.stringify(edit)).toBe(400);
      expect(['VALIDATION_FAILED', 'INVALID_AGE_RANGE']).toContain(answer.body.code);
    }
    expect(await me!.ok('GET', '/users/me')).toEqual({ ...before, photos: before.photos });
  });

  test('RC: preferences that exclude each other, set at once, never leave a minimum above the maximum', async () => {
    const [me] = await people(1);
    for (let round = 0; round < 10; round++) {
      await me!.ok('PATCH', '/users/me/preferences', { minAge: 20, maxAge: 60 });
      await Promise.all([
        me!.call('PATCH', '/users/me/preferences', { minAge: 50 }),
        me!.call('PATCH', '/users/me/preferences', { maxAge: 30 }),
      ]);
      const { preferences } = await me!.ok('GET', '/users/me');
      expect(preferences.minAge).toBeLessThanOrEqual(preferences.maxAge);
    }
  });

  test('IN-23: markup is text, in and out, and never sniffed', async () => {
    const [me, other] = await people(2);
    await match(me!, other!);
    const bio = '<script>alert(1)</script><img src=x onerror=alert(1)>"`{{7*7}}';
    await me!.ok('PUT', '/users/me', { bio, displayName: '<b>Bob</b>', interests: ['"><svg onload=1>'] });
    const answer = await other!.call('GET', `/users/${me!.id}`);
    expect(answer.body).toMatchObject({ bio, displayName: '<b>Bob</b>', interests: ['"><svg onload=1>'] });
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('IN-31: text is counted as people count, composed, and without what hides', async () => {
    const [me] = await people(1);
    const family = '👨‍👩‍👧‍👦';
    const name = (displayName: string) => me!.call('PUT', '/users/me', { displayName });
    expect((await name(family.repeat(50))).body.displayName).toBe(family.repeat(50));
    expect((await name(family.repeat(51))).status).toBe(400);
    expect((await name('e\u0301')).body.displayName).toBe('é');
    for (const bad of [
      'a\u202eb',
      '\u2066a',
      'a\u0000',
      `Z${'\u0321'.repeat(10_000)}`,
      '\u200f',
      '  ',
      '\n',
      'a\u0007',
    ]) {
      expect((await name(bad)).status, JSON.stringify(bad.slice(0, 10))).toBe(400);
    }
  });

  test('AZ-12, AZ-13: nobody makes himself somebody else', async () => {
    const [me] = await people(1);
    const before = (
      await db.query('select role, tier, status, birth_date, email from users where id = $1', [me!.id])
    ).rows[0];
    const fields = {
      role: 'admin',
      tier: 'premium',
      status: 'banned',
      birthDate: '2000-01-01',
      email: 'x@y.z',
      id: NOBODY,
    };
    for (const [key, value] of Object.entries(fields)) {
      for (const body of [
        { [key]: value },
        { bio: 'x', [key]: value },
        JSON.parse(`{"__proto__":{"${key}":"${value}"}}`),
        { constructor: { prototype: { [key]: value } } },
      ]) {
        expect((await me!.call('PUT', '/users/me', body)).status, JSON.stringify(body)).toBe(400);
        expect((await me!.call('PATCH', '/users/me/preferences', body)).status).toBe(400);
      }
    }
    const after = (
      await db.query('select role, tier, status, birth_date, email from users where id = $1', [me!.id])
    ).rows[0];
    expect(after).toEqual(before);
  });

  test('PV-02, PV-04: what others see of a person has no place, no date of birth and no address in it', async () => {
    const [me, other] = await people(2);
    for (const person of [me!, other!]) {
      await person.ok('PUT', '/users/me', { location: { lat: 48.858222, lon: 2.2945 } });
    }
    await match(me!, other!);
    const seen = JSON.stringify([
      await other!.ok('GET', `/users/${me!.id}`),
      await other!.ok('GET', '/matches/active'),
      await other!.ok('GET', '/users/discovery'),
      await other!.ok(
        'POST',
        `/calls/initiate/${(await other!.ok('GET', '/matches/active')).items[0].id}`,
        {},
      ),
    ]);
    const { cell } = (await me!.ok('GET', '/users/me')).location;
    for (const secret of [
      '48.85',
      '2.29',
      cell,
      '1990-01-01',
      'birthDate',
      'email',
      me!.email,
      'cell',
      'lat"',
    ]) {
      expect(seen, secret).not.toContain(secret);
    }
  });
});
