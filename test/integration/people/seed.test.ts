import { describe, expect, it } from 'vitest';
import { sql } from '../../../src/db/sql.ts';
import { createLog } from '../../../src/log.ts';
import { seedDemoTown } from '../../../src/seed/DemoTown.ts';
import { DEMO_PEOPLE } from '../../../src/seed/demoPeople.ts';
import { usePeople } from '../../support/people.ts';

const silent = createLog('silent');
const forgetPictures = sql(
  'test-forget-pictures',
  `with six as (update users set photo_count = 0 where id in (
     select id from users where email_key like '%@demo.duet' order by id limit 6))
   delete from pair_decisions`,
);
const countMatches = sql<{ n: number }>('test-count-matches', 'select count(*) as n from matches');
const makePremium = sql('test-make-premium', `update users set tier = 'premium' where id = $1`);
const idOf = sql<{ id: string }>('test-id-of', `select id from users where email_key = $1`);

describe('the demo town', () => {
  // Fewer than everybody there likes: who tries out a small day of likes has a town all the same.
  const at = usePeople({ likesPerDay: 2 });

  it('is lively: people with pictures near each other, whom others like already', async () => {
    const { world } = at;
    const hashed: string[] = [];
    const told: string[] = [];
    const options = {
      ...world,
      log: { ...silent, info: (_: object, message: string) => told.push(message) },
      hashPassword: async (password: string) => {
        hashed.push(password);
        return 'hash';
      },
      emailKey: (email: string) => email.toLowerCase(),
    };
    const before = process.cpuUsage();
    expect(await seedDemoTown(options)).toBe(DEMO_PEOPLE.length);
    // Processor time, not a clock's: a few seconds on two idle cores, whatever else this machine is doing.
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000_000).toBeLessThan(25);
    expect(hashed).toEqual(['duet-demo']);
    expect(await seedDemoTown(options)).toBe(0);
    // It takes seconds, in which somebody looks at a terminal.
    expect(told).toEqual([expect.stringContaining('demo town')]);

    const people = await world.people.demoPeople();
    expect(people.length).toBeGreaterThanOrEqual(24);
    expect(people.every((person) => person.thumbnailUrl.startsWith('http://duet.test/photos/'))).toBe(true);
    const [ada] = await world.db.query(idOf, ['ada@demo.duet']);
    const page = await world.discovery.list(ada!.id, { limit: 20 });
    expect(page.items).toHaveLength(20);
    expect(page.items.every((card) => card.photos.length >= 2 && card.distance!.upToKm <= 10)).toBe(true);

    await world.db.query(makePremium, [ada!.id]);
    const liker = DEMO_PEOPLE.at(-1)!;
    const [peer] = await world.db.query(idOf, [`${liker.name.toLowerCase()}@demo.duet`]);
    const { matchId } = await world.decisions.decide(ada!.id, peer!.id, 'like');
    expect(matchId).not.toBeNull();

    // Cut short before these six had their pictures, and gone on with: nobody finds themselves matched.
    const [matches] = await world.db.query(countMatches);
    await world.db.query(forgetPictures);
    expect(await seedDemoTown(options)).toBe(6);
    expect((await world.db.query(countMatches))[0]).toEqual(matches);
  });
});
