// Two processes' caches over one real Redis: what one changes, the other shows within a second.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import { sql } from '../../../src/db/sql.ts';
import { createLog } from '../../../src/log.ts';
import { MatchLists } from '../../../src/matching/MatchLists.ts';
import { Discovery } from '../../../src/people/Discovery.ts';
import { People } from '../../../src/people/People.ts';
import { Cache } from '../../../src/platform/Cache.ts';
import { RedisBus } from '../../../src/platform/RedisBus.ts';
import { openRedis, waitUntilReady } from '../../../src/platform/redis.ts';
import { until } from '../../support/accounts.ts';
import { eventually } from '../../support/eventually.ts';
import { type PeopleWorld, usePeople } from '../../support/people.ts';
import { useRedis } from '../../support/redis.ts';

const HERE = { lat: 41, lon: -3 };
const setBio = sql('test-set-bio', `update users set bio = $2 where id = $1`);
/** What a process does that dies before it tells the caches. */
const changeUntold = sql('test-change', `update users set bio = $2, version = version + 1 where id = $1`);
const endMatch = sql(
  'test-end-active',
  `update matches set status = 'ended', phase = 'closed', ended_at = now() where id = $1`,
);
const setStatus = sql('test-status-of', `update users set status = $2 where id = $1`);

/** What one process has of caches and what reads through them. */
async function openProcess(world: PeopleWorld, url: string) {
  const log = createLog('silent');
  const clock = new SystemClock();
  const redis = openRedis(url, log);
  await waitUntilReady(redis, 10_000);
  const bus = new RedisBus({ url, log });
  const cache = new Cache({ clock, bus, store: redis });
  const people = new People({ ...world, cache });
  const discovery = new Discovery({ ...world, cache, people });
  const lists = new MatchLists({ db: world.db, cache, cards: people.cards.bind(people) });
  const ids = async (userId: string) =>
    (await lists.list(userId, 'active', { limit: 20 })).items.map((match) => match.id);
  return {
    redis,
    cache,
    people,
    discovery,
    lists,
    ids,
    async close() {
      cache.close();
      await bus.close();
      redis.disconnect();
    },
  };
}

