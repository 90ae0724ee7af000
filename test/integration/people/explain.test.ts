import { beforeAll, describe, expect, it, vi } from 'vitest';
import { generatePeople } from '../../../loadtest/generatePeople.ts';
import { SystemClock } from '../../../src/clock.ts';
import { dayOf } from '../../../src/days.ts';
import { type Bind, type Statement, sql } from '../../../src/db/sql.ts';
import * as hub from '../../../src/events/InboxHub.ts';
import * as listener from '../../../src/events/InboxListener.ts';
import * as outbox from '../../../src/events/outbox.ts';
import * as decisions from '../../../src/matching/decisionSql.ts';
import * as lists from '../../../src/matching/MatchLists.ts';
import { ageAt, birthDatesFor, COHORT_SQL, cohortOf } from '../../../src/people/age.ts';
import { audiencesFor } from '../../../src/people/audience.ts';
import { Directory } from '../../../src/people/Directory.ts';
import * as discovery from '../../../src/people/discoverySql.ts';
import * as places from '../../../src/people/Places.ts';
import * as people from '../../../src/people/peopleSql.ts';
import { spotOf } from '../../../src/people/place.ts';
import * as profile from '../../../src/people/profileSql.ts';
import { monthsOf } from '../../../src/people/sightings.ts';
import * as safety from '../../../src/safety/safetySql.ts';
import { useDatabase } from '../../support/database.ts';
import { FakeClock } from '../../support/FakeClock.ts';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

const scores = sql<{ id: string; score: number; audience: number }>(
  'test-scores',
  `select id, score, audience from users where cell is not null order by id`,
);
const cohorts = sql<{ born: string; cohort: number }>(
  'test-cohorts',
  `select u.birth_date as born, ${COHORT_SQL} as cohort
   from (select date '1905-01-01' + i * 41 as birth_date from generate_series(0, 1000) i) u`,
);
/** Corners that lead, people wanted, people a corner in the first step. */
const STEPS = [
  [60, 60, 2],
  [60, 10, 2],
  [60, 3, 3],
  [5, 2, 2],
] as const;

/** Not hot: the demo page only. */
const COLD = new Set(['people-demo']);

const statements = [decisions, discovery, people, places, profile, safety, lists, outbox, hub, listener]
  .flatMap((module) => Object.values(module))
  .filter(
    (value): value is Statement<unknown> =>
      typeof value === 'object' && value !== null && 'text' in value && 'name' in value,
  )
  .filter((statement) => !COLD.has(statement.name));

