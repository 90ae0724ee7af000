import { describe, expect, it, vi } from 'vitest';
import { eraseUser } from '../../../src/accounts/lifeStatements.ts';
import { overdueMatches } from '../../../src/actors/Keeper.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { newId } from '../../../src/ids.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import type { StoredText } from '../../../src/platform/DataKeys.ts';
import { Blocks } from '../../../src/safety/Blocks.ts';
import { Reports } from '../../../src/safety/Reports.ts';
import { unblockPair } from '../../../src/safety/safetySql.ts';
import { ReportInput } from '../../../src/safety/shapes.ts';
import { eventually } from '../../support/eventually.ts';
import { usePeople } from '../../support/people.ts';

const reportsOf = sql<{ reason: string; details: StoredText; call_id: string | null; status: string }>(
  'test-reports',
  `select reason, details, call_id, status from reports where reported_id = $1`,
);
const addCall = sql(
  'test-call',
  `insert into calls (id, match_id, caller_id, callee_id, phase, state, created_at) values ($1, $2, $3, $4, 'ended', '{}', now())`,
);

const setStatus = sql('test-set-status', 'update users set status = $2 where id = $1');
const someoneWaits = sql<{ waits: boolean }>(
  'test-waits',
  `select exists (
     select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`,
);
const pairsOf = sql('test-pairs-of', 'select from pair_decisions where low_id = $1 or high_id = $1');

const unlist = sql('test-unlist', 'delete from blocks where blocker_id = $1');
const migrateAgain = sql(
  'test-migrate-again',
  `delete from mikro_orm_migrations where name = '0025ListedBlocks'`,
);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DuetError ? error.code : String(error)),
  );
}

const nobody = '0190a0a0-0000-7000-8000-000000000000';

