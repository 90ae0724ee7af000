/**
 * Does a history (`PeopleHistory`) to the program's own use cases on the real database, at two processes in turn, and
 * compares what each deed answered and what people then see with `PeopleRules`. Two deeds at once must come to what one
 * after the other comes to, in either order.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { eraseUser, markDeleted, restore, setStatus } from '../../../src/accounts/lifeStatements.ts';
import { overdueMatches } from '../../../src/actors/Keeper.ts';
import { DAY_MS, HOUR_MS } from '../../../src/days.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import type { StoredEvent } from '../../../src/events/outbox.ts';
import { Decisions } from '../../../src/matching/decisions.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import { type MatchListName, MatchLists } from '../../../src/matching/MatchLists.ts';
import { Discovery } from '../../../src/people/Discovery.ts';
import { People } from '../../../src/people/People.ts';
import { PeopleUpkeep } from '../../../src/people/PeopleUpkeep.ts';
import { Places } from '../../../src/people/Places.ts';
import { ShowCounts } from '../../../src/people/ShowCounts.ts';
import type { PreferencesEdit } from '../../../src/people/shapes.ts';
import { MemoryBus } from '../../../src/platform/Bus.ts';
import { Cache } from '../../../src/platform/Cache.ts';
import { Blocks } from '../../../src/safety/Blocks.ts';
import { Reports } from '../../../src/safety/Reports.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { type PeopleWorld, SECRET } from '../../support/people.ts';
import type { Deed, Step } from './PeopleHistory.ts';
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

export type Profile = Omit<Figure, 'name' | 'status' | 'spot' | 'cell' | 'hides' | 'paused'>;
type Process = ReturnType<typeof openProcess>;
/** A deed whose people are known: `peer` is whom `by` was matched with last, `blocked` whom they blocked last. */
interface Doing extends Omit<Deed, 'by' | 'about'> {
  by: string;
  about: string;
  peer: string;
  blocked: string;
}

export const NAMES = ['Ann', 'Ben', 'Cem', 'Dea', 'Eli', 'Fay'];
/** Two close to each other, and one far from both. */
const SPOTS = [
  { lat: 52.5, lon: 13.4 },
  { lat: 52.55, lon: 13.5 },
  { lat: 48.1, lon: 11.6 },
];
const NOBODY = '0190a0a0-0000-7000-8000-000000000000';

