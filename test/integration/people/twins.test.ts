import { latLngToCell } from 'h3-js';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { countedOn, countedOnSql, DAY_MS, dayOf } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { audiencesFor } from '../../../src/people/audience.ts';
import { stillFit } from '../../../src/people/discoverySql.ts';
import { loadSelf } from '../../../src/people/peopleSql.ts';
import { mayBeWithin, spotOf } from '../../../src/people/place.ts';
import { GENDERS, type Gender } from '../../../src/people/shapes.ts';
import { usePeople } from '../../support/people.ts';

/** Rules that the database asks many rows, and the process a few values: both must say the same. */

const countedOnDay = sql<{ day: string }>(
  'test-counted-on',
  `select ${countedOnSql('g.last', 'g.today')} as day from (select $1::date as last, $2::date as today) g`,
);
const daysBefore = sql<{ at: number; today: string }>(
  'test-days-before',
  `select $1::timestamptz - $2 * interval '1 day' as at, current_date as today`,
);
const setZone = (zone: string) => async (url: string) => {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    `do $$ begin execute format('alter database %I set TimeZone = ''${zone}''', current_database()); end $$`,
  );
  await client.end();
};
const seek = sql<{ audience: number }>(
  'test-seek',
  'update users set genders = $2 where id = $1 returning audience',
);
const place = sql(
  'test-place',
  `update users set cell = $2, x = $3, y = $4, z = $5, slack_km = $6, max_distance_km = $7 where id = $1`,
);

// The database is somebody's own, and set to where they live.
const at = usePeople({ prepare: setZone('America/New_York') });

describe('the database and the process agree', () => {
  it('on how long ago so many days are, also where clocks are changed meanwhile', async () => {
    for (const day of ['2028-03-20T02:30:00Z', '2028-11-20T12:00:00Z', '2028-03-01T00:00:00Z']) {
      for (const days of [1, 30, 90]) {
        const [row] = await at.world.db.query(daysBefore, [new Date(day), days]);
        expect(row!.at).toBe(Date.parse(day) - days * DAY_MS);
      }
    }
    const [row] = await at.world.db.query(daysBefore, [new Date(), 1]);
    expect([dayOf(Date.now()), dayOf(Date.now() - 60_000)]).toContain(row!.today);
  });

  it('on the day that something is counted on', async () => {
    const now = Date.UTC(2028, 1, 29, 12);
    for (const ahead of [-400, -2, -1, 0, 1, 2, 400]) {
      const last = dayOf(now + ahead * DAY_MS);
      const [row] = await at.world.db.query(countedOnDay, [last, dayOf(now)]);
      expect(row!.day).toBe(countedOn(last, now));
    }
  });

  it('on who wants whom', async () => {
    const { db } = at.world;
    const subsets = [1, 2, 3, 4, 5, 6, 7].map((bits) => GENDERS.filter((_, i) => (bits & (1 << i)) !== 0));
    const everybody: { gender: Gender; genders: Gender[]; audience: number }[] = [];
    for (const gender of GENDERS) {
      const id = await at.world.person({ gender });
      for (const genders of subsets) {
        const [row] = await db.query(seek, [id, genders]);
        everybody.push({ gender, genders, audience: row!.audience });
      }
    }
    for (const viewer of everybody) {
      const wanted = everybody.filter(({ audience }) => audiencesFor(viewer).includes(audience));
      const mutual = everybody.filter(
        (other) => viewer.genders.includes(other.gender) && other.genders.includes(viewer.gender),
      );
      expect(wanted).toEqual(mutual);
    }
  });

  it('on who may be within reach, whatever size their cells have', async () => {
    const { db, person } = at.world;
    const people: { id: string; spot: ReturnType<typeof spotOf>; reachKm: number }[] = [];
    for (let i = 0; i < 36; i++) {
      const cell = latLngToCell(52 + (i % 6) * 0.05, 13 + Math.floor(i / 6) * 0.08, 5 + (i % 3));
      const [id, spot, reachKm] = [await person(), spotOf(cell), [5, 10, 15, 20][i % 4]!];
      await db.query(place, [id, cell, spot.x, spot.y, spot.z, spot.slackKm, reachKm]);
      people.push({ id, spot, reachKm });
    }
    const [self] = await db.query(loadSelf, [people[0]!.id]);
    const audiences = audiencesFor({ gender: self!.gender, genders: self!.genders });
    const others = (id: string) => people.filter((other) => other.id !== id);
    let pairs = 0;
    for (const { id, spot, reachKm } of people) {
      const { x, y, z, slackKm } = spot;
      const viewer = [id, 30, 90, null, [], '1900-01-01', dayOf(Date.now()), 30];
      const filter = [...viewer, x, y, z, slackKm, reachKm, dayOf(Date.now()), 0];
      const ids = others(id).map((other) => other.id);
      const found = await db.query(stillFit, [...filter, ids, audiences]);
      const near = others(id).filter((other) =>
        mayBeWithin(spot, other.spot, Math.min(reachKm, other.reachKm)),
      );
      expect(found.map((row) => row.id)).toEqual(near.map((other) => other.id));
      pairs += near.length;
    }
    expect(pairs).toBeGreaterThan(50);
    expect(pairs).toBeLessThan(36 * 35 - 50);
  });
});
