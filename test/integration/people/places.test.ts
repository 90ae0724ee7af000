import { cellToLatLng, getResolution, latLngToCell } from 'h3-js';
import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { PeopleUpkeep } from '../../../src/people/PeopleUpkeep.ts';
import { Places } from '../../../src/people/Places.ts';
import { eventually } from '../../support/eventually.ts';
import { SECRET, usePeople } from '../../support/people.ts';

const placeOf = sql<{ cell: string | null; everything: string }>(
  'test-place',
  `select cell, to_jsonb(u)::text as everything from users u where id = $1`,
);
const tallies = sql<{ everything: string }>(
  'test-tallies',
  `select coalesce(string_agg(t::text, ' '), '') as everything from (select * from place_tallies) t`,
);
const hiddenSpot = sql<{ is_shown: boolean; has_cell: boolean }>(
  'test-hidden-spot',
  `select x is not null as is_shown, cell is not null as has_cell from users where id = $1`,
);
const countDeadlocks = sql<{ deadlocks: number }>(
  'test-deadlocks',
  'select deadlocks from pg_stat_database where datname = current_database()',
);
const someoneWaits = sql<{ waits: boolean }>(
  'test-someone-waits',
  `select exists (
     select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`,
);
const miscounts = sql<{ tag: string }>(
  'test-miscounts',
  `select encode(tag, 'hex') as tag from (
     select tag, count(*) as people from places, unnest(tags) tag where counted group by tag) c
   full join place_tallies t using (tag) where c.people is distinct from t.people
   union all
   select p.user_id::text from places p join users u on u.id = p.user_id
   where p.tags <> '{}' and p.counted <> (u.status = 'active' and not u.hide_distance)`,
);
const movesOf = sql<{ moved_on: string; moves: number }>(
  'test-moves',
  'select moved_on, moves from places where user_id = $1',
);
const setStatus = sql('test-place-status', `update users set status = $2 where id = $1`);
const erase = sql('test-erase', `delete from users where id = $1`);

/** A point inside a cell, chosen by two numbers from 0 to 1, well away from its edge. */
function within(cell: string, a: number, b: number) {
  const [lat, lon] = cellToLatLng(cell);
  return { lat: lat + (a - 0.5) * 0.012, lon: lon + ((b - 0.5) * 0.012) / Math.cos((lat * Math.PI) / 180) };
}

