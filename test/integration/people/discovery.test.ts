import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { Discovery } from '../../../src/people/Discovery.ts';
import { ShowCounts } from '../../../src/people/ShowCounts.ts';
import type { ProfileEdit } from '../../../src/people/shapes.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { usePeople } from '../../support/people.ts';

const setStatus = sql('test-status', `update users set status = $2 where id = $1`);
const setActive = sql(
  'test-active',
  `update users set last_active_at = now() - $2 * interval '1 hour' where id = $1`,
);
const endMatch = sql('test-end', `update matches set status = 'ended', ended_at = $2 where id = $1`);
const ageDecisions = sql(
  'test-age',
  `update pair_decisions set low_at = low_at - $3 * interval '1 day', high_at = high_at - $3 * interval '1 day' where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid)`,
);
const showsOf = sql<{ day: string; shows: number; rested_on: string }>(
  'test-shows-of',
  `select s.day, s.shows, u.rested_on from show_counts s join users u on u.id = s.user_id where u.id = $1`,
);
const rawBlock = sql(
  'test-raw-block',
  `insert into blocks (blocker_id, blocked_id, created_at) values ($1, $2, now())`,
);
const rawPair = sql(
  'test-raw-pair',
  `insert into pair_decisions (low_id, high_id, low_blocked, high_blocked)
   values (least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), $1::uuid < $2::uuid, $1::uuid > $2::uuid)`,
);

/** Each test has a town of its own, far from the others. */
const town = (n: number) => ({ lat: 10 + n * 3, lon: 20 });

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DuetError ? error.code : String(error)),
  );
}

