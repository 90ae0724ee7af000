import { beforeAll, describe, expect, it } from 'vitest';
import { generatePeople } from '../../../loadtest/generatePeople.ts';
import type { Statement } from '../../../src/db/sql.ts';
import * as hub from '../../../src/events/InboxHub.ts';
import * as outbox from '../../../src/events/outbox.ts';
import * as decisions from '../../../src/matching/decisionSql.ts';
import * as lists from '../../../src/matching/MatchLists.ts';
import * as discovery from '../../../src/people/discoverySql.ts';
import * as people from '../../../src/people/peopleSql.ts';
import * as profile from '../../../src/people/profileSql.ts';
import * as safety from '../../../src/safety/safetySql.ts';
import { useDatabase } from '../../support/database.ts';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Plans?: PlanNode[];
}

/** Not hot: the demo page only. */
const COLD = new Set(['people-demo']);

const statements = [decisions, discovery, people, profile, safety, lists, outbox, hub]
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

  /** The generic plan, as a named statement has it in the long run, with whole-table reads forbidden where anything else is possible. */
  async function planOf(statement: Statement<unknown>): Promise<PlanNode[]> {
    const client = await at.db.pool.connect();
    try {
      await client.query('begin; set local enable_seqscan = off');
      const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
        `explain (generic_plan, format json) ${statement.text}`,
      );
      return flat(rows[0]!['QUERY PLAN'][0]!.Plan);
    } finally {
      await client.query('rollback');
      client.release();
    }
  }

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
    const nodes = await planOf(hub.readAfter);
    const months = nodes.filter((node) => node['Relation Name'] !== undefined);
    expect(months.length).toBeGreaterThanOrEqual(4);
    for (const node of months) expect(node['Index Cond']).toMatch(/user_id.*seq/s);
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Sort');
  });

  it('discovery reads its index only, in the order of the result', async () => {
    const nodes = await planOf(discovery.findNear);
    const reads = nodes.filter((node) => node['Relation Name'] === 'users');
    expect(reads.length).toBeGreaterThanOrEqual(2);
    for (const node of reads) {
      expect(node['Node Type']).toBe('Index Only Scan');
      expect(node['Index Name']).toBe('users_discovery');
      expect(node['Index Cond']).toMatch(/audience.*area.*score/s);
    }
  });
});

function flat(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flat)];
}