describe('blocks and reports', () => {
  const at = usePeople();

  it('of earlier releases that are in force without being listed are listed, and can be undone', async () => {
    const { world } = at;
    const [me, ...others] = await world.persons(4);
    const gone = await world.person();
    for (const id of [...others, gone]) await world.blocks.block(me!, id);
    await world.blocks.unblock(me!, gone);
    await world.db.query(unlist, [me!]);
    await world.db.query(migrateAgain);
    await world.db.migrate();
    const listed: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await world.blocks.list(me!, { limit: 1, cursor });
      listed.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(listed.sort()).toEqual([...others].sort());
    await world.blocks.unblock(me!, others[0]!);
    expect((await world.blocks.list(me!, { limit: 10 })).items).toHaveLength(2);
    for (const id of others) expect((await world.blocks.list(id, { limit: 10 })).items).toEqual([]);
  });

  it('work both ways, are listed for their maker only, newest first, and can be undone', async () => {
    const { world } = at;
    const [me, a, b, c] = await world.persons(4);
    for (const id of [a!, b!, c!]) {
      await world.blocks.block(me!, id);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await world.blocks.block(me!, a!);
    const first = await world.blocks.list(me!, { limit: 2 });
    expect(first.items.map((item) => item.id)).toEqual([c, b]);
    const second = await world.blocks.list(me!, { limit: 2, cursor: first.nextCursor! });
    expect(second.items.map((item) => item.id)).toEqual([a]);
    expect(second.nextCursor).toBeNull();
    expect((await world.blocks.list(a!, { limit: 10 })).items).toEqual([]);
    expect(await codeOf(world.blocks.list(me!, { limit: 2, cursor: 'x' }))).toBe('VALIDATION_FAILED');
    expect(await codeOf(world.people.card(me!, a!))).toBe('NOT_FOUND');
    expect(await codeOf(world.people.card(a!, me!))).toBe('NOT_FOUND');
    await world.blocks.unblock(me!, a!);
    await world.blocks.unblock(me!, a!);
    expect(await codeOf(world.people.card(a!, me!))).toBe('none');
  });

  it('hold for a pair that knows each other, and are undone, whichever of the two has the lower id', async () => {
    const { world } = at;
    const pair = (await world.persons(2)).toSorted();
    for (const [me, other] of [pair, pair.toReversed()] as [string, string][]) {
      await world.decisions.decide(other, me, 'dislike');
      await world.blocks.block(me, other);
      for (const [one, another] of [pair, pair.toReversed()] as [string, string][])
        expect(await codeOf(world.decisions.decide(one, another, 'like'))).toBe('NOT_FOUND');
      // Undoing the other one's block, of which there is none, undoes nothing.
      await world.blocks.unblock(other, me);
      expect(await codeOf(world.decisions.decide(other, me, 'like'))).toBe('NOT_FOUND');
      await world.blocks.unblock(me, other);
      expect(await codeOf(world.decisions.decide(me, other, 'dislike'))).toBe('none');
    }
  });

  it('end the match of the two also when the process that blocked could not', async () => {
    const { world } = at;
    const { db, clock, decisions } = world;
    const [me, other, third] = await world.persons(3);
    await decisions.decide(me!, other!, 'like');
    const { matchId } = await decisions.decide(other!, me!, 'like');
    await decisions.decide(me!, third!, 'like');
    const { matchId: untouched } = await decisions.decide(third!, me!, 'like');
    const matches = new Matches({
      db,
      clock,
      settings: { acceptMs: 86_400_000, warningMs: 3_600_000 },
      cards: async () => new Map(),
      publish: () => {},
      onClosed: async () => {},
    });
    for (const id of [me!, other!]) await matches.command(matchId!, { type: 'accept' }, id);
    const blocks = new Blocks({
      db,
      clock,
      pairSevered: () => Promise.reject(new DuetError('UNAVAILABLE')),
      forgetCandidates: async () => {},
    });
    expect(await codeOf(blocks.block(me!, other!))).toBe('UNAVAILABLE');
    // Taken back before anybody came by: what the block ended stays ended.
    await blocks.unblock(me!, other!);
    const due = () => db.query(overdueMatches, [new Date(clock.now())]);
    expect(await due()).toContainEqual({ id: matchId });
    await matches.system(matchId!, { type: 'tick' });
    expect(await matches.find(matchId!)).toMatchObject({ status: 'ended', phase: 'closed' });
    expect(await matches.find(untouched!)).toMatchObject({ status: 'active' });
    expect(await due()).not.toContainEqual({ id: matchId });
  });

  it('of both sides are two: undoing one leaves the other', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    await Promise.all([
      world.decisions.decide(me!, other!, 'like'),
      world.decisions.decide(other!, me!, 'like'),
    ]);
    await Promise.all([world.blocks.block(me!, other!), world.blocks.block(other!, me!)]);
    await world.blocks.unblock(me!, other!);
    expect(await codeOf(world.people.card(me!, other!))).toBe('NOT_FOUND');
    expect(await codeOf(world.decisions.decide(me!, other!, 'like'))).toBe('NOT_FOUND');
    await world.blocks.unblock(other!, me!);
    expect(await codeOf(world.people.card(me!, other!))).toBe('none');
  });

  it('are whole or not at all: one that comes while there is none to take back stands, and can be taken back', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    const transaction = world.db.transaction.bind(world.db);
    const meanwhile = vi.spyOn(world.db, 'transaction').mockImplementationOnce((work) =>
      transaction((tx) =>
        work({
          query: async (statement, values) => {
            const rows = await tx.query(statement, values);
            if (statement.name === unblockPair.name) await world.blocks.block(me!, other!);
            return rows;
          },
        }),
      ),
    );
    await world.blocks.unblock(me!, other!);
    meanwhile.mockRestore();
    expect(await codeOf(world.people.card(me!, other!))).toBe('NOT_FOUND');
    expect((await world.blocks.list(me!, { limit: 10 })).items.map((item) => item.id)).toEqual([other]);
    await world.blocks.unblock(me!, other!);
    expect(await codeOf(world.decisions.decide(me!, other!, 'like'))).toBe('none');
  });

  it('of who is erased at that moment are no failure, whoever comes first, and leave nothing', async () => {
    const { world } = at;
    const transaction = world.db.transaction.bind(world.db);
    const someone = () => eventually(async () => (await world.db.query(someoneWaits))[0]!.waits);
    const input = ReportInput.parse({ reason: 'threat' });
    for (const when of ['before', 'between']) {
      const [me, other] = await world.persons(2);
      await world.decisions.decide(me!, other!, 'like');
      await world.decisions.decide(other!, me!, 'like');
      await world.db.query(setStatus, [other!, 'deleted']);
      let erased: Promise<unknown> | undefined;
      let blocked: Promise<unknown> | undefined;
      if (when === 'before') {
        await transaction(async (tx) => {
          await tx.query(eraseUser, [other!]);
          blocked = world.reports.report(me!, other!, input);
          await someone().toBe(true);
        });
      } else {
        const meanwhile = vi.spyOn(world.db, 'transaction').mockImplementationOnce((work) =>
          transaction((tx) =>
            work({
              query: async (statement, values) => {
                const rows = await tx.query(statement, values);
                if (erased === undefined) {
                  erased = world.db.query(eraseUser, [other!]);
                  await someone().toBe(true);
                }
                return rows;
              },
            }),
          ),
        );
        blocked = world.blocks.block(me!, other!);
        await blocked.catch(() => {});
        meanwhile.mockRestore();
      }
      expect(await codeOf(blocked!), when).toBe('none');
      expect(await codeOf(Promise.resolve(erased)), when).toBe('none');
      expect(await world.db.query(pairsOf, [other!]), when).toEqual([]);
      expect((await world.blocks.list(me!, { limit: 10 })).items, when).toEqual([]);
    }
  });

  it('make decks forget the other one also when a call could not be ended at once', async () => {
    const { world } = at;
    const [me, other] = await world.persons(2);
    const forgotten: string[] = [];
    const blocks = new Blocks({
      db: world.db,
      clock: world.clock,
      pairSevered: () => Promise.reject(new DuetError('UNAVAILABLE')),
      forgetCandidates: async (ids) => void forgotten.push(...ids),
    });
    expect(await codeOf(blocks.block(me!, other!))).toBe('UNAVAILABLE');
    expect(forgotten).toEqual([me, other]);
  });

  it('refuse oneself and whoever is not there, in one way', async () => {
    const { world } = at;
    const me = await world.person();
    const gone = await Promise.all(
      (['suspended', 'banned', 'deleted'] as const).map((status) => world.person({ status })),
    );
    const blocker = await world.person();
    await world.blocks.block(blocker, me);
    const input = ReportInput.parse({ reason: 'spam' });
    expect(await codeOf(world.blocks.block(me, me))).toBe('VALIDATION_FAILED');
    expect(await codeOf(world.reports.report(me, me, input))).toBe('VALIDATION_FAILED');
    for (const id of [nobody, blocker, ...gone]) {
      expect(await codeOf(world.blocks.block(me, id))).toBe('NOT_FOUND');
      expect(await codeOf(world.reports.report(me, id, input))).toBe('NOT_FOUND');
    }
  });

  it('a report counts, whatever becomes of what is live between the two', async () => {
    const { world } = at;
    const { db, clock, keys } = world;
    const [me, other] = await world.persons(2);
    const blocks = new Blocks({
      db,
      clock,
      pairSevered: () => Promise.reject(new DuetError('UNAVAILABLE')),
      forgetCandidates: async () => {},
    });
    const counted: string[] = [];
    const onReport = async (reportedId: string) => void counted.push(reportedId);
    const reports = new Reports({ db, clock, keys, blocks, onReport });
    const input = ReportInput.parse({ reason: 'spam' });
    expect(await codeOf(reports.report(me!, other!, input))).toBe('UNAVAILABLE');
    expect(counted).toEqual([other]);
  });

  it('a report blocks unless told otherwise, and ends what is live between the two', async () => {
    const { world } = at;
    const [me, a, b] = await world.persons(3);
    const severedBefore = world.severed.length;
    const { reportId } = await world.reports.report(
      me!,
      a!,
      ReportInput.parse({ reason: 'harassment', details: 'They said\nthings.' }),
    );
    expect(reportId).toMatch(/^[0-9a-f-]{36}$/);
    const reports = await world.db.query(reportsOf, [a!]);
    expect(reports.map((row) => ({ ...row, details: world.open(row.details) }))).toEqual([
      { reason: 'harassment', details: 'They said\nthings.', call_id: null, status: 'open' },
    ]);
    expect(world.severed.slice(severedBefore)).toEqual([[me, a]]);
    expect(await codeOf(world.people.card(a!, me!))).toBe('NOT_FOUND');
    await world.reports.report(me!, b!, ReportInput.parse({ reason: 'fake', block: false }));
    expect(await codeOf(world.people.card(b!, me!))).toBe('none');
    expect(world.severed).toHaveLength(severedBefore + 1);
  });

  it('a report names only a call between the two, and blocking first does not protect from one', async () => {
    const { world } = at;
    const [me, other, third] = await world.persons(3);
    await world.decisions.decide(me!, other!, 'like');
    const { matchId } = await world.decisions.decide(other!, me!, 'like');
    const callId = newId();
    await world.db.query(addCall, [callId, matchId!, other!, me!]);
    await world.blocks.block(other!, me!);
    const about = (id: string) => ReportInput.parse({ reason: 'threat', callId: id });
    expect(await codeOf(world.reports.report(me!, third!, about(callId)))).toBe('VALIDATION_FAILED');
    expect(await codeOf(world.reports.report(me!, other!, about(nobody)))).toBe('VALIDATION_FAILED');
    expect(await codeOf(world.reports.report(me!, other!, about(callId)))).toBe('none');
    expect((await world.db.query(reportsOf, [other!]))[0]!.call_id).toBe(callId);
  });

  it('tell nobody what became of the other one: deleted, suspended, banned and blocking look the same', async () => {
    const { world } = at;
    const input = ReportInput.parse({ reason: 'threat' });
    for (const fate of ['blocking', 'suspended', 'deleted', 'banned'] as const) {
      const [me, match, stranger, blocked] = await world.persons(4);
      await world.decisions.decide(me!, match!, 'like');
      await world.decisions.decide(match!, me!, 'like');
      await world.blocks.block(me!, blocked!);
      for (const id of [match!, stranger!, blocked!]) {
        if (fate === 'blocking') await world.blocks.blockNow(id, me!);
        else await world.db.query(setStatus, [id, fate]);
      }
      const list = async () => (await world.blocks.list(me!, { limit: 10 })).items.map((item) => item.id);
      expect(await list(), fate).toEqual([blocked]);
      // Whom one never met is out of reach; a match is one's to report and to block, and so it stays.
      for (const id of [stranger!, blocked!]) {
        expect(await codeOf(world.reports.report(me!, id, input)), fate).toBe('NOT_FOUND');
        expect(await codeOf(world.blocks.block(me!, id)), fate).toBe('NOT_FOUND');
      }
      expect(await codeOf(world.reports.report(me!, match!, { ...input, block: false })), fate).toBe('none');
      expect(await world.db.query(reportsOf, [match!])).toHaveLength(1);
      expect(await codeOf(world.blocks.block(me!, match!)), fate).toBe('none');
      expect(await list(), fate).toEqual([match, blocked]);
    }
  });

  it('takes no report without a reason, or with fields that do not exist', () => {
    for (const bad of [
      {},
      { reason: '' },
      { reason: 'x'.repeat(65) },
      { reason: 'a\u0000' },
      { reason: 'spam', details: 'x'.repeat(2001) },
      { reason: 'spam', callId: 'x' },
      { reason: 'spam', block: 'yes' },
      { reason: 'spam', status: 'resolved' },
      { reason: { $ne: 1 } },
    ]) {
      expect(ReportInput.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });
});