describe('caches of two processes', () => {
  const redis = useRedis();
  const at = usePeople();
  let a: Awaited<ReturnType<typeof openProcess>>;
  let b: Awaited<ReturnType<typeof openProcess>>;
  beforeAll(async () => {
    a = await openProcess(at.world, redis.url);
    b = await openProcess(at.world, redis.url);
    // Both hear the bus.
    const me = await at.world.person();
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      await until(async () => {
        await other.cache.one('hello', me, 60_000, async () => new Map([[me, 1]]));
        await one.cache.forget('hello', [me]);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return (await other.cache.held('hello', me, 60_000)) === undefined || undefined;
      });
    }
  });
  afterAll(async () => {
    await a?.close();
    await b?.close();
  });

  it('a profile: shown from the cache until it is changed anywhere, for an hour at most', async () => {
    const [me, viewer] = await at.world.persons(2);
    const bio = async (side: typeof a) => (await side.people.card(viewer!, me!)).bio;
    expect([await bio(a), await bio(b)]).toEqual(['', '']);
    // Behind the back of every cache: both still show what they have.
    await at.world.db.query(setBio, [me!, 'Unannounced']);
    expect([await bio(a), await bio(b)]).toEqual(['', '']);
    const leftMs = await a.redis.pttl(`duet:cache:1:person:${me}`);
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThanOrEqual(3_600_000);
    await a.people.editProfile(me!, { bio: 'Changed on A' });
    expect(await bio(a)).toBe('Changed on A');
    await eventually(() => bio(b)).toBe('Changed on A');
  });

  it('a profile that was changed without a word to the caches is not shown as it was', async () => {
    const [me, viewer] = await at.world.persons(2);
    const card = (side: typeof a) => side.people.card(viewer!, me!);
    expect((await card(a)).bio).toBe('');
    await at.world.db.query(changeUntold, [me!, 'Changed by the dead']);
    expect([(await card(a)).bio, (await card(b)).bio]).toEqual([
      'Changed by the dead',
      'Changed by the dead',
    ]);
  });

  it('candidates: a deck of five minutes, dealt anew after a move or a change of gender or preferences anywhere', async () => {
    const me = await at.world.person();
    await a.people.editProfile(me, { location: HERE });
    const others = await at.world.persons(70);
    for (const id of others) await at.world.people.editProfile(id, { location: HERE });
    const shown = (side: typeof a) => side.discovery.list(me, { limit: 5 });
    // Once the change above is forgotten for the second time, too.
    const leftMs = async () => {
      await shown(a);
      await shown(b);
      return a.redis.pttl(`duet:cache:1:candidates:${me}`);
    };
    await eventually(leftMs).toBeGreaterThan(200_000);
    expect(await leftMs()).toBeLessThanOrEqual(300_000);
    const held = (side: typeof a) => side.cache.held('candidates', me, 300_000);
    for (const change of [
      () => a.people.editPreferences(me, { maxDistanceKm: 30 }),
      () => a.people.editProfile(me, { location: { lat: 41.3, lon: -3.3 } }),
      () => a.people.editProfile(me, { gender: 'nonbinary' }),
    ]) {
      await a.people.editProfile(me, { location: HERE });
      await eventually(() => shown(b).then(() => held(b))).toBeDefined();
      await change();
      await eventually(() => held(b)).toBeUndefined();
    }
  });

  it('matches: a list of a minute, anew when a match is made, ends or is accepted anywhere', async () => {
    const [me, peer] = await at.world.persons(2);
    expect([await a.ids(me!), await b.ids(me!), await b.ids(peer!)]).toEqual([[], [], []]);
    const leftMs = await a.redis.pttl(`duet:cache:1:matches-active:${me}`);
    expect(leftMs).toBeGreaterThan(30_000);
    expect(leftMs).toBeLessThanOrEqual(60_000);

    await at.world.decisions.decide(me!, peer!, 'like');
    const from = at.world.published.length;
    const { matchId } = await at.world.decisions.decide(peer!, me!, 'like');
    expect([await a.ids(me!), await b.ids(me!)]).toEqual([[], []]);
    a.lists.heed(at.world.published.slice(from));
    expect(await a.ids(me!)).toEqual([matchId]);
    await eventually(() => b.ids(me!)).toEqual([matchId]);
    await eventually(() => b.ids(peer!)).toEqual([matchId]);

    await at.world.db.query(endMatch, [matchId!]);
    expect([await a.ids(me!), await b.ids(me!)]).toEqual([[matchId], [matchId]]);
    b.lists.changed([me!, peer!]);
    expect(await b.ids(me!)).toEqual([]);
    await eventually(() => a.ids(me!)).toEqual([]);
    const past = await a.lists.list(me!, 'history', { limit: 5 });
    expect(past.items.map((one) => one.id)).toEqual([matchId]);
  });

  it('matches: as many as a usual page shows are cached, whatever is asked for, and every page is right', async () => {
    const [me, shy, ...peers] = await at.world.persons(28);
    const made: string[] = [];
    for (const peer of peers) {
      await at.world.decisions.decide(me!, peer, 'like');
      made.unshift((await at.world.decisions.decide(peer, me!, 'like')).matchId!);
    }
    const pageOf = async (userId: string, limit: number, cursor?: string) => {
      const { items, nextCursor } = await a.lists.list(userId, 'active', { limit, cursor });
      return { ids: items.map((match) => match.id), nextCursor };
    };
    for (const again of [false, true]) {
      expect(await pageOf(me!, 100), `again: ${again}`).toEqual({ ids: made, nextCursor: null });
      for (const limit of [1, 20, 21, 22, 25])
        expect(await pageOf(me!, limit)).toEqual({ ids: made.slice(0, limit), nextCursor: made[limit - 1] });
      expect(await pageOf(me!, 26)).toEqual({ ids: made, nextCursor: null });
      expect((await pageOf(me!, 20, made[19])).ids).toEqual(made.slice(20));
      expect(await a.cache.held<unknown[]>('matches-active', me!, 60_000)).toHaveLength(21);
    }
    // A list that is in the cache from end to end is shown from there, also on the largest page.
    expect((await pageOf(shy!, 100)).ids).toEqual([]);
    await at.world.decisions.decide(shy!, me!, 'like');
    await at.world.decisions.decide(me!, shy!, 'like');
    expect((await pageOf(shy!, 100)).ids).toEqual([]);
  });

  it('a start or an answer of a call counts as a change of its match', async () => {
    const [me, peer] = await at.world.persons(2);
    for (const type of ['call:incoming', 'call:answered'] as const) {
      await b.ids(me!);
      expect(await b.cache.held('matches-active', me!, 60_000)).toBeDefined();
      const payload = { call: { callerId: me!, calleeId: peer! } };
      a.lists.heed([{ userId: peer!, type, payload, seq: 1, epoch: 1, at: 0 }]);
      await eventually(() => b.cache.held('matches-active', me!, 60_000)).toBeUndefined();
    }
  });

  it('AZ-19, PV-23: a block or a ban is in force at once, whatever is cached where', async () => {
    const [me, blocker, banned] = await at.world.persons(3);
    const made: string[] = [];
    for (const peer of [blocker!, banned!]) {
      await at.world.decisions.decide(me!, peer, 'like');
      made.unshift((await at.world.decisions.decide(peer, me!, 'like')).matchId!);
    }
    for (const side of [a, b]) expect((await side.ids(me!)).sort()).toEqual(made.toSorted());
    // Nobody tells any cache of either.
    await at.world.blocks.block(blocker!, me!);
    await at.world.db.query(setStatus, [banned!, 'banned']);
    for (const side of [a, b]) expect(await side.ids(me!)).toEqual([]);
  });
});