describe('the plans of the hot statements', () => {
  const at = useDatabase();

  beforeAll(async () => {
    await generatePeople({ url: at.url, people: 2_000, decisions: 8_000 });
  });

  /** The generic plan, which is what every connection of the pool has a statement use. */
  async function planOf(statement: Statement<unknown>): Promise<PlanNode[]> {
    const { rows } = await at.db.pool.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `explain (generic_plan, format json) ${statement.text}`,
    );
    return flat(rows[0]!['QUERY PLAN'][0]!.Plan);
  }

  it('are generic, with whole-table reads forbidden where anything else is possible', async () => {
    const { rows } = await at.db.pool.query(
      `select current_setting('plan_cache_mode') as plans, current_setting('enable_seqscan') as whole`,
    );
    expect(rows).toEqual([{ plans: 'force_generic_plan', whole: 'off' }]);
  });

  it('cover every module of statements', () => {
    expect(statements.length).toBeGreaterThan(32);
  });

  it.each(statements.map((statement) => [statement.name, statement] as const))(
    '%s reads no table from end to end',
    async (_, statement) => {
      const whole = (await planOf(statement)).filter((node) => node['Node Type'] === 'Seq Scan');
      expect(whole.map((node) => node['Relation Name'])).toEqual([]);
    },
  );

  it('an inbox is read from the index of each month, in order', async () => {
    const nodes = await planOf(listener.readFrom);
    const months = nodes.filter((node) => node['Relation Name'] !== undefined);
    expect(months.length).toBeGreaterThanOrEqual(4);
    for (const node of months) expect(node['Index Cond']).toMatch(/user_id.*seq/s);
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  });

  it('whom a viewer has seen is found by the pair, however much he has seen', async () => {
    const readsOf = async (statement: Statement<unknown>) =>
      (await planOf(statement)).filter((node) => node['Relation Name']?.startsWith('sightings'));
    for (const statement of [discovery.seenSince, people.hasMet]) {
      const reads = (await planOf(statement)).filter((node) => node['Index Name']?.startsWith('sightings'));
      expect(reads.length).toBeGreaterThanOrEqual(3);
      for (const node of reads) expect(node['Index Cond']).toMatch(/viewer_id.*\|\|.*seen_id.* = /s);
    }
    for (const statement of [discovery.stillFit, discovery.findWithin, discovery.pageShown]) {
      for (const node of await readsOf(statement))
        expect(node['Index Cond']).toMatch(/month.*viewer_id.*since =/s);
    }
  });

  it('upkeep of places reads a range of people and their tallies, and no more', async () => {
    const nodes = await planOf(places.misplaced);
    const conditionOn = (index: string) => nodes.find((node) => node['Index Name'] === index)?.['Index Cond'];
    for (const index of ['users_pkey', 'places_pkey']) expect(conditionOn(index)).toMatch(/> \$1.*<= \$2/);
    expect(conditionOn('place_tallies_pkey')).toMatch(/tag =/);
  });

  it('discovery reads its index only, in the order of the result', async () => {
    const nodes = await planOf(discovery.findWithin);
    const reads = nodes.filter((node) => node['Relation Name'] === 'users');
    expect(reads.length).toBeGreaterThanOrEqual(2);
    for (const node of reads) {
      expect(node['Node Type']).toBe('Index Only Scan');
      expect(node['Index Name']).toBe('users_discovery');
      expect(node['Index Cond']).toMatch(/audience.*wide_area.*birth_date.*score/s);
    }
  });

  it('a search in corners finds exactly the best of all who fit, wherever its floor is', async () => {
    const { db } = at;
    const clock = new SystemClock();
    const directory = new Directory({ db, clock });
    const everybody = await db.query(scores);
    const scoreOf = new Map(everybody.map(({ id, score }) => [id, score]));
    let above = 0;
    for (const { id } of everybody.slice(0, 40)) {
      const [viewer] = await db.query(people.loadSelf, [id]);
      const { cell, birthDate, maxDistanceKm: reachKm } = viewer!;
      const born = birthDatesFor(viewer!.minAge, viewer!.maxAge, clock.now());
      const spot = spotOf(cell!);
      const months = monthsOf(clock.now());
      const filter: Bind[] = [
        id,
        30,
        90,
        new Date(),
        months,
        born.from,
        born.to,
        ageAt(viewer!.birthDate, clock.now()),
      ];
      filter.push(spot.x, spot.y, spot.z, spot.slackKm, reachKm, dayOf(clock.now()), 0);
      const found = await directory.cornersWithin({
        cell: cell!,
        birthDate,
        reachKm,
        audiences: audiencesFor(viewer!),
        born,
      });
      const { audiences, areas, cohorts, bests } = found!;
      const sought = everybody
        .filter(({ audience }) => audiencesFor(viewer!).includes(audience))
        .map((row) => row.id);
      const fit = (await db.query(discovery.stillFit, [...filter, sought, audiencesFor(viewer!)]))
        .map((row) => ({ id: row.id, score: scoreOf.get(row.id)! }))
        .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
      for (const [leads, size, firstStep] of STEPS) {
        const steps = [leads, size, firstStep, 2_147_483_647];
        const best = await db.query(discovery.findWithin, [
          ...filter,
          audiences,
          areas,
          cohorts,
          bests,
          ...steps,
        ]);
        expect(best).toEqual(fit.slice(0, size));
        if (fit.length > size) above += 1;
      }
    }
    expect(above).toBeGreaterThan(30);
  });

  it('no search waits for the corners that are read anew while those known are fresh', async () => {
    const clock = new FakeClock();
    const directory = new Directory({ db: at.db, clock });
    const [someone] = await at.db.query(scores);
    const [{ cell, birthDate } = {}] = await at.db.query(people.loadSelf, [someone!.id]);
    const born = birthDatesFor(18, 99, clock.now());
    const audiences = [someone!.audience];
    const search = { cell: cell!, birthDate: birthDate!, reachKm: 300, audiences, born };
    const known = await directory.cornersWithin(search);
    expect(known!.areas.length).toBeGreaterThan(0);
    const reading = vi.spyOn(at.db, 'query').mockReturnValueOnce(new Promise(() => {}));
    clock.advance(20_000);
    expect(await directory.cornersWithin(search)).toEqual(known);
    expect(await directory.cornersWithin(search)).toEqual(known);
    expect(reading).toHaveBeenCalledTimes(1);
    reading.mockRestore();
  });

  it('a cohort is the same number in the database and outside', async () => {
    const rows = await at.db.query(cohorts);
    expect(rows).toHaveLength(1_001);
    for (const { born, cohort } of rows) expect(cohortOf(born)).toBe(cohort);
  });
});

function flat(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flat)];
}
