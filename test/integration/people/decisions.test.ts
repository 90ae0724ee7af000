import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { lockPair } from '../../../src/matching/decisionSql.ts';
import { Decisions } from '../../../src/matching/decisions.ts';
import { blockPair } from '../../../src/safety/safetySql.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { usePeople } from '../../support/people.ts';

const countMatches = sql<{ matches: number; pairs: number }>(
  'test-count-matches',
  `select count(*) as matches, count(distinct (low_id, high_id)) as pairs from matches where low_id = any ($1::uuid[]) or high_id = any ($1::uuid[])`,
);
const createdEvents = sql<{ user_id: string; match_id: string; n: number }>(
  'test-created-events',
  `select user_id, payload->>'matchId' as match_id, count(*) as n from outbox
   where type = 'match:created' and user_id = any ($1::uuid[]) group by 1, 2`,
);
const endMatch = sql(
  'test-end-match',
  `update matches set status = 'ended', phase = 'closed', ended_at = $2 where id = $1`,
);
const beginMatch = sql(
  'test-begin-match',
  `update matches set status = 'active', phase = 'awaiting_accept', ended_at = null where id = $1`,
);
const setDislikeAt = sql(
  'test-age-decisions',
  `update pair_decisions set low_at = low_at - $2 * interval '1 day', high_at = high_at - $2 * interval '1 day' where low_id = $1 or high_id = $1`,
);
const decidedDaysAgo = sql<{ days: number }>(
  'test-decided-days-ago',
  `select extract(day from now() - case when low_id = $1 then low_at else high_at end)::int as days
   from pair_decisions where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid)`,
);

const setStatus = sql('test-fate', 'update users set status = $2 where id = $1');
const holdCount = sql('test-hold-count', 'select from like_counts where user_id = $1 for update');
const countWaiting = sql<{ waiting: number }>(
  'test-count-waiting',
  `select count(*) as waiting from pg_stat_activity
   where datname = current_database() and wait_event_type = 'Lock'`,
);
const likesUsed = sql<{ used: number }>('test-likes-used', 'select used from like_counts where user_id = $1');

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DuetError ? error.code : String(error)),
  );
}