const insert = sql(
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
const matchOf = sql<{ id: string }>(
  'test-match-of',
  `select id from matches where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid)
   order by created_at desc limit 1`,
);
const isActive = sql('test-is-active', `select from users where id = $1 and status = 'active'`);
const gone = sql<{ id: string }>('test-gone', `select id from users where status <> 'active'`);
const wakeUp = sql('test-wake-up', `update users set rested_on = '2000-01-01'`);
const forgetShows = sql('test-forget-shows', 'delete from show_counts');
const leftovers = sql<{ table: string; n: number }>(
  'test-leftovers',
  ['pair_decisions', 'blocks', 'matches', 'like_counts', 'places', 'place_tallies', 'sightings', 'outbox']
    .map((table) => `select '${table}' as table, count(*) as n from ${table} having count(*) > 0`)
    .join(' union all '),
);

export async function insertFigure(db: PeopleWorld['db'], profile: Profile, name: string): Promise<Figure> {
  const { id, verified, birthDate, gender, genders, minAge, maxAge, reachKm, tier } = profile;
  const verifiedAt = verified ? new Date(0) : null;
  const own = [id, verifiedAt, name, birthDate, gender, genders, minAge, maxAge, reachKm, tier];
  await db.query(insert, [...own, `${id}@duet.test`]);
  return { ...profile, name, status: 'active', spot: null, cell: null, hides: false, paused: false };
}

/** What one process has of its own of people, matches and caches. */
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
  const onClosed = () => Promise.resolve();
  const matches = new Matches({ db, clock, settings, cards, publish, onChanged, onClosed });
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

export class PeopleRun {
  readonly story: string[] = [];
  readonly #world: PeopleWorld;
  readonly #clock: FakeClock;
  readonly #processes: readonly [Process, Process];
  readonly #crowd: readonly Figure[];
  readonly #cast: Profile[];
  /** Of everybody who was there, also when they are erased. */
  readonly #names = new Map<string, string>();
  #rules: PeopleRules;
  #newcomers = 0;

  constructor(world: PeopleWorld, crowd: readonly Figure[], startMs: number, cast: readonly Profile[]) {
    this.#world = world;
    this.#crowd = crowd;
    this.#clock = new FakeClock(startMs);
    this.#rules = PeopleRules.at(startMs);
    this.#cast = [...cast];
    const bus = new MemoryBus();
    this.#processes = [openProcess(world, this.#clock, bus), openProcess(world, this.#clock, bus)];
  }

  async begin(): Promise<void> {
    const { db } = this.#world;
    for (const statement of [wakeUp, forgetShows]) await db.query(statement);
    await db.query(setTime, [this.#clock.now()]);
    await this.#processes[0].upkeep.keepMonths();
    for (const figure of this.#crowd) {
      this.#names.set(figure.id, figure.name);
      this.#rules.people.set(figure.id, { ...figure });
    }
    for (const [place, profile] of this.#cast.entries()) await this.#addFigure(profile, NAMES[place]!);
  }

  /** Nothing of anybody stays. */
  async end(): Promise<void> {
    const { db } = this.#world;
    for (const { id } of this.#cast) await db.query(eraseUser, [id]);
    expect(await db.query(leftovers)).toEqual([]);
    for (const process of this.#processes) process.cache.close();
  }

  async step({ ms, deeds, limit }: Step): Promise<void> {
    await this.#pass(ms);
    let doings = deeds.map((deed) => this.#doing(deed)).filter((doing) => this.#isPossible(doing));
    // Two who block each other at once have both blocked: neither was too late.
    if (doings.every(({ act }) => act === 'block' || act === 'report')) doings = doings.slice(0, 1);
    if (doings.length === 0) return;
    const time = new Date(this.#clock.now()).toISOString();
    this.story.push(`${time} ${doings.map((doing) => this.#tell(doing)).join(', and at once ')}`);
    const answers = await Promise.all(doings.map((doing) => this.#do(doing)));
    this.story.push(`  ${answers.join(', ')}`);
    await this.#sweep();
    await this.#readCells();
    const ids = [...new Set(doings.flatMap(({ by, about, peer }) => [by, about, peer]))];
    // Asked elsewhere: what one process changes, the other one shows.
    const elsewhere = this.#processes[1 - doings[0]!.process]!;
    const real = {
      answers: simultaneous(answers),
      seen: await Promise.all(ids.map((id) => this.#look(id, elsewhere))),
    };
    const ways = [doings, doings.toReversed()].map((order) => {
      const rules = this.#rules.copy();
      const told = new Map(order.map((doing) => [doing, follow(rules, doing)]));
      const seen = ids.map((id) => this.#expected(rules, id));
      return { rules, answers: simultaneous(doings.map((doing) => told.get(doing)!)), seen };
    });
    const way = ways.find(({ rules: _, ...told }) => isDeepStrictEqual(told, real));
    if (way === undefined) {
      const told = ways.map(({ rules: _, ...one }) => JSON.stringify(one));
      throw new Error([...new Set(told), 'expected; instead', JSON.stringify(real)].join('\n'));
    }
    this.#rules = way.rules;
    await this.#replaceErased(deeds);
    const viewer = this.#rules.people.get(doings[0]!.by);
    if (limit !== null && viewer?.status === 'active') await this.#expectDiscovery(viewer, limit);
  }

  #doing(deed: Deed): Doing {
    const [by, about] = [this.#cast[deed.by]!.id, this.#cast[deed.about]!.id];
    const bond = this.#rules.lastBond(by, about) ?? this.#rules.bondsOf(by).at(-1);
    const blocked = deed.on ? about : (this.#rules.blocked(by)[0] ?? about);
    return { ...deed, by, about, peer: bond?.people.find((id) => id !== by) ?? about, blocked };
  }

  #isPossible({ act, by, about }: Doing): boolean {
    const { status } = this.#rules.people.get(by)!;
    if (act === 'return') return status !== 'active';
    if (act === 'erase') return status === 'deleted';
    if (act === 'card' && by === about) return false;
    return status === 'active' || ['like', 'dislike', 'tier', 'verify'].includes(act);
  }

  #tell({ act, by, about, peer, blocked, process, ...given }: Doing): string {
    const { on, ages, reachKm, spot, profile } = given;
    const details: Partial<Record<string, unknown>> = {
      ...{ pause: on, hide: on, ages: JSON.stringify(ages), reach: reachKm, move: spot, tier: profile.tier },
      ...{ gender: profile.gender, wish: profile.genders },
    };
    const about2 = { accept: peer, decline: peer, end: peer, unblock: blocked }[act as string] ?? about;
    const detail = act in details ? details[act] : this.#name(about2);
    return `${this.#name(by)}: ${act} ${detail} (at ${process})`;
  }

  #name(id: string): string {
    return this.#names.get(id) ?? id;
  }

  async #pass(ms: number): Promise<void> {
    const { db } = this.#world;
    const month = new Date(this.#clock.now()).getUTCMonth();
    this.#clock.advance(ms);
    this.#rules.pass(ms);
    await db.query(setTime, [this.#clock.now()]);
    const { upkeep } = this.#processes[0];
    if (new Date(this.#clock.now()).getUTCMonth() !== month) await upkeep.keepMonths();
    if (ms > DAY_MS) await upkeep.recountPlaces();
    if (ms >= HOUR_MS) await this.#sweep();
  }

  /** What the sweepers do: deadlines of matches, and what is left between those who are gone and others. */
  async #sweep(): Promise<void> {
    const { db } = this.#world;
    const { matches } = this.#processes[0];
    for (const { id } of await db.query(overdueMatches, [new Date(this.#clock.now())]))
      await matches.system(id, { type: 'tick' });
    for (const { id } of await db.query(gone)) await matches.severAll(id);
  }

  async #do(doing: Doing): Promise<string> {
    const { db } = this.#world;
    const { act, by, about, on, ages, reachKm, spot, profile } = doing;
    const at = this.#processes[doing.process];
    const prefer = (edit: PreferencesEdit) => outcome(at.people.editPreferences(by, edit));
    switch (act) {
      case 'like':
      case 'dislike': {
        const decided = at.decisions.decide(by, about, act);
        return outcome(decided.then(({ matchId }) => (matchId === null ? 'noted' : 'matched')));
      }
      case 'undo': {
        const undone = await outcome(at.decisions.undo(by));
        await at.people.changed(by, { candidates: true });
        return undone;
      }
      case 'block':
        return outcome(at.blocks.block(by, about));
      case 'report':
        return outcome(
          at.reports.report(by, about, { reason: 'spam', details: '', block: true }).then(() => {}),
        );
      case 'unblock':
        return outcome(at.blocks.unblock(by, doing.blocked));
      case 'accept':
      case 'decline':
      case 'end': {
        const [match] = await db.query(matchOf, [by, doing.peer]);
        return outcome(at.matches.command(match?.id ?? NOBODY, { type: act }, by));
      }
      case 'card':
        return outcome(at.people.metCard(by, about));
      case 'pause':
        return prefer({ discoverable: !on });
      case 'hide':
        return prefer({ hideDistance: on });
      case 'wish':
        return prefer({ genders: [...profile.genders] });
      case 'reach':
        return prefer({ maxDistanceKm: reachKm });
      case 'ages':
        return prefer(ages);
      case 'gender':
        return outcome(at.people.editProfile(by, { gender: profile.gender }));
      case 'move':
        return outcome(at.people.editProfile(by, { location: spot === null ? null : SPOTS[spot]! }));
      case 'tier':
        await db.query(setTier, [by, profile.tier]);
        return 'done';
      case 'verify':
        await db.query(verify, [by]);
        return 'done';
      case 'suspend':
      case 'leave':
      case 'return':
      case 'erase':
        return this.#changeLife(act, by, at);
      case 'look':
        return 'done';
    }
  }

  async #changeLife(act: 'suspend' | 'leave' | 'return' | 'erase', id: string, at: Process): Promise<string> {
    const { db } = this.#world;
    const now = this.#clock.now();
    const isDeleted = this.#rules.people.get(id)!.status === 'deleted';
    if (act === 'suspend') await db.query(setStatus, [id, 'suspended', 'a reason', null, null]);
    if (act === 'leave') await db.query(markDeleted, [id, new Date(now + 1_000_000 * DAY_MS), null]);
    if (act === 'return' && isDeleted) await db.query(restore, [id, new Date(now)]);
    if (act === 'return' && !isDeleted) await db.query(setStatus, [id, 'active', null, null, null]);
    if (act === 'erase') await db.query(eraseUser, [id]);
    await at.people.changed(id, { candidates: true });
    if (act === 'suspend' || act === 'leave') await at.matches.severAll(id);
    return 'done';
  }

  /** Somebody new comes in place of who was erased. */
  async #replaceErased(deeds: readonly Deed[]): Promise<void> {
    for (const [place, { id }] of this.#cast.entries()) {
      if (this.#rules.people.has(id)) continue;
      const { profile } = deeds.find(({ by }) => by === place)!;
      this.#cast[place] = profile;
      await this.#addFigure(profile, `${NAMES[place]} ${++this.#newcomers}`);
    }
  }

  async #addFigure(profile: Profile, name: string): Promise<void> {
    this.#names.set(profile.id, name);
    this.#rules.people.set(profile.id, await insertFigure(this.#world.db, profile, name));
  }

  /** What somebody sees of their matches and blocks, and has been told. */
  async #look(id: string, at: Process): Promise<unknown> {
    const told = (await this.#world.db.query(toldTo, [id])).map(({ type }) => type);
    if (!(await this.#world.db.query(isActive, [id])).length) return { name: this.#name(id), told };
    const matches = async (which: MatchListName) => {
      const { items } = await at.lists.list(id, which, { limit: 100 });
      return items.map(({ peer, status, phase, youAccepted, endReason }) => {
        const { upToKm } = peer.distance ?? {};
        return [this.#name(peer.id), status, phase, youAccepted, endReason, upToKm].join(' ');
      });
    };
    const blocked = (await at.blocks.list(id, { limit: 100 })).items.map((item) => this.#name(item.id));
    return {
      ...{ name: this.#name(id), told, blocked },
      ...{ active: await matches('active'), history: await matches('history') },
    };
  }

  /** The same, as the rules have it. */
  #expected(rules: PeopleRules, id: string): unknown {
    const told = rules.toldTo(id);
    if (rules.people.get(id)?.status !== 'active') return { name: this.#name(id), told };
    const bonds = rules.bondsOf(id).filter((bond) => rules.maySee(id, peerOf(bond, id)));
    const matches = (isActive: boolean) =>
      bonds
        .filter(({ status }) => (status === 'active') === isActive)
        .toReversed()
        .map((bond) => {
          const { status, accepted } = bond;
          const peer = peerOf(bond, id);
          const phase = accepted.size === 2 ? 'ready' : 'awaiting_accept';
          const reason = { active: null, expired: 'expired', rejected: 'ended', ended: 'ended' }[status];
          const { upToKm } = rules.distance(id, peer) ?? {};
          const seen = [status, isActive ? phase : 'closed', accepted.has(id), reason, upToKm];
          return [this.#name(peer), ...seen].join(' ');
        });
    const blocked = rules.blocked(id).map((one) => this.#name(one));
    return {
      ...{ name: this.#name(id), told, blocked },
      ...{ active: matches(true), history: matches(false) },
    };
  }

  async #expectDiscovery(me: Figure, limit: number): Promise<void> {
    const shown: string[] = [];
    for (let cursor: string | undefined, pages = 0; ; pages++) {
      const { items, nextCursor } = await this.#processes[pages % 2]!.discovery.list(me.id, {
        limit,
        cursor,
      });
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
    const names = (ids: Iterable<string>) => [...ids].map((id) => this.#name(id)).sort();
    expect(names(shown), `whom ${me.name} is shown`).toEqual(names(this.#rules.candidates(me.id)));
    this.#rules.show(me.id, shown);
    for (const { shows } of this.#processes) await shows.flush();
  }

  async #readCells(): Promise<void> {
    for (const { id, cell } of await this.#world.db.query(cells)) this.#rules.people.get(id)!.cell = cell;
  }
}

/** Does a deed to the rules. Returns what they answer. */
function follow(rules: PeopleRules, { act, by, about, peer, blocked, on, ages, ...given }: Doing): string {
  const me = rules.people.get(by)!;
  const set = (change: Partial<Figure>) => {
    Object.assign(me, change);
    return 'done';
  };
  switch (act) {
    case 'like':
    case 'dislike':
      return rules.decide(by, about, act);
    case 'undo':
      return rules.undo(by);
    case 'block':
    case 'report':
      return rules.block(by, about);
    case 'unblock':
      return rules.unblock(by, blocked);
    case 'accept':
    case 'decline':
    case 'end':
      return rules.command(by, peer, act);
    case 'card':
      return rules.hasCard(by, about) ? 'done' : 'NOT_FOUND';
    case 'pause':
      return set({ paused: on });
    case 'hide':
      return set({ hides: on });
    case 'wish':
      return set({ genders: given.profile.genders });
    case 'reach':
      return set({ reachKm: given.reachKm });
    case 'ages': {
      const wanted = { minAge: me.minAge, maxAge: me.maxAge, ...ages };
      return wanted.minAge <= wanted.maxAge ? set(wanted) : 'INVALID_AGE_RANGE';
    }
    case 'gender':
      return set({ gender: given.profile.gender });
    case 'move':
      return rules.moveTo(by, given.spot);
    case 'tier':
      return set({ tier: given.profile.tier });
    case 'verify':
      return set({ verified: true });
    case 'suspend':
      return rules.setStatus(by, 'suspended');
    case 'leave':
      return rules.setStatus(by, 'deleted');
    case 'return':
      return rules.setStatus(by, 'active');
    case 'erase':
      return rules.erase(by);
    case 'look':
      return 'done';
  }
}

/** Whether the other's like of the same moment came first is not asked, where both stand in the end. */
function simultaneous(answers: readonly string[]): readonly string[] {
  return answers.length === 1 ? answers : answers.map((answer) => (answer === 'matched' ? 'noted' : answer));
}

/** What came of it: what it says, or the code of its refusal. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    const done = await work;
    return typeof done === 'string' ? done : 'done';
  } catch (error) {
    if (error instanceof DuetError) return error.code;
    throw error;
  }
}

function peerOf(bond: Bond, id: string): string {
  return bond.people[0] === id ? bond.people[1] : bond.people[0];
}
