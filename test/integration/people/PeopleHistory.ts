/**
 * A random history of six people among a crowd, done to the program's own use cases on the real database, at two processes
 * in turn, and compared after every step with `PeopleRules`. A history is a list of steps that names people by their
 * place: it goes the same way each time, and any part of it is a history too.
 */
import { expect } from 'vitest';
import { eraseUser, markDeleted, restore, setStatus } from '../../../src/accounts/lifeStatements.ts';
import { overdueMatches } from '../../../src/actors/Keeper.ts';
import { DAY_MS, HOUR_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import type { StoredEvent } from '../../../src/events/outbox.ts';
import { Decisions } from '../../../src/matching/decisions.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import { MatchLists } from '../../../src/matching/MatchLists.ts';
import { Discovery } from '../../../src/people/Discovery.ts';
import { People } from '../../../src/people/People.ts';
import { PeopleUpkeep } from '../../../src/people/PeopleUpkeep.ts';
import { Places } from '../../../src/people/Places.ts';
import { ShowCounts } from '../../../src/people/ShowCounts.ts';
import { GENDERS, type Gender } from '../../../src/people/shapes.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { Cache } from '../../../src/platform/Cache.ts';
import { Blocks } from '../../../src/safety/Blocks.ts';
import { Reports } from '../../../src/safety/Reports.ts';
import { Random } from '../../simulation/Random.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { type PeopleWorld, SECRET } from '../../support/people.ts';
import {
  ACCEPT_MS,
  type Bond,
  type Figure,
  LIKES_PER_DAY,
  MOVES_PER_DAY,
  PeopleRules,
  SHOWS_PER_DAY,
  WARNING_MS,
} from './PeopleRules.ts';

export interface History {
  startMs: number;
  /** The first six. */
  cast: Profile[];
  steps: Step[];
}

type Profile = Omit<Figure, 'name' | 'status' | 'spot' | 'cell' | 'hides' | 'paused'>;

export interface Step {
  /** How long before it. */
  ms: number;
  /** Which process does it; the other one is asked afterwards. */
  process: 0 | 1;
  by: number;
  about: number;
  /** Of the pages of discovery that are turned after it, all of them; null: none. */
  limit: number | null;
  act: Act;
  /** Drawn for whichever act needs it. */
  given: { on: boolean; ages: [number, number]; reachKm: number; spot: number | null; profile: Profile };
}

const ACTS = {
  like: 30,
  dislike: 10,
  undo: 6,
  block: 6,
  report: 2,
  unblock: 7,
  accept: 12,
  decline: 2,
  end: 6,
  card: 4,
  pause: 3,
  hide: 3,
  gender: 2,
  wish: 3,
  ages: 4,
  reach: 2,
  move: 6,
  tier: 3,
  verify: 2,
  suspend: 3,
  leave: 3,
  return: 8,
  erase: 1,
  look: 2,
};
type Act = keyof typeof ACTS;

/** How long passes between two steps. */
const PAUSES: Record<string, number> = { 1: 40, 1000: 30, [HOUR_MS]: 8, [23 * HOUR_MS]: 6, [DAY_MS]: 4 };
for (const days of [6, 29, 30, 31, 60, 89, 90]) PAUSES[days * DAY_MS] = 1;

const NAMES = ['Ann', 'Ben', 'Cem', 'Dea', 'Eli', 'Fay'];
/** Two close to each other, and one far from both. */
const SPOTS = [
  { lat: 52.5, lon: 13.4 },
  { lat: 52.55, lon: 13.5 },
  { lat: 48.1, lon: 11.6 },
];
/** More than a deck, so that decks are kept. */
const CROWD = 66;
/** The first second of a month, of the day after a leap day, of a year; and the last ones of a day. */
const STARTS = ['2028-02-01', '2028-03-01', '2027-01-01', '2029-02-28'].map((day) => Date.parse(day));

const insertFigure = sql(
  'test-figure',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender, genders,
     min_age, max_age, max_distance_km, tier)
   values ($1, $11, $11, $2, 'none', $3, $4, $5, $6, $7, $8, $9, $10)`,
);
const setTime = sql('test-set-now', 'update test_clock set ms = $1');
const setTier = sql('test-set-tier', 'update users set tier = $2 where id = $1');
const verify = sql(
  'test-verify',
  'update users set email_verified_at = now(), version = version + 1 where id = $1',
);
const cells = sql<{ id: string; cell: string | null }>('test-cells', 'select id, cell from users');
const toldTo = sql<{ type: string }>(
  'test-told-to',
  'select type from outbox where user_id = $1 order by seq',
);
const wakeUp = sql('test-wake-up', `update users set rested_on = '2000-01-01'`);
const forgetShows = sql('test-forget-shows', 'delete from show_counts');
const leftovers = sql<{ table: string; n: number }>(
  'test-leftovers',
  ['pair_decisions', 'blocks', 'matches', 'like_counts', 'places', 'place_tallies', 'sightings', 'outbox']
    .map((table) => `select '${table}' as table, count(*) as n from ${table} having count(*) > 0`)
    .join(' union all '),
);

export function drawHistory(seed: number, length: number): History {
  const random = new Random(seed);
  const cast = NAMES.map(() => drawProfile(random));
  const steps: Step[] = [];
  while (steps.length < length) steps.push(drawStep(random, steps.at(-1)));
  return { startMs: random.pick(STARTS) - random.pick([0, 1, 60_000, 12 * HOUR_MS]), cast, steps };
}

function drawStep(random: Random, before: Step | undefined): Step {
  // Those in front meet more often.
  const by = Math.min(random.between(0, 5), random.between(0, 5));
  const next = 1 + Math.min(random.between(0, 4), random.between(0, 4));
  const step: Step = {
    ms: Number(random.weighted(PAUSES)) + random.between(1, 3),
    process: random.pick([0, 1]),
    by,
    about: random.chance(0.03) ? by : (by + next) % NAMES.length,
    limit: random.pick([7, 40, 100, null, null, null]),
    act: random.weighted(ACTS),
    given: {
      on: random.chance(0.5),
      ages: [random.between(18, 40), random.between(20, 99)],
      reachKm: random.pick([5, 20, 100, 2_000]),
      spot: random.pick([0, 0, 1, 2, null]),
      profile: drawProfile(random),
    },
  };
  return { ...step, ...(before && drawAnswer(random, before)) };
}

/** What often follows: a like is returned, terms run out, what was done is taken back. */
function drawAnswer(random: Random, { act, by, about }: Step): Partial<Step> {
  const after = (days: readonly number[], then: Act) => ({
    ms: random.pick(days) * DAY_MS + random.pick([-1, 0, 1]),
    by,
    about,
    act: then,
    limit: 100,
  });
  if (act === 'like' && random.chance(0.4)) return { by: about, about: by, act };
  if (act === 'dislike' && random.chance(0.3))
    return after([1, 29, 30], random.pick(['look', 'undo', 'like']));
  if (act === 'end' && random.chance(0.3)) return after([89, 90], random.pick(['like', 'look', 'dislike']));
  if (act === 'block' && random.chance(0.3)) return after([1, 90], 'unblock');
  if ((act === 'suspend' || act === 'leave') && random.chance(0.5)) return after([1], 'return');
  return {};
}

function drawProfile(random: Random): Profile {
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => random.between(0, 15).toString(16)).join('');
  const wishes: readonly (readonly Gender[])[] = [GENDERS, GENDERS, ['woman', 'man'], ['man', 'nonbinary']];
  return {
    id: `${hex(8)}-${hex(4)}-7${hex(3)}-8${hex(3)}-${hex(12)}`,
    gender: random.pick(GENDERS),
    genders: random.pick(wishes),
    birthDate: random.pick([
      '2008-02-29',
      '2008-03-01',
      '2004-02-29',
      '1996-12-31',
      '1990-06-15',
      '1925-01-01',
    ]),
    minAge: random.pick([18, 18, 20]),
    maxAge: random.pick([99, 99, 40]),
    reachKm: random.pick([20, 100, 2_000]),
    verified: random.chance(0.9),
    tier: random.pick(['regular', 'premium']),
  };
}

/** Fills the database with who is only looked at. Once, for all histories. */
export async function gatherCrowd({ db }: PeopleWorld): Promise<Figure[]> {
  const random = new Random(0);
  const crowd: Figure[] = [];
  for (let i = 0; i < CROWD; i++) {
    const profile = {
      ...drawProfile(random),
      verified: true,
      minAge: 18,
      maxAge: 99,
      birthDate: '1990-06-15',
    };
    crowd.push(await insert(db, { ...profile, genders: GENDERS }, `crowd ${i}`));
  }
  return crowd;
}

async function insert(db: PeopleWorld['db'], profile: Profile, name: string): Promise<Figure> {
  const { id, verified, birthDate, gender, genders, minAge, maxAge, reachKm, tier } = profile;
  const verifiedAt = verified ? new Date(0) : null;
  await db.query(insertFigure, [
    id,
    verifiedAt,
    name,
    birthDate,
    gender,
    genders,
    minAge,
    maxAge,
    reachKm,
    tier,
    `${id}@duet.test`,
  ]);
  return { ...profile, name, status: 'active', spot: null, cell: null, hides: false, paused: false };
}

/** Does a history. Resolves with how it went wrong, and after which story; undefined when it did not. */
export async function live(
  world: PeopleWorld,
  crowd: readonly Figure[],
  history: History,
): Promise<{ story: string[]; at: number } | undefined> {
  const run = new Run(world, crowd, history);
  try {
    await run.begin();
    for (const [at, step] of history.steps.entries()) {
      try {
        await run.step(step);
      } catch (error) {
        return { story: [...run.story, String(error instanceof Error ? error.message : error)], at };
      }
    }
    return undefined;
  } finally {
    await run.end();
  }
}

/** The fewest steps of a history that go wrong still, found by leaving out ever fewer at a time. */
export async function shortest(
  world: PeopleWorld,
  crowd: readonly Figure[],
  history: History,
): Promise<History> {
  let { steps } = history;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length; ) {
      const fewer = steps.toSpliced(from, size);
      // Time passes all the same.
      const gone = steps.slice(from, from + size).reduce((ms, step) => ms + step.ms, 0);
      const next = fewer[from];
      if (next !== undefined) fewer[from] = { ...next, ms: next.ms + gone };
      const broken = await live(world, crowd, { ...history, steps: fewer });
      if (broken === undefined) from += size;
      else steps = fewer.slice(0, broken.at + 1);
    }
  }
  return { ...history, steps };
}

/** One process: what it has of its own of people, matches and caches. */
function openProcess(world: PeopleWorld, clock: FakeClock, bus: MemoryBus) {
  const { db } = world;
  const cache = new Cache({ clock, bus });
  const settings = { acceptMs: ACCEPT_MS, warningMs: WARNING_MS };
  const places = new Places({ secret: SECRET, movesPerDay: MOVES_PER_DAY });
  const people = new People({ ...world, clock, cache, places });
  const cards = people.cards.bind(people);
  const lists = new MatchLists({ db, cache, cards });
  const publish = (events: readonly StoredEvent[]) => lists.heed(events);
  const onChanged = (ids: readonly string[]) => lists.changed(ids);
  const matches = new Matches({
    db,
    clock,
    settings,
    cards,
    publish,
    onChanged,
    onClosed: async () => {},
  });
  const blocks = new Blocks({
    db,
    clock,
    pairSevered: (one, other) => matches.sever(one, other),
    forgetCandidates: (ids) => cache.forget('candidates', ids),
  });
  const shows = new ShowCounts({ ...world, clock, showsPerDay: SHOWS_PER_DAY });
  return {
    cache,
    people,
    lists,
    matches,
    blocks,
    shows,
    reports: new Reports({ ...world, clock, blocks, onReport: async () => {} }),
    discovery: new Discovery({ db, clock, cache, people, shows }),
    decisions: new Decisions({ db, clock, match: settings, likesPerDay: LIKES_PER_DAY, publish }),
    upkeep: new PeopleUpkeep({ ...world, clock, people }),
  };
}

class Run {
  readonly story: string[] = [];
  readonly #world: PeopleWorld;
  readonly #clock: FakeClock;
  readonly #rules: PeopleRules;
  readonly #processes: ReturnType<typeof openProcess>[];
  readonly #crowd: readonly Figure[];
  readonly #cast: Profile[];
  #newcomers = 0;

  constructor(world: PeopleWorld, crowd: readonly Figure[], { startMs, cast }: History) {
    this.#world = world;
    this.#crowd = crowd;
    this.#clock = new FakeClock(startMs);
    this.#rules = new PeopleRules(startMs);
    this.#cast = [...cast];
    const bus = new MemoryBus();
    this.#processes = [0, 1].map(() => openProcess(world, this.#clock, bus));
  }

  async begin(): Promise<void> {
    const { db } = this.#world;
    for (const statement of [wakeUp, forgetShows]) await db.query(statement);
    await db.query(setTime, [this.#clock.now()]);
    await this.#processes[0]!.upkeep.keepMonths();
    for (const figure of this.#crowd) this.#rules.people.set(figure.id, { ...figure });
    for (const [i, profile] of this.#cast.entries())
      this.#rules.people.set(profile.id, await insert(db, profile, NAMES[i]!));
  }

  /** Nothing of anybody stays. */
  async end(): Promise<void> {
    const { db } = this.#world;
    for (const { id } of this.#cast) await db.query(eraseUser, [id]);
    expect(await db.query(leftovers)).toEqual([]);
    for (const process of this.#processes) process.cache.close();
  }

  async step({ ms, process, by, about, limit, act, given }: Step): Promise<void> {
    await this.#pass(ms);
    const [me, other] = [this.#figure(by), this.#figure(about)];
    const { on, ages, reachKm, spot, profile } = given;
    const detail = { pause: on, hide: on, ages, reach: reachKm, move: spot, tier: profile.tier }[
      act as string
    ];
    const time = new Date(this.#clock.now()).toISOString();
    this.story.push(`${time}, at ${process}: ${me.name} ${act} ${other.name} ${detail ?? ''}`);
    const here = this.#processes[process]!;
    this.story.push(`  ${await this.#do(act, me, other, here, given, by)}`);
    await this.#readCells();
    // Asked elsewhere: what one process changes, the other one shows.
    const elsewhere = this.#processes[1 - process]!;
    for (const figure of new Set([this.#figure(by), this.#figure(about)])) {
      await this.#expectTold(figure);
      if (figure.status === 'active') await this.#expectLists(figure, elsewhere);
    }
    const viewer = this.#figure(by);
    if (limit !== null && viewer.status === 'active') await this.#expectDiscovery(viewer, limit);
  }

  #figure(place: number): Figure {
    return this.#rules.people.get(this.#cast[place]!.id)!;
  }

  #name(id: string): string {
    return this.#rules.people.get(id)?.name ?? id;
  }

  async #pass(ms: number): Promise<void> {
    const { db } = this.#world;
    const month = new Date(this.#clock.now()).getUTCMonth();
    this.#clock.advance(ms);
    this.#rules.pass(ms);
    await db.query(setTime, [this.#clock.now()]);
    const { matches, upkeep } = this.#processes[0]!;
    if (new Date(this.#clock.now()).getUTCMonth() !== month) await upkeep.keepMonths();
    if (ms > DAY_MS) await upkeep.recountPlaces();
    if (ms < HOUR_MS) return;
    for (const { id } of await db.query(overdueMatches, [new Date(this.#clock.now())]))
      await matches.system(id, { type: 'tick' });
  }

  /** Does an act to both, and compares what they answer. Resolves with that. */
  async #do(
    act: Act,
    me: Figure,
    other: Figure,
    at: ReturnType<typeof openProcess>,
    given: Step['given'],
    place: number,
  ): Promise<string> {
    const rules = this.#rules;
    const isHere = me.status === 'active';
    if (!isHere && act !== 'like' && act !== 'erase')
      return this.#changeLife('return', me, at, given.profile, place);
    switch (act) {
      case 'like':
      case 'dislike':
        return this.#decide(me, other, act, at);
      case 'undo': {
        if (!isHere) return 'not here';
        const undone = await outcome(at.decisions.undo(me.id));
        await at.people.changed(me.id, { candidates: true });
        return this.#same(undone, rules.undo(me.id));
      }
      case 'block':
      case 'report': {
        if (!isHere) return 'not here';
        const input = { reason: 'spam', details: '', block: true };
        const work =
          act === 'block' ? at.blocks.block(me.id, other.id) : at.reports.report(me.id, other.id, input);
        return this.#same(await outcome(work.then(() => null)), rules.block(me.id, other.id));
      }
      case 'unblock': {
        if (!isHere) return 'not here';
        const blockedId = given.on ? other.id : (rules.blocked(me.id)[0] ?? other.id);
        rules.unblock(me.id, blockedId);
        await at.blocks.unblock(me.id, blockedId);
        return this.#name(blockedId);
      }
      case 'accept':
      case 'decline':
      case 'end': {
        const bond = rules.lastBond(me.id, other.id) ?? rules.bondsOf(me.id).at(-1);
        if (!isHere || bond === undefined) return 'no match';
        const done = await outcome(at.matches.command(bond.id!, { type: act }, me.id).then(() => null));
        return this.#same(done, rules.command(me.id, bond, act));
      }
      case 'card': {
        if (!isHere || me === other) return 'not asked';
        const card = await outcome(at.people.metCard(me.id, other.id).then((one) => one.id));
        return this.#same(card, rules.hasCard(me.id, other.id) ? other.id : 'NOT_FOUND');
      }
      case 'suspend':
      case 'leave':
      case 'return':
      case 'erase':
        return this.#changeLife(act, me, at, given.profile, place);
      case 'look':
        return 'looked';
      default:
        return isHere ? this.#edit(act, me, at, given) : 'not here';
    }
  }

  async #decide(
    me: Figure,
    other: Figure,
    kind: 'like' | 'dislike',
    at: ReturnType<typeof openProcess>,
  ): Promise<string> {
    const real = await outcome(at.decisions.decide(me.id, other.id, kind).then(({ matchId }) => matchId));
    const told = this.#rules.decide(me.id, other.id, kind);
    if (typeof told === 'string') return this.#same(real, told);
    const isNew = told !== null && told.id === undefined;
    if (isNew && real !== null && real.length === 36) told.id = real;
    return this.#same(real, told?.id ?? null);
  }

  async #edit(
    act: Act,
    me: Figure,
    at: ReturnType<typeof openProcess>,
    given: Step['given'],
  ): Promise<string> {
    const { db } = this.#world;
    const { on, reachKm, profile } = given;
    const [minAge, maxAge] = given.ages;
    const set = (change: Partial<Figure>) => void Object.assign(me, change);
    const prefer = (edit: Parameters<typeof at.people.editPreferences>[1]) =>
      outcome(at.people.editPreferences(me.id, edit).then(() => null));
    switch (act) {
      case 'pause':
        set({ paused: on });
        return this.#same(await prefer({ discoverable: !on }), null);
      case 'hide':
        set({ hides: on });
        return this.#same(await prefer({ hideDistance: on }), null);
      case 'wish':
        set({ genders: profile.genders });
        return this.#same(await prefer({ genders: [...profile.genders] }), null);
      case 'reach':
        set({ reachKm });
        return this.#same(await prefer({ maxDistanceKm: reachKm }), null);
      case 'ages': {
        // Now both, now one of them.
        const edit = { ...(reachKm !== 5 && { minAge }), ...(reachKm !== 20 && { maxAge }) };
        const ages = { minAge: me.minAge, maxAge: me.maxAge, ...edit };
        const isRange = ages.minAge <= ages.maxAge;
        if (isRange) set(ages);
        return this.#same(await prefer(edit), isRange ? null : 'INVALID_AGE_RANGE');
      }
      case 'gender':
        set({ gender: profile.gender });
        await at.people.editProfile(me.id, { gender: profile.gender });
        return profile.gender;
      case 'move': {
        const location = given.spot === null ? null : SPOTS[given.spot]!;
        const done = await outcome(at.people.editProfile(me.id, { location }).then(() => null));
        return this.#same(done, this.#rules.moveTo(me.id, given.spot));
      }
      case 'tier':
        set({ tier: profile.tier });
        await db.query(setTier, [me.id, profile.tier]);
        return profile.tier;
      default:
        set({ verified: true });
        await db.query(verify, [me.id]);
        return 'verified';
    }
  }

  async #changeLife(
    act: 'suspend' | 'leave' | 'return' | 'erase',
    me: Figure,
    at: ReturnType<typeof openProcess>,
    newcomer: Profile,
    place: number,
  ): Promise<string> {
    const { db } = this.#world;
    const now = this.#clock.now();
    if ((act === 'suspend' || act === 'leave') && me.status !== 'active') return 'not here';
    if (act === 'suspend') await db.query(setStatus, [me.id, 'suspended', 'a reason', null, null]);
    if (act === 'leave') await db.query(markDeleted, [me.id, new Date(now + 1_000 * DAY_MS), null]);
    if (act === 'return' && me.status === 'deleted') await db.query(restore, [me.id, new Date(now)]);
    if (act === 'return' && me.status === 'suspended')
      await db.query(setStatus, [me.id, 'active', null, null, null]);
    if (act === 'erase') {
      await db.query(eraseUser, [me.id]);
      this.#rules.erase(me.id);
      this.#cast[place] = newcomer;
      const name = `${NAMES[place]} ${++this.#newcomers}`;
      this.#rules.people.set(newcomer.id, await insert(db, newcomer, name));
    }
    await at.people.changed(me.id, { candidates: true });
    if (act === 'suspend' || act === 'leave') await at.matches.severAll(me.id);
    const status = { suspend: 'suspended', leave: 'deleted', return: 'active' } as const;
    if (act !== 'erase') this.#rules.setStatus(me.id, status[act]);
    return act;
  }

  async #expectLists(me: Figure, at: ReturnType<typeof openProcess>): Promise<void> {
    for (const which of ['active', 'history'] as const) {
      const { items } = await at.lists.list(me.id, which, { limit: 100 });
      const bonds = this.#rules
        .bondsOf(me.id)
        .filter((bond) => (bond.status === 'active') === (which === 'active'))
        .filter((bond) => this.#rules.maySee(me.id, peerOf(bond, me.id)))
        .toReversed();
      const shown = items.map(({ peer, status, phase, youAccepted, endReason }) => [
        this.#name(peer.id),
        status,
        phase,
        youAccepted,
        endReason,
        peer.distance,
      ]);
      expect(shown, `${me.name}'s matches, ${which}`).toEqual(
        bonds.map((bond) => {
          const peer = peerOf(bond, me.id);
          const awaited = bond.accepted.size === 2 ? 'ready' : 'awaiting_accept';
          return [
            this.#name(peer),
            bond.status,
            bond.status === 'active' ? awaited : 'closed',
            bond.accepted.has(me.id),
            { active: null, expired: 'expired', rejected: 'ended', ended: 'ended' }[bond.status],
            this.#rules.distance(me.id, peer),
          ];
        }),
      );
    }
    const { items } = await at.blocks.list(me.id, { limit: 100 });
    const blocked = this.#rules.blocked(me.id).map((id) => this.#name(id));
    expect(
      items.map(({ id }) => this.#name(id)),
      `whom ${me.name} blocked`,
    ).toEqual(blocked);
  }

  async #expectDiscovery(me: Figure, limit: number): Promise<void> {
    const expected = [...this.#rules.candidates(me.id)].map((id) => this.#name(id));
    const shown: string[] = [];
    for (let cursor: string | undefined, pages = 0; ; pages++) {
      const { discovery } = this.#processes[pages % 2]!;
      const { items, nextCursor } = await discovery.list(me.id, { limit, cursor });
      for (const card of items) {
        expect([card.age, card.distance], `${me.name} sees ${this.#name(card.id)}`).toEqual([
          this.#rules.age(card.id),
          this.#rules.distance(me.id, card.id),
        ]);
        shown.push(card.id);
      }
      if (nextCursor === null) break;
      expect(pages, 'pages without an end').toBeLessThan(30);
      cursor = nextCursor;
    }
    const names = shown.map((id) => this.#name(id));
    expect(names.toSorted(), `whom ${me.name} is shown`).toEqual(expected.toSorted());
    this.#rules.show(me.id, shown);
    for (const { shows } of this.#processes) await shows.flush();
  }

  async #expectTold(me: Figure): Promise<void> {
    const rows = await this.#world.db.query(toldTo, [me.id]);
    expect(
      rows.map(({ type }) => type),
      `what ${me.name} was told`,
    ).toEqual(this.#rules.told.get(me.id) ?? []);
  }

  async #readCells(): Promise<void> {
    for (const { id, cell } of await this.#world.db.query(cells)) this.#rules.people.get(id)!.cell = cell;
  }

  /** Both said the same; a name in place of an id reads better. */
  #same(real: string | null, told: string | null): string {
    expect(real === null ? null : this.#name(real)).toBe(told === null ? null : this.#name(told));
    return told === null ? 'done' : this.#name(told);
  }
}

/** What came of it, or the code of its refusal. */
async function outcome(work: Promise<string | null>): Promise<string | null> {
  return work.catch((error: unknown) => {
    if (error instanceof DuetError) return error.code;
    throw error;
  });
}

function peerOf(bond: Bond, id: string): string {
  return bond.people[0] === id ? bond.people[1] : bond.people[0];
}