describe('decisions', () => {
  const at = usePeople();

  it('makes exactly one match of each of 1,000 simultaneous mutual likes, told once to each person', async () => {
    const { world } = at;
    const left = await world.persons(1000);
    const right = await world.persons(1000);
    const answers = await Promise.all(
      left.flatMap((id, i) => [
        world.decisions.decide(id, right[i]!, 'like'),
        world.decisions.decide(right[i]!, id, 'like'),
      ]),
    );
    const [counts] = await world.db.query(countMatches, [[...left, ...right]]);
    expect(counts).toEqual({ matches: 1000, pairs: 1000 });
    const events = await world.db.query(createdEvents, [[...left, ...right]]);
    expect(events).toHaveLength(2000);
    expect(events.every((event) => event.n === 1)).toBe(true);
    expect(new Set(events.map((event) => event.match_id)).size).toBe(1000);
    // Whoever decided second is told the match in the answer.
    expect(new Set(answers.map((answer) => answer.matchId).filter((id) => id !== null)).size).toBe(1000);
    expect(world.published.filter((event) => event.type === 'match:created')).toHaveLength(2000);
  });

  it('keeps one decision for a like and a dislike at once', async () => {
    const { world } = at;
    const [me, peer] = await world.persons(2);
    await Promise.all([
      world.decisions.decide(me!, peer!, 'like'),
      world.decisions.decide(me!, peer!, 'dislike'),
    ]);
    const answer = await world.decisions.decide(peer!, me!, 'like');
    const [counts] = await world.db.query(countMatches, [[me!]]);
    expect(counts!.matches).toBe(answer.matchId === null ? 0 : 1);
  });

  it('answers a repeated like with the match, and refuses a dislike of it', async () => {
    const { world } = at;
    const [me, peer] = await world.persons(2);
    expect(await world.decisions.decide(me!, peer!, 'like')).toEqual({ decision: 'like', matchId: null });
    expect(await world.decisions.decide(me!, peer!, 'like')).toEqual({ decision: 'like', matchId: null });
    const { matchId } = await world.decisions.decide(peer!, me!, 'like');
    expect(matchId).not.toBeNull();
    expect(await world.decisions.decide(me!, peer!, 'like')).toEqual({ decision: 'like', matchId });
    expect(await codeOf(world.decisions.decide(me!, peer!, 'dislike'))).toBe('CONFLICT');
  });

  it('refuses oneself, and everybody who is not there in one way', async () => {
    const { world } = at;
    const me = await world.person();
    const blocker = await world.person();
    await world.blocks.block(blocker, me);
    const gone = await Promise.all(
      (['banned', 'suspended', 'deleted'] as const).map((status) => world.person({ status })),
    );
    const nobody = '0190a0a0-0000-7000-8000-000000000000';
    for (const kind of ['like', 'dislike'] as const) {
      expect(await codeOf(world.decisions.decide(me, me, kind))).toBe('VALIDATION_FAILED');
      for (const target of [blocker, ...gone, nobody]) {
        expect(await codeOf(world.decisions.decide(me, target, kind))).toBe('NOT_FOUND');
      }
    }
  });

  it('takes nothing of somebody whose account was suspended, banned or deleted meanwhile', async () => {
    const { world } = at;
    for (const status of ['suspended', 'banned', 'deleted'] as const) {
      const [me, peer] = await world.persons(2);
      await world.decisions.decide(peer!, me!, 'like');
      await world.db.query(setStatus, [me!, status]);
      for (const kind of ['like', 'dislike'] as const)
        expect(await codeOf(world.decisions.decide(me!, peer!, kind)), status).toBe('ACCOUNT_SUSPENDED');
      expect(await world.db.query(countMatches, [[me!]])).toEqual([{ matches: 0, pairs: 0 }]);
      expect(await world.db.query(likesUsed, [me!])).toEqual([]);
    }
  });

  it('makes no match of a like that met a block on its way, whoever blocked', async () => {
    const { world } = at;
    for (const isBlocker of [true, false]) {
      // The one with the lower id, who likes, is the pair's low side.
      const [me, peer] = (await world.persons(2)).toSorted() as [string, string];
      await world.decisions.decide(peer, me, 'like');
      let like: Promise<string> | undefined;
      await world.db.transaction(async (tx) => {
        await tx.query(blockPair, isBlocker ? [me, peer] : [peer, me]);
        like = codeOf(world.decisions.decide(me, peer, 'like'));
        await eventually(async () => (await world.db.query(countWaiting))[0]!.waiting).toBe(1);
      });
      expect(await like).toBe('NOT_FOUND');
      expect(await world.db.query(countMatches, [[me]])).toEqual([{ matches: 0, pairs: 0 }]);
    }
  });

  it('lets an unverified person look but not like', async () => {
    const { world } = at;
    const me = await world.person({ verified: false });
    const peer = await world.person();
    expect(await codeOf(world.decisions.decide(me, peer, 'like'))).toBe('EMAIL_UNVERIFIED');
    expect(await codeOf(world.decisions.decide(me, '0190a0a0-0000-7000-8000-000000000000', 'like'))).toBe(
      'EMAIL_UNVERIFIED',
    );
    expect(await world.decisions.decide(me, peer, 'dislike')).toEqual({ decision: 'dislike', matchId: null });
  });

  it('never leaves an active match across a block, whoever comes first', async () => {
    const { world } = at;
    const blockers = await world.persons(150);
    const likers = await world.persons(150);
    await Promise.all(blockers.map((id, i) => world.decisions.decide(id, likers[i]!, 'like')));
    const before = world.severed.length;
    await Promise.all(
      blockers.flatMap((id, i) => [
        world.decisions.decide(likers[i]!, id, 'like').catch(() => {}),
        world.blocks.block(id, likers[i]!),
      ]),
    );
    // Every block asked for the end of what may have come first; after it nothing new can come.
    expect(world.severed.length - before).toBe(150);
    for (let i = 0; i < 150; i++) {
      expect(await codeOf(world.decisions.decide(likers[i]!, blockers[i]!, 'like'))).toMatch(/NOT_FOUND/);
    }
    const [counts] = await world.db.query(countMatches, [blockers]);
    expect(counts!.matches).toBe(counts!.pairs);
  });

  it('survives likes and blocks in opposite order without a deadlock reaching anybody', async () => {
    const { world } = at;
    const ids = await world.persons(40);
    const pairs = ids.flatMap((a, i) => ids.slice(i + 1).map((b) => [a, b] as const));
    const results = await Promise.allSettled([
      ...pairs.map(([a, b]) => world.decisions.decide(a, b, 'like')),
      ...[...pairs].reverse().map(([a, b]) => world.decisions.decide(b, a, 'like')),
      ...pairs.filter((_, i) => i % 7 === 0).map(([a, b]) => world.blocks.block(b, a)),
    ]);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(failures.filter((error) => !(error instanceof DuetError && error.code === 'NOT_FOUND'))).toEqual(
      [],
    );
  });

  it('takes the newest dislike back, once, and only while it stands', async () => {
    const { world } = at;
    const [me, first, second] = await world.persons(3);
    expect(await codeOf(world.decisions.undo(me!))).toBe('NOT_FOUND');
    await world.decisions.decide(me!, first!, 'dislike');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await world.decisions.decide(me!, second!, 'dislike');
    expect(await world.decisions.undo(me!)).toBe(second);
    expect(await world.decisions.undo(me!)).toBe(first);
    expect(await codeOf(world.decisions.undo(me!))).toBe('NOT_FOUND');
    await world.decisions.decide(me!, first!, 'dislike');
    await world.db.query(setDislikeAt, [me!, 2]);
    expect(await codeOf(world.decisions.undo(me!))).toBe('NOT_FOUND');
  });

  it('says so when another taking back was faster, and not that there is none', async () => {
    const { world } = at;
    const [me, first, second] = await world.persons(3);
    await world.decisions.decide(me!, first!, 'dislike');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await world.decisions.decide(me!, second!, 'dislike');
    const overtaken = world.decisions.undo(me!, async (find) => {
      const found = await find();
      expect(await world.decisions.undo(me!)).toBe(second);
      return found;
    });
    expect(await codeOf(overtaken)).toBe('CONFLICT');
    expect(await world.decisions.undo(me!)).toBe(first);
  });

  it('counts a dislike from the last time, and lets the same like again change nothing', async () => {
    const { world } = at;
    const [me, passed, liked] = await world.persons(3);
    for (const [id, kind] of [
      [passed!, 'dislike'],
      [liked!, 'like'],
    ] as const)
      await world.decisions.decide(me!, id, kind);
    await world.db.query(setDislikeAt, [me!, 29]);
    for (const [id, kind] of [
      [passed!, 'dislike'],
      [liked!, 'like'],
    ] as const)
      expect(await world.decisions.decide(me!, id, kind)).toEqual({ decision: kind, matchId: null });
    expect(await world.db.query(decidedDaysAgo, [me!, passed!])).toEqual([{ days: 0 }]);
    expect(await world.db.query(decidedDaysAgo, [me!, liked!])).toEqual([{ days: 29 }]);
    expect(await world.db.query(likesUsed, [me!])).toEqual([{ used: 1 }]);
    expect(await world.decisions.undo(me!)).toBe(passed);
  });

  // On either side of their pairs.
  it.each([0, 5])(
    'takes back the newest dislike of those who are still there, person %d of 6',
    async (nth) => {
      const { world } = at;
      const people = (await world.persons(6)).toSorted();
      const [me] = people.splice(nth, 1);
      const [still, ...gone] = people;
      await world.decisions.decide(me!, still!, 'dislike');
      for (const id of gone) await world.decisions.decide(me!, id, 'dislike');
      const [blocker, blocked, banned, deleted] = gone;
      await world.blocks.block(blocker!, me!);
      await world.blocks.block(me!, blocked!);
      await world.db.query(setStatus, [banned!, 'banned']);
      await world.db.query(setStatus, [deleted!, 'deleted']);
      expect(await world.decisions.undo(me!)).toBe(still);
      expect(await codeOf(world.decisions.undo(me!))).toBe('NOT_FOUND');
      // Whoever is there again meanwhile may be taken back like everybody else.
      await world.db.query(setStatus, [banned!, 'active']);
      expect(await world.decisions.undo(me!)).toBe(banned);
    },
  );

  it('lets a pair begin anew only long after their match ended', async () => {
    const { world } = at;
    const [me, peer] = await world.persons(2);
    await world.decisions.decide(me!, peer!, 'like');
    const { matchId } = await world.decisions.decide(peer!, me!, 'like');
    const day = 86_400_000;
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 89 * day)]);
    expect(await codeOf(world.decisions.decide(me!, peer!, 'like'))).toBe('CONFLICT');
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 91 * day)]);
    expect(await world.decisions.decide(me!, peer!, 'like')).toEqual({ decision: 'like', matchId: null });
    const again = await world.decisions.decide(peer!, me!, 'like');
    expect(again.matchId).not.toBeNull();
    expect(again.matchId).not.toBe(matchId);
  });

  it('lets a pair begin anew also when both like at once', async () => {
    const { world } = at;
    const [me, peer] = await world.persons(2);
    await world.decisions.decide(me!, peer!, 'like');
    const { matchId } = await world.decisions.decide(peer!, me!, 'like');
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 91 * 86_400_000)]);
    const answers = await Promise.all([
      world.decisions.decide(me!, peer!, 'like'),
      world.decisions.decide(peer!, me!, 'like'),
    ]);
    const { matchId: begun } = await world.decisions.decide(me!, peer!, 'like');
    expect(begun).not.toBeNull();
    expect(begun).not.toBe(matchId);
    expect(answers.map((answer) => answer.matchId)).toContain(begun);
  });

  it('forgets nothing of a pair whose new match is being made', async () => {
    const { world } = at;
    const [me, peer] = (await world.persons(2)).toSorted() as [string, string];
    await world.decisions.decide(me, peer, 'like');
    const { matchId } = await world.decisions.decide(peer, me, 'like');
    await world.db.query(endMatch, [matchId!, new Date(Date.now() - 91 * DAY_MS)]);
    let like: Promise<unknown> | undefined;
    await world.db.transaction(async (tx) => {
      await tx.query(lockPair, [me, peer]);
      like = world.decisions.decide(me, peer, 'like');
      await eventually(async () => (await world.db.query(countWaiting))[0]!.waiting).toBe(1);
      await tx.query(beginMatch, [matchId!]);
    });
    expect(await like).toEqual({ decision: 'like', matchId });
  });
});