describe('discovery', () => {
  const at = usePeople();
  const idsFor = async (viewerId: string) =>
    (await at.world.discovery.list(viewerId, { limit: 100 })).items.map((card) => card.id);
  const live = (id: string, location: ProfileEdit['location'], edit: ProfileEdit = {}) =>
    at.world.people.editProfile(id, { ...edit, location });

  it('shows only whom both sides want, and nobody who is out of the question', async () => {
    const { world } = at;
    const here = town(0);
    const me = await world.person({ gender: 'woman' });
    await live(me, here);
    await world.people.editPreferences(me, { minAge: 25, maxAge: 35, genders: ['man'], maxDistanceKm: 30 });
    const make = async (person: Parameters<typeof world.person>[0], where = here) => {
      const id = await world.person({ gender: 'man', ...person });
      await live(id, where);
      return id;
    };
    const good = await make({});
    const bad = {
      gender: await make({ gender: 'woman' }),
      young: await make({ birthDate: `${new Date().getUTCFullYear() - 20}-01-01` }),
      old: await make({ birthDate: `${new Date().getUTCFullYear() - 50}-01-01` }),
      unverified: await make({ verified: false }),
      far: await make({}, { lat: here.lat + 1, lon: here.lon }),
      pickyAge: await make({}),
      pickyGender: await make({}),
      paused: await make({}),
      suspended: await make({}),
      banned: await make({}),
      blocked: await make({}),
      blocker: await make({}),
      liked: await make({}),
      disliked: await make({}),
    };
    await world.people.editPreferences(bad.pickyAge, { minAge: 40, maxAge: 50 });
    await world.people.editPreferences(bad.pickyGender, { genders: ['man', 'nonbinary'] });
    await world.people.editPreferences(bad.paused, { discoverable: false });
    await world.db.query(setStatus, [bad.suspended, 'suspended']);
    await world.db.query(setStatus, [bad.banned, 'banned']);
    await world.blocks.block(me, bad.blocked);
    await world.blocks.block(bad.blocker, me);
    await world.decisions.decide(me, bad.liked, 'like');
    await world.decisions.decide(me, bad.disliked, 'dislike');
    const shown = await idsFor(me);
    const names = Object.entries(bad).filter(([, id]) => shown.includes(id));
    expect(names).toEqual([]);
    expect(shown).toContain(good);
    expect(shown).not.toContain(me);

    // Everything that can be undone brings people back at once.
    await world.people.editPreferences(bad.paused, { discoverable: true });
    await world.blocks.unblock(me, bad.blocked);
    expect(await world.decisions.undo(me)).toBe(bad.disliked);
    const later = await idsFor(me);
    expect(later).toEqual(expect.arrayContaining([good, bad.paused, bad.blocked, bad.disliked]));
  });

  it('shows people of a hundred and more to who looks up to 99, and them whoever does', async () => {
    const { world } = at;
    const old = await world.person({ birthDate: `${new Date().getUTCFullYear() - 102}-01-01` });
    const [open, young] = await world.persons(2);
    for (const id of [old, open!, young!]) {
      await live(id, town(14));
      await world.people.editPreferences(id, { maxDistanceKm: 20 });
    }
    await world.people.editPreferences(young!, { maxAge: 98 });
    expect(await idsFor(open!)).toContain(old);
    expect(await idsFor(young!)).not.toContain(old);
    expect(await idsFor(old)).toContain(open);
    expect(await idsFor(old)).not.toContain(young);
    await world.people.editPreferences(old, { minAge: 99 });
    expect(await idsFor(old)).not.toContain(open);
  });

  it('never repeats and never skips anybody over its pages, while scores change', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(1));
    const others = await world.persons(150);
    for (const id of others) await live(id, town(1));
    await world.people.editPreferences(me, { maxDistanceKm: 20 });
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 30; page++) {
      const { items, nextCursor } = await world.discovery.list(me, { limit: 10, cursor });
      seen.push(...items.map((card) => card.id));
      // Somebody who was shown, and somebody who was not, change places in the index.
      await live(others[page]!, town(1), {
        bio: `This changes my score, again and again: ${page}`,
        interests: ['A', 'B', 'C'],
      });
      if (nextCursor === null) break;
      cursor = nextCursor;
    }
    const mine = seen.filter((id) => others.includes(id));
    expect(new Set(mine).size).toBe(mine.length);
    expect(new Set(mine)).toEqual(new Set(others));
  });

  it('gives the same page to the same cursor, and refuses cursors that it did not write', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(2));
    for (const id of await world.persons(30)) await live(id, town(2));
    const first = await world.discovery.list(me, { limit: 10 });
    const second = await world.discovery.list(me, { limit: 10, cursor: first.nextCursor! });
    const again = await world.discovery.list(me, { limit: 10, cursor: first.nextCursor! });
    expect(again.items.map((card) => card.id)).toEqual(second.items.map((card) => card.id));
    expect(again.nextCursor).toBe(second.nextCursor);
    for (const cursor of ['x', 'MTIz', Buffer.from('99999999999999.1').toString('base64url'), "' or 1=1"]) {
      expect(await codeOf(world.discovery.list(me, { limit: 10, cursor }))).toBe('VALIDATION_FAILED');
    }
  });

  it('goes on with a browsing that began at a process whose clock is ahead', async () => {
    const { world } = at;
    const now = world.clock.now();
    const [ahead, behind] = [now + 50, now].map(
      (ms) => new Discovery({ ...world, clock: new FakeClock(ms) }),
    );
    const me = await world.person();
    await live(me, town(15));
    const others = await world.persons(12);
    for (const id of others) await live(id, town(15));
    const first = await ahead!.list(me, { limit: 10 });
    const second = await behind!.list(me, { limit: 10, cursor: first.nextCursor! });
    const again = await ahead!.list(me, { limit: 10, cursor: first.nextCursor! });
    const seen = [...first.items, ...second.items].map((card) => card.id);
    expect(new Set(seen).size).toBe(seen.length);
    expect(others.filter((id) => !seen.includes(id))).toEqual([]);
    expect(again.items.map((card) => card.id)).toEqual(second.items.map((card) => card.id));
  });

  it('gives a first page to each of two requests that begin in the same millisecond', async () => {
    const { world } = at;
    const discovery = new Discovery({ ...world, clock: new FakeClock(world.clock.now()) });
    const [me, ...others] = await world.persons(6, { gender: 'nonbinary' });
    await world.people.editPreferences(me!, { genders: ['nonbinary'] });
    const first = await discovery.list(me!, { limit: 4 });
    // The clock stands still: this one begins when the other has been dealt.
    const second = await discovery.list(me!, { limit: 4 });
    expect(second).toEqual(first);
    const rest = await discovery.list(me!, { limit: 4, cursor: second.nextCursor! });
    const seen = [...first.items, ...rest.items].map((card) => card.id);
    expect(others.filter((id) => !seen.includes(id))).toEqual([]);
  });

  it('gives the same page again without who was decided on, has paused or wants others now', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(13));
    await world.people.editPreferences(me, { maxDistanceKm: 20 });
    for (const id of await world.persons(12)) await live(id, town(13));
    const first = await world.discovery.list(me, { limit: 4 });
    const second = await world.discovery.list(me, { limit: 4, cursor: first.nextCursor! });
    const [decided, paused, choosy, stays] = second.items.map((card) => card.id);
    await world.decisions.decide(me, decided!, 'dislike');
    await world.people.editPreferences(paused!, { discoverable: false });
    await world.people.editPreferences(choosy!, { genders: ['man'] });
    const again = await world.discovery.list(me, { limit: 4, cursor: first.nextCursor! });
    expect(again.items.map((card) => card.id)).toEqual([stays]);
    await world.decisions.decide(me, stays!, 'dislike');
    // A page that nobody is left on is still that page, and no other people are dealt for it.
    const empty = await world.discovery.list(me, { limit: 4, cursor: first.nextCursor! });
    expect(empty).toEqual({ items: [], nextCursor: second.nextCursor });
    const third = await world.discovery.list(me, { limit: 4, cursor: empty.nextCursor! });
    expect(third.items).toHaveLength(4);
  });

  it('ranks by shared interests, nearness and who can talk now', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(3), { interests: ['Jazz', 'Tea'] });
    const [plain, shares, far, away] = await world.persons(4);
    const bio = 'I have written as much about myself as everybody else here.';
    await live(plain!, town(3), { bio, interests: ['A', 'B', 'C'] });
    await live(shares!, town(3), { bio, interests: ['jazz', 'tea', 'C'] });
    await live(far!, { lat: town(3).lat + 0.35, lon: town(3).lon }, { bio, interests: ['A', 'B', 'C'] });
    await live(away!, town(3), { bio, interests: ['A', 'B', 'C'] });
    await world.db.query(setActive, [away!, 5]);
    const shown = (await idsFor(me)).filter((id) => [plain, shares, far, away].includes(id));
    expect(shown[0]).toBe(shares);
    expect(shown[1]).toBe(plain);
    expect(shown.slice(2).sort()).toEqual([far, away].sort());
  });

  it('tells nothing about who already likes you', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(4));
    const others = await world.persons(40);
    for (const id of others) await live(id, town(4));
    const before = await idsFor(me);
    for (const id of others.slice(0, 20)) await world.decisions.decide(id, me, 'like');
    await world.cache.forget('candidates', [me]);
    expect(await idsFor(me)).toEqual(before);
  });

  it('lets somebody disliked come back after 30 days, and an ended match after 90', async () => {
    const { world } = at;
    const [me, disliked, matched] = await world.persons(3);
    for (const id of [me!, disliked!, matched!]) await live(id, town(5));
    await world.decisions.decide(me!, disliked!, 'dislike');
    await world.decisions.decide(me!, matched!, 'like');
    const { matchId } = await world.decisions.decide(matched!, me!, 'like');
    expect(await idsFor(me!)).not.toEqual(expect.arrayContaining([disliked]));
    await world.db.query(ageDecisions, [me!, disliked!, 29]);
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 89 * 86_400_000)]);
    const early = await idsFor(me!);
    expect(early).not.toContain(disliked);
    expect(early).not.toContain(matched);
    await world.db.query(ageDecisions, [me!, disliked!, 2]);
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 91 * 86_400_000)]);
    expect(await idsFor(me!)).toEqual(expect.arrayContaining([disliked, matched]));
    // A block outlives every such term.
    await world.blocks.block(matched!, me!);
    expect(await idsFor(me!)).not.toContain(matched);
  });

  it('checks block, ban and decisions again whatever is cached', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(6));
    const others = await world.persons(80);
    for (const id of others) await live(id, town(6));
    const first = await world.discovery.list(me, { limit: 20 });
    const [banned, blocker, decided] = first.items.map((card) => card.id);
    await world.db.query(setStatus, [banned!, 'banned']);
    await world.decisions.decide(me, decided!, 'dislike');
    // Straight into the tables: even a block that no cache was told of counts.
    await world.db.query(rawBlock, [blocker!, me]);
    await world.db.query(rawPair, [blocker!, me]);
    const next = await world.discovery.list(me, { limit: 100 });
    const shown = next.items.map((card) => card.id);
    for (const gone of [banned, blocker, decided]) expect(shown).not.toContain(gone);
    expect(await codeOf(world.people.metCard(me, banned!))).toBe('NOT_FOUND');
    expect(await codeOf(world.people.metCard(me, blocker!))).toBe('NOT_FOUND');
  });

  it('checks again whatever is cached who is of a gender that the other wants', async () => {
    const { world } = at;
    const me = await world.person({ gender: 'woman' });
    await live(me, town(12));
    await world.people.editPreferences(me, { genders: ['man'], maxDistanceKm: 20 });
    const others = await world.persons(80, { gender: 'man' });
    for (const id of others) await live(id, town(12));
    expect((await idsFor(me)).sort()).toEqual(others.toSorted());
    await world.discovery.list(me, { limit: 20 });
    const [left, turnedAway, stay] = [others.slice(0, 20), others.slice(20, 40), others.slice(40)];
    for (const id of left) await world.people.editProfile(id, { gender: 'nonbinary' });
    for (const id of turnedAway) await world.people.editPreferences(id, { genders: ['nonbinary'] });
    const shown = (await world.discovery.list(me, { limit: 40 })).items.map((card) => card.id);
    expect(shown.toSorted()).toEqual(stay.toSorted());
  });

  it('lets a person who was shown enough rest until tomorrow', async () => {
    const { world } = at;
    const [me, star] = await world.persons(2);
    for (const id of [me!, star!]) await live(id, town(7));
    expect(await idsFor(me!)).toContain(star);
    for (let i = 0; i < 1_000; i++) world.shows.add(`viewer ${i}`, [star!]);
    await world.shows.flush();
    expect(await idsFor(me!)).not.toContain(star);
  });

  it('goes on counting around midnight, whichever process’s clock is ahead, and anew after a clock was wrong', async () => {
    const { world } = at;
    const midnight = Date.UTC(2027, 0, 2);
    const star = await world.person();
    let viewers = 0;
    const showAt = async (nowMs: number) => {
      const shows = new ShowCounts({ ...world, clock: new FakeClock(nowMs), showsPerDay: 3 });
      shows.add(`viewer ${viewers++}`, [star]);
      await shows.flush();
      const [row] = await world.db.query(showsOf, [star]);
      return row;
    };
    const [early, late] = [midnight - 50, midnight + 50];
    await showAt(early);
    expect(await showAt(late)).toMatchObject({ day: '2027-01-02', shows: 1 });
    expect(await showAt(early)).toMatchObject({ day: '2027-01-02', shows: 2 });
    // The day that is counted is the one to rest on.
    expect(await showAt(early)).toEqual({ day: '2027-01-02', shows: 3, rested_on: '2027-01-02' });
    await showAt(midnight + 300 * DAY_MS);
    expect(await showAt(late)).toMatchObject({ day: '2027-01-02', shows: 1 });
  });

  it('counts a person once for a viewer, who so cannot make anybody rest by asking again', async () => {
    const { world } = at;
    const shows = new ShowCounts({ ...world, showsPerDay: 2 });
    const discovery = new Discovery({ ...world, shows });
    const [me, another, star] = await world.persons(3, { gender: 'nonbinary' });
    for (const id of [me!, another!, star!]) {
      await live(id, town(11));
      await world.people.editPreferences(id, { genders: ['nonbinary'] });
    }
    const isShownTo = async (id: string) => {
      const { items } = await discovery.list(id, { limit: 100 });
      await shows.flush();
      return items.some((card) => card.id === star);
    };
    await Promise.all([1, 2, 3].map(() => discovery.list(me!, { limit: 100 })));
    await shows.flush();
    for (let again = 0; again < 3; again++) expect(await isShownTo(me!)).toBe(true);
    expect(await isShownTo(another!)).toBe(true);
    // Now two have seen them.
    expect(await isShownTo(me!)).toBe(false);
  });

  it('asks when somebody was shown and not what a cursor says: written by hand, it counts nobody twice', async () => {
    const { world } = at;
    const clock = new FakeClock(world.clock.now());
    const counted: number[] = [];
    const allowance = async (_: string, granted: number) => {
      counted.push(granted);
      return { granted, retryAfterSec: 0 };
    };
    const discovery = new Discovery({ ...world, clock, allowance });
    const [me, star] = await world.persons(2, { gender: 'nonbinary' });
    await world.people.editPreferences(me!, { genders: ['nonbinary'] });
    const isShown = async (cursor?: string) => {
      const { items } = await discovery.list(me!, { limit: 100, cursor });
      return items.some((card) => card.id === star);
    };
    for (let again = 0; again < 4; again++) {
      // The oldest beginning that a cursor may have: a second later it is more than a day ago.
      const cursor = Buffer.from(`${clock.now() - DAY_MS + 1}.1`).toString('base64url');
      expect(await isShown(cursor)).toBe(true);
      clock.advance(1_000);
    }
    expect(counted).toHaveLength(1);
    clock.advance(DAY_MS);
    expect(await isShown()).toBe(true);
    clock.advance(1_000);
    expect(await isShown()).toBe(true);
    expect(counted).toHaveLength(2);
  });

  it('shows a card to who met it in discovery or a match, and to nobody else', async () => {
    const { world } = at;
    const [me, shown, liker, stranger] = await world.persons(4);
    for (const id of [me!, shown!]) await live(id, town(8));
    await live(stranger!, { lat: -60, lon: 0 });
    await live(liker!, { lat: -60, lon: 0 });
    await world.people.editPreferences(me!, { maxDistanceKm: 10 });
    await idsFor(me!);
    expect((await world.people.metCard(me!, shown!)).id).toBe(shown);
    expect(await codeOf(world.people.metCard(me!, stranger!))).toBe('NOT_FOUND');
    await world.decisions.decide(liker!, me!, 'like');
    expect(await codeOf(world.people.metCard(me!, liker!))).toBe('NOT_FOUND');
    await world.decisions.decide(me!, liker!, 'like');
    expect((await world.people.metCard(me!, liker!)).id).toBe(liker);
  });

  it('shows people without a place, or who hide it, to everybody, and tells no distance', async () => {
    const { world } = at;
    // Of a gender that nobody else here has, so that they find each other among hundreds from everywhere.
    const [me, nowhere, hider] = await world.persons(3, { gender: 'nonbinary' });
    for (const id of [me!, nowhere!]) await world.people.editPreferences(id, { genders: ['nonbinary'] });
    await live(me!, town(9));
    await live(hider!, { lat: -50, lon: 100 });
    await world.people.editPreferences(hider!, { hideDistance: true });
    const cards = new Map(
      (await world.discovery.list(me!, { limit: 100 })).items.map((card) => [card.id, card]),
    );
    expect(cards.get(nowhere!)?.distance).toBeNull();
    expect(cards.get(hider!)?.distance).toBeNull();
    expect(await idsFor(nowhere!)).toContain(me);
  });

  it('shows who hides the distance the same people whatever reach those have: a like must not tell where they are', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    await live(me!, town(16));
    await live(other!, { lat: town(16).lat + 0.3, lon: town(16).lon });
    await world.people.editPreferences(me!, { maxDistanceKm: 60 });
    for (const hideDistance of [true, false]) {
      await world.people.editPreferences(me!, { hideDistance });
      const shown: boolean[] = [];
      for (const maxDistanceKm of [1, 100]) {
        await world.people.editPreferences(other!, { maxDistanceKm });
        shown.push((await idsFor(me!)).includes(other!));
      }
      expect(shown).toEqual([hideDistance, true]);
    }
    // Their own reach is theirs to choose.
    await world.people.editPreferences(me!, { hideDistance: true, maxDistanceKm: 10 });
    expect(await idsFor(me!)).not.toContain(other);
  });

  it('goes on below a deck that was decided on, misses nobody, and finds at the top again who was taken back', async () => {
    const { world } = at;
    const me = await world.person();
    await live(me, town(10));
    await world.people.editPreferences(me, { maxDistanceKm: 20 });
    const others = await world.persons(170);
    for (const id of others) await live(id, town(10));
    const seen: string[] = [];
    for (;;) {
      const { items } = await world.discovery.list(me, { limit: 20 });
      const mine = items.map((card) => card.id).filter((id) => others.includes(id));
      if (mine.length === 0) break;
      seen.push(...mine);
      for (const id of mine) await world.decisions.decide(me, id, 'dislike');
    }
    expect(seen).toHaveLength(170);
    expect(new Set(seen)).toEqual(new Set(others));
    const back = await world.decisions.undo(me);
    await world.people.changed(me, { candidates: true });
    expect(await idsFor(me)).toContain(back);
  });
});