describe('places', () => {
  const at = usePeople();
  const cellOf = async (id: string) => (await at.world.db.query(placeOf, [id]))[0]!.cell!;
  const moveTo = (id: string, location: { lat: number; lon: number } | null) =>
    at.world.people.editProfile(id, { location });

  const deadlocks = async () => (await at.world.db.query(countDeadlocks))[0]!.deadlocks;

  /** As many people as a cell needs and not one more, of whom the last one found them all there, and so is stored in it. */
  async function fill(home: string): Promise<string[]> {
    const ids: string[] = [];
    do {
      const id = await at.world.person();
      await moveTo(id, within(home, (ids.length % 7) / 7, 0.5));
      ids.push(id);
    } while ((await cellOf(ids.at(-1)!)) !== home);
    return ids;
  }

  /** The same coordinates again: now there is company. */
  async function settle(ids: readonly string[], home: string): Promise<void> {
    for (const id of ids) await moveTo(id, within(home, 0.5, 0.5));
    expect(await Promise.all(ids.map(cellOf))).toEqual(ids.map(() => home));
  }

  async function expectCoarse(ids: readonly string[]): Promise<void> {
    for (const id of ids) expect(getResolution(await cellOf(id))).toBeLessThan(7);
  }

  it('are coarse until enough people share a finer one, and coarse again when they leave', async () => {
    const home = latLngToCell(47.1, 8.1, 7);
    const people = await fill(home);
    expect(people.length).toBeGreaterThanOrEqual(5);
    // The others had no company when they came.
    await expectCoarse(people.slice(0, -1));
    await settle(people, home);
    await moveTo(people[0]!, { lat: -20, lon: 40 });
    await expectCoarse(people.slice(1));
    await moveTo(people[1]!, null);
    expect((await at.world.people.me(people[1]!)).location).toBeNull();
  });

  it('need more people in some cells than in others, so that one’s own accounts tell nobody who else is there', async () => {
    const sizes: number[] = [];
    for (let i = 0; i < 6; i++) sizes.push((await fill(latLngToCell(-60, 10 + 10 * i, 7))).length);
    expect(new Set(sizes).size).toBeGreaterThan(2);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(12);
  });

  it('become coarse also when somebody leaves who was stored coarsely himself', async () => {
    const people = await fill(latLngToCell(-62, 150, 7));
    await moveTo(people[0]!, null);
    await expectCoarse(people.slice(1));
  });

  it('are counted without those who hide the distance', async () => {
    const { people } = at.world;
    const home = latLngToCell(-64, 10, 7);
    const hiders = await at.world.persons(12);
    for (const id of hiders) {
      await people.editPreferences(id, { hideDistance: true });
      await moveTo(id, within(home, 0.3, 0.3));
    }
    const seen = await fill(home);
    expect(seen.length).toBeGreaterThanOrEqual(5);
    await settle([...seen, ...hiders], home);
    await people.editPreferences(seen[0]!, { hideDistance: true });
    await expectCoarse([...seen, ...hiders]);
    await people.editPreferences(seen[0]!, { hideDistance: false });
    await settle([...seen, ...hiders], home);
    // Who was not counted leaves no gap.
    await moveTo(hiders[0]!, null);
    await at.world.db.query(erase, [hiders[1]!]);
    await settle(seen, home);
  });

  it('are made coarse by upkeep after somebody was erased or is not active', async () => {
    const { world } = at;
    const upkeep = new PeopleUpkeep({ ...world });
    const home = latLngToCell(-66, 10, 7);
    const people = await fill(home);
    await settle(people, home);
    await world.db.query(setStatus, [people[0]!, 'suspended']);
    await upkeep.recountPlaces();
    await expectCoarse(people);
    await world.db.query(setStatus, [people[0]!, 'active']);
    await upkeep.recountPlaces();
    await settle(people, home);
    await upkeep.recountPlaces();
    await settle(people, home);
    await world.db.query(erase, [people[0]!]);
    await upkeep.recountPlaces();
    await expectCoarse(people.slice(1));
  });

  it('that became coarse are so on every card at once, whatever is cached', async () => {
    const { people } = at.world;
    const home = latLngToCell(-68, 10, 7);
    const [leaving, viewer, shown, ...others] = await fill(home);
    await settle([leaving!, viewer!, shown!, ...others], home);
    const upToKm = async () => (await people.card(viewer!, shown!)).distance!.upToKm;
    expect(await upToKm()).toBe(3);
    await moveTo(leaving!, null);
    expect(await upToKm()).toBeGreaterThan(3);
  });

  it('are nowhere in the database more exact than the cell', async () => {
    const me = await at.world.person();
    await moveTo(me, { lat: 12.345678, lon: 98.765432 });
    const [row] = await at.world.db.query(placeOf, [me]);
    const [counts] = await at.world.db.query(tallies);
    for (const text of [row!.everything, counts!.everything, JSON.stringify(await at.world.people.me(me))]) {
      expect(text).not.toMatch(/12\.34|98\.76/);
      expect(text).not.toContain(latLngToCell(12.345678, 98.765432, 7));
      expect(text).not.toContain(latLngToCell(12.345678, 98.765432, 6));
    }
  });

  it('are counted without those who are erased', async () => {
    const home = latLngToCell(-33, 18.5, 7);
    const people = await fill(home);
    await at.world.db.query(erase, [people[0]!]);
    const late = await at.world.persons(2);
    await moveTo(late[0]!, within(home, 0.5, 0.5));
    expect(await cellOf(late[0]!)).toBe(home);
    for (const id of people.slice(1, 3)) await at.world.db.query(erase, [id]);
    await moveTo(late[1]!, within(home, 0.5, 0.5));
    await expectCoarse([late[1]!]);
  });

  it('can be changed only so often a day', async () => {
    const me = await at.world.person();
    for (let i = 0; i < 20; i++) await moveTo(me, { lat: i, lon: 5 });
    const refused = await moveTo(me, { lat: 40, lon: 5 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DuetError);
    expect((refused as DuetError).code).toBe('TOO_MANY_REQUESTS');
    expect((refused as DuetError).retryAfterSec).toBeGreaterThan(0);
    // Nothing was half done, and the profile can still be changed.
    expect((await at.world.people.editProfile(me, { bio: 'Still here' })).bio).toBe('Still here');
    await expect(moveTo(me, { lat: 19, lon: 5 })).resolves.toBeDefined();
  });

  it('can be forgotten however often one has moved, which counts as a move', async () => {
    const me = await at.world.person();
    for (let i = 0; i < 20; i++) await moveTo(me, { lat: i, lon: 5 });
    expect((await moveTo(me, null)).location).toBeNull();
    await expect(moveTo(me, { lat: 19, lon: 5 })).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect((await moveTo(me, null)).location).toBeNull();
  });

  it('are counted once around midnight, whichever process’s clock is ahead, and anew after a clock was wrong', async () => {
    const { db } = at.world;
    const midnight = Date.UTC(2027, 0, 2);
    const places = new Places({ secret: SECRET, movesPerDay: 3 });
    const me = await at.world.person();
    let lat = 0;
    const moveAt = (nowMs: number) =>
      db.transaction((tx) => places.move(tx, me, { lat: lat++, lon: 5 }, nowMs));
    const [early, late] = [midnight - 50, midnight + 50];
    await moveAt(early);
    // The first one of the new day, and what the process that is behind counts on it.
    for (const nowMs of [late, early, late]) await moveAt(nowMs);
    for (const nowMs of [early, late])
      await expect(moveAt(nowMs)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await moveAt(midnight + 300 * DAY_MS);
    await moveAt(late);
    const [row] = await db.query(movesOf, [me]);
    expect(row).toEqual({ moved_on: '2027-01-02', moves: 1 });
  });

  it('can be changed as often as is configured', async () => {
    const { db } = at.world;
    const places = new Places({ secret: SECRET, movesPerDay: 1 });
    const me = await at.world.person();
    const move = (lat: number) => db.transaction((tx) => places.move(tx, me, { lat, lon: 5 }, Date.now()));
    expect(await move(1)).toEqual([me]);
    await expect(move(30)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  });

  it('can be left by several at once when they are too small already', async () => {
    const before = await deadlocks();
    for (let round = 0; round < 4; round++) {
      const home = latLngToCell(-10 - 5 * round, 20, 7);
      const people = await fill(home);
      await settle(people, home);
      const [first, second, ...others] = people;
      await Promise.all([moveTo(first!, { lat: 60 + round, lon: 100 }), moveTo(second!, null)]);
      await expectCoarse(others);
    }
    expect(await deadlocks()).toBe(before);
  });

  it('are left although somebody who stays there is erased in that moment', async () => {
    const home = latLngToCell(-40, 60, 7);
    const people = await fill(home);
    await settle(people, home);
    const [leaving, erased, ...others] = people;
    const other = await at.world.db.pool.connect();
    try {
      // The row, then the counts: the other way round. Who leaves is the one whom PostgreSQL takes back.
      await other.query(`begin; set local deadlock_timeout = '20s'`);
      await other.query('select from users where id = $1 for no key update', [erased]);
      const left = moveTo(leaving!, null);
      await eventually(async () => (await at.world.db.query(someoneWaits))[0]!.waits).toBe(true);
      await other.query('delete from users where id = $1', [erased]);
      await other.query('commit');
      expect((await left).location).toBeNull();
    } finally {
      other.release();
    }
    await expectCoarse(others);
  });

  it('that are hidden in the moment of a move stay hidden', async () => {
    for (let round = 0; round < 10; round++) {
      const me = await at.world.person();
      await Promise.all([
        moveTo(me, { lat: 10 + round, lon: -60 }),
        at.world.people.editPreferences(me, { hideDistance: true }),
      ]);
      expect(await at.world.db.query(hiddenSpot, [me])).toEqual([{ is_shown: false, has_cell: true }]);
    }
  });

  it('are counted right whatever people do at once', async () => {
    const { people } = at.world;
    const before = await deadlocks();
    const [a, b] = [latLngToCell(-70, 100, 7), latLngToCell(-70.02, 100, 7)];
    const ids = await at.world.persons(24);
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        ids.flatMap((id, i) => [
          moveTo(id, (i + round) % 5 === 0 ? null : within((i + round) % 2 === 0 ? a : b, 0.5, 0.5)),
          people.editPreferences(id, { hideDistance: (i + round) % 3 === 0 }),
        ]),
      );
      expect(await at.world.db.query(miscounts)).toEqual([]);
    }
    expect(await deadlocks()).toBe(before);
  });

  it('survive people moving through each other without a deadlock', async () => {
    const [a, b] = [latLngToCell(30, 30, 7), latLngToCell(30.2, 30.2, 7)];
    const people = await at.world.persons(48);
    await Promise.all(people.map((id, i) => moveTo(id, within(i % 2 === 0 ? a : b, 0.5, 0.5))));
    for (let round = 0; round < 3; round++) {
      await Promise.all(people.map((id, i) => moveTo(id, within((i + round) % 2 === 0 ? b : a, 0.5, 0.5))));
    }
    expect(new Set(await Promise.all(people.map(cellOf)))).toEqual(new Set([a, b]));
  });
});
