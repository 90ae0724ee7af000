import { describe, expect, it } from 'vitest';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { newId } from '../../../src/ids.ts';
import { Activity } from '../../../src/people/Activity.ts';
import { PeopleUpkeep } from '../../../src/people/PeopleUpkeep.ts';
import { Card, Me } from '../../../src/people/shapes.ts';
import { usePeople } from '../../support/people.ts';

const scoreOf = sql<{ score: number; minutes: number }>(
  'test-score',
  `select score, extract(epoch from now() - last_active_at)::int / 60 as minutes from users where id = $1`,
);
const setAway = sql(
  'test-away',
  `update users set last_active_at = now() - $2 * interval '1 day' where id = $1`,
);
const partitions = sql<{ name: string }>(
  'test-partitions',
  `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'sightings'::regclass order by 1`,
);
const oldPartition = sql(
  'test-old-partition',
  `select ensure_month_partition('sightings', '2020-05-01'::date)`,
);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DuetError ? error.code : String(error)),
  );
}

/** Texts that break out of careless SQL, HTML and JSON. */
const HOSTILE = [
  "'; drop table users; --",
  '" or 1=1 --',
  '$1',
  '\\x00',
  "\\'",
  `\${7*7}`,
  '{{7*7}}',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '%00',
  'NULL',
  '{"a":1}',
  "{'a','b'}",
  '\\',
  '","',
  '{}',
  'O’Brien ☎️',
];

describe('a profile', () => {
  const at = usePeople();

  it('is shown to its owner exactly as the contract says, and to others as a card', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    const shown = await world.people.editProfile(me!, {
      displayName: 'Ada',
      gender: 'nonbinary',
      bio: 'Hello\nthere',
      interests: ['Jazz', 'Tea'],
      location: { lat: 51, lon: 4 },
    });
    expect(Me.parse(shown)).toEqual(shown);
    expect(shown).toMatchObject({
      displayName: 'Ada',
      gender: 'nonbinary',
      bio: 'Hello\nthere',
      interests: ['Jazz', 'Tea'],
      emailVerified: true,
      tier: 'regular',
    });
    const card = await world.people.card(other!, me!);
    expect(Card.parse(card)).toEqual(card);
    expect(JSON.stringify(card)).not.toMatch(/duet\.test|birth|email|51\.|cell|password|Active/);
  });

  it('merges two edits at once field by field (RC-23)', async () => {
    const { world } = at;
    const me = await world.person();
    await Promise.all([
      world.people.editProfile(me, { bio: 'From the phone' }),
      world.people.editProfile(me, { interests: ['From the desk'] }),
      world.people.editPreferences(me, { minAge: 21 }),
      world.people.editPreferences(me, { maxAge: 40 }),
    ]);
    expect(await world.people.me(me)).toMatchObject({
      bio: 'From the phone',
      interests: ['From the desk'],
      preferences: { minAge: 21, maxAge: 40 },
    });
  });

  it('tells whose account is not there any more to sign in, whatever they ask of their own', async () => {
    const { world } = at;
    for (const gone of [await world.person({ status: 'deleted' }), newId()]) {
      const asked = [
        () => world.people.me(gone),
        () => world.people.editProfile(gone, { bio: 'x' }),
        () => world.people.editProfile(gone, { location: { lat: 1, lon: 1 } }),
        () => world.people.editPreferences(gone, { minAge: 20 }),
        () => world.discovery.list(gone, { limit: 1 }),
      ];
      for (const ask of asked) expect(await codeOf(ask())).toBe('UNAUTHORIZED');
    }
  });

  it('keeps hostile text as text, everywhere', async () => {
    const { world } = at;
    const me = await world.person();
    for (const text of HOSTILE) {
      const shown = await world.people.editProfile(me, {
        displayName: text.slice(0, 50),
        bio: text,
        interests: [text.slice(0, 30)],
      });
      expect([shown.displayName, shown.bio, shown.interests]).toEqual([
        text.slice(0, 50),
        text,
        [text.slice(0, 30)],
      ]);
      expect((await world.people.card(me, me)).bio).toBe(text);
    }
  });

  it('refuses a minimum age above the maximum, also against what was set before, and changes nothing', async () => {
    const { world } = at;
    const me = await world.person();
    await world.people.editPreferences(me, { minAge: 30, maxAge: 40 });
    expect(await codeOf(world.people.editPreferences(me, { minAge: 50, maxAge: 45 }))).toBe(
      'INVALID_AGE_RANGE',
    );
    expect(await codeOf(world.people.editPreferences(me, { minAge: 41, genders: ['man'] }))).toBe(
      'INVALID_AGE_RANGE',
    );
    expect((await world.people.me(me)).preferences).toMatchObject({
      minAge: 30,
      maxAge: 40,
      genders: ['woman', 'man', 'nonbinary'],
    });
  });

  it('is fresh in every cache at once after a change', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    expect((await world.people.card(other!, me!)).bio).toBe('');
    await world.people.editProfile(me!, { bio: 'New' });
    expect((await world.people.card(other!, me!)).bio).toBe('New');
  });

  it('scores what it says and who is about; the score sinks for who stays away', async () => {
    const { world } = at;
    const me = await world.person();
    await world.people.editProfile(me, { bio: 'x'.repeat(60), interests: ['A', 'B', 'C'] });
    const score = async () => Math.floor((await world.db.query(scoreOf, [me]))[0]!.score / 1000);
    expect(await score()).toBe(60);
    await world.db.query(setAway, [me, 10]);
    const upkeep = new PeopleUpkeep({ ...world });
    await upkeep.sinkScores();
    expect(await score()).toBe(30);
    const activity = new Activity({ ...world });
    activity.seen(me);
    activity.seen(me);
    await activity.close();
    expect(await score()).toBe(60);
    expect((await world.db.query(scoreOf, [me]))[0]!.minutes).toBe(0);
  });

  it('keeps sightings by month and drops the old ones', async () => {
    const { world } = at;
    await world.db.query(oldPartition);
    expect((await world.db.query(partitions)).map((row) => row.name)).toContain('sightings_2020_05');
    await new PeopleUpkeep({ ...world }).keepMonths();
    const names = (await world.db.query(partitions)).map((row) => row.name);
    expect(names).not.toContain('sightings_2020_05');
    expect(names).toHaveLength(3);
  });

  it('makes the months of sightings at the start, however long nobody ran, and in two processes at once', async () => {
    const { world } = at;
    const months = async () => (await world.db.query(partitions)).map((row) => row.name);
    const drop = async () => {
      for (const name of await months()) await world.db.query(sql(`test-drop-${name}`, `drop table ${name}`));
    };
    await drop();
    await world.db.migrate();
    expect(await months()).toHaveLength(3);
    await drop();
    const upkeeps = Array.from({ length: 4 }, () => new PeopleUpkeep({ ...world }));
    await Promise.all(upkeeps.map((upkeep) => upkeep.keepMonths()));
    expect(await months()).toHaveLength(3);
  });
});