describe('the daily likes', () => {
  const at = usePeople({ likesPerDay: 20 });

  it('are exact under 200 likes at once', async () => {
    const { world } = at;
    const me = await world.person();
    const others = await world.persons(200);
    const codes = await Promise.all(others.map((id) => codeOf(world.decisions.decide(me, id, 'like'))));
    expect(codes.filter((code) => code === 'none')).toHaveLength(20);
    expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS')).toHaveLength(180);
  });

  it('cost nothing for a repeated like, somebody who is not there, or a dislike', async () => {
    const { world } = at;
    const me = await world.person();
    const others = await world.persons(20);
    const nobody = '0190a0a0-0000-7000-8000-000000000000';
    for (let i = 0; i < 19; i++) await world.decisions.decide(me, others[i]!, 'like');
    await world.decisions.decide(me, others[0]!, 'like');
    await codeOf(world.decisions.decide(me, nobody, 'like'));
    await world.decisions.decide(me, others[19]!, 'dislike');
    expect(await codeOf(world.decisions.decide(me, others[19]!, 'like'))).toBe('none');
    const extra = await world.person();
    expect(await codeOf(world.decisions.decide(me, extra, 'like'))).toBe('TOO_MANY_REQUESTS');
    expect(await codeOf(world.decisions.decide(me, extra, 'dislike'))).toBe('none');
  });

  it('refuse the one beyond them also in the moment in which the other one likes', async () => {
    const { world } = at;
    // Whose id is lower is whose half of the row is the first.
    for (const reverse of [false, true]) {
      const pair = (await world.persons(2)).sort();
      const [me, peer] = reverse ? pair.reverse() : pair;
      for (const id of await world.persons(20)) await world.decisions.decide(me!, id, 'like');
      // At one process and in one turn of its loop: they share a batch.
      const both = await Promise.all([
        codeOf(world.decisions.decide(me!, peer!, 'like')),
        codeOf(world.decisions.decide(peer!, me!, 'like')),
      ]);
      expect(both).toEqual(['TOO_MANY_REQUESTS', 'none']);
      expect(await codeOf(world.decisions.decide(me!, peer!, 'dislike'))).toBe('none');
    }
  });

  it('are of one day for processes between whose clocks midnight lies, and begin anew for both after it', async () => {
    const { world } = at;
    const me = await world.person();
    const midnight = Date.UTC(2027, 0, 2);
    const [slow, fast] = [new FakeClock(midnight - 50), new FakeClock(midnight + 50)];
    const processes = [fast, slow].map((clock) => new Decisions({ ...world.decisionOptions, clock }));
    const likeInTurn = async () => {
      const codes: string[] = [];
      for (const [i, id] of (await world.persons(25)).entries())
        codes.push(await codeOf(processes[i % 2]!.decide(me, id, 'like')));
      return codes.filter((code) => code === 'none').length;
    };
    expect(await likeInTurn()).toBe(20);
    for (const clock of [slow, fast]) clock.advance(DAY_MS);
    expect(await likeInTurn()).toBe(20);
    // A clock that was set far ahead for a while takes nobody's likes for long.
    fast.advance(30 * DAY_MS);
    expect(await codeOf(processes[0]!.decide(me, await world.person(), 'like'))).toBe('none');
    fast.advance(-30 * DAY_MS);
    expect(await likeInTurn()).toBe(20);
  });

  it('pay once for the same like at two processes at once', async () => {
    const { world } = at;
    const [me, peer, before] = await world.persons(3);
    const processes = [0, 1].map(() => new Decisions(world.decisionOptions));
    await processes[0]!.decide(me!, before!, 'like');
    // Both have looked before either may write: the day's count is held until they wait for it.
    let likes: Promise<unknown>[] = [];
    await world.db.transaction(async (tx) => {
      await tx.query(holdCount, [me!]);
      likes = processes.map((process) => process.decide(me!, peer!, 'like'));
      await eventually(async () => (await world.db.query(countWaiting))[0]!.waiting).toBe(2);
    });
    await Promise.all(likes);
    expect(await world.db.query(likesUsed, [me!])).toEqual([{ used: 2 }]);
  });

  it('are more for a premium person', async () => {
    const { world } = at;
    const me = await world.person({ tier: 'premium' });
    const others = await world.persons(21);
    const codes = await Promise.all(others.map((id) => codeOf(world.decisions.decide(me, id, 'like'))));
    expect(codes.every((code) => code === 'none')).toBe(true);
  });
});
