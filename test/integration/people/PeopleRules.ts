/**
 * What people may expect of each other, told a second time and as plainly as possible: no caches, no batches, no rows of
 * pairs. `PeopleHistory` holds the program against it.
 */
import { DAY_MS, HOUR_MS } from '../../../src/days.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { bandBetween, mayBeWithin, spotOf } from '../../../src/people/place.ts';
import type { Gender } from '../../../src/people/shapes.ts';

export interface Figure {
  id: string;
  name: string;
  gender: Gender;
  genders: readonly Gender[];
  birthDate: string;
  minAge: number;
  maxAge: number;
  reachKm: number;
  hides: boolean;
  paused: boolean;
  verified: boolean;
  tier: 'regular' | 'premium';
  status: 'active' | 'suspended' | 'deleted';
  /** Where they last said that they are, by number. */
  spot: number | null;
  /** The cell in which they are stored: how fine it may be is not this model's matter. */
  cell: string | null;
}

/** What a match is to its two people. */
export interface Bond {
  people: readonly [string, string];
  status: 'active' | 'rejected' | 'expired' | 'ended';
  accepted: Set<string>;
  warned: boolean;
  acceptBy: number;
  endedAt: number;
}

export type Told = 'match:created' | 'match:ready' | 'match:ended' | 'match:timeout_warning';
export type Kind = 'like' | 'dislike';

interface Tally {
  day: string;
  n: number;
}

export const LIKES_PER_DAY = { regular: 2, premium: 4 };
export const SHOWS_PER_DAY = 3;
export const MOVES_PER_DAY = 1;
export const ACCEPT_MS = DAY_MS;
export const WARNING_MS = HOUR_MS;

/** Keys of two ids are of a thing that one person has with another, in that order (`pairKey`). */
interface State {
  now: number;
  people: Map<string, Figure>;
  bonds: Bond[];
  told: Map<string, Told[]>;
  /** Those that made a match went into it. */
  decisions: Map<string, { kind: Kind; at: number }>;
  blocks: Map<string, number>;
  seen: Map<string, number>;
  likes: Map<string, Tally>;
  shows: Map<string, Tally>;
  moves: Map<string, Tally>;
}

export class PeopleRules {
  readonly #s: State;

  constructor(state: State) {
    this.#s = state;
  }

  static at(now: number): PeopleRules {
    const maps = {
      told: new Map(),
      decisions: new Map(),
      blocks: new Map(),
      seen: new Map(),
      likes: new Map(),
      shows: new Map(),
      moves: new Map(),
    };
    return new PeopleRules({ now, people: new Map(), bonds: [], ...maps });
  }

  /** The same, to go on from in another way. */
  copy(): PeopleRules {
    return new PeopleRules(structuredClone(this.#s));
  }

  get people(): Map<string, Figure> {
    return this.#s.people;
  }

  decide(by: string, about: string, kind: Kind): 'noted' | 'matched' | ErrorCode {
    const { people, decisions, likes, now } = this.#s;
    const [me, other] = [people.get(by)!, people.get(about)];
    if (by === about) return 'VALIDATION_FAILED';
    if (me.status !== 'active') return 'ACCOUNT_SUSPENDED';
    if (kind === 'like' && !me.verified) return 'EMAIL_UNVERIFIED';
    if (other?.status !== 'active' || this.#areBlocked(by, about)) return 'NOT_FOUND';
    const last = this.lastBond(by, about);
    if (last?.status === 'active') return kind === 'like' ? 'matched' : 'CONFLICT';
    if (last !== undefined && now < last.endedAt + 90 * DAY_MS) return 'CONFLICT';
    if (kind === 'like' && decisions.get(pairKey(by, about))?.kind === 'like') return 'noted';
    if (kind === 'like' && !take(likes, by, LIKES_PER_DAY[me.tier], now)) return 'TOO_MANY_REQUESTS';
    decisions.set(pairKey(by, about), { kind, at: now });
    if (kind === 'dislike' || decisions.get(pairKey(about, by))?.kind !== 'like') return 'noted';
    this.#match(by, about);
    return 'matched';
  }

  /** Whose dislike is taken back. */
  undo(by: string): string | ErrorCode {
    const [newest] = [...this.people.values()]
      .map((other) => ({ other, decision: this.#s.decisions.get(pairKey(by, other.id)) }))
      .filter(({ other, decision }) => {
        const isLate = decision !== undefined && decision.at <= this.#s.now - DAY_MS;
        return decision?.kind === 'dislike' && !isLate && this.maySee(by, other.id);
      })
      .sort((a, b) => b.decision!.at - a.decision!.at);
    if (newest === undefined) return 'NOT_FOUND';
    this.#s.decisions.delete(pairKey(by, newest.other.id));
    return newest.other.id;
  }

  block(by: string, about: string): 'done' | ErrorCode {
    if (by === about) return 'VALIDATION_FAILED';
    const other = this.people.get(about);
    if (other === undefined) return 'NOT_FOUND';
    const isOpen = other.status === 'active' && !this.#s.blocks.has(pairKey(about, by));
    if (!isOpen && this.lastBond(by, about) === undefined) return 'NOT_FOUND';
    if (!this.#s.blocks.has(pairKey(by, about))) this.#s.blocks.set(pairKey(by, about), this.#s.now);
    const bond = this.lastBond(by, about);
    if (bond?.status === 'active') this.#close(bond, 'ended');
    return 'done';
  }

  unblock(by: string, about: string): 'done' {
    this.#s.blocks.delete(pairKey(by, about));
    return 'done';
  }

  /** Newest first. */
  blocked(by: string): string[] {
    const at = (id: string) => this.#s.blocks.get(pairKey(by, id))!;
    return [...this.people.keys()]
      .filter((id) => this.#s.blocks.has(pairKey(by, id)))
      .sort((a, b) => at(b) - at(a) || (a < b ? 1 : -1));
  }

  command(by: string, peer: string, command: 'accept' | 'decline' | 'end'): 'done' | ErrorCode {
    const bond = this.lastBond(by, peer);
    if (bond === undefined) return 'NOT_FOUND';
    if (bond.status !== 'active') return command === 'end' ? 'done' : 'MATCH_NOT_ACTIVE';
    if (command === 'end') this.#close(bond, 'ended');
    else if (command === 'decline') {
      if (bond.accepted.size === 2) return 'WRONG_PHASE';
      this.#close(bond, 'rejected');
    } else if (!bond.accepted.has(by)) {
      bond.accepted.add(by);
      if (bond.accepted.size === 2) this.#tell(bond, 'match:ready');
    }
    return 'done';
  }

  pass(ms: number): void {
    this.#s.now += ms;
    for (const bond of this.#s.bonds) {
      if (bond.status !== 'active' || bond.accepted.size === 2) continue;
      if (this.#s.now >= bond.acceptBy) this.#close(bond, 'expired');
      else if (this.#s.now >= bond.acceptBy - WARNING_MS && !bond.warned) {
        bond.warned = true;
        this.#tell(bond, 'match:timeout_warning');
      }
    }
  }

  setStatus(id: string, status: Figure['status']): 'done' {
    this.people.get(id)!.status = status;
    if (status === 'active') return 'done';
    for (const bond of this.bondsOf(id)) if (bond.status === 'active') this.#close(bond, 'ended');
    return 'done';
  }

  erase(id: string): 'done' {
    this.people.delete(id);
    this.#s.told.delete(id);
    for (const map of [
      this.#s.decisions,
      this.#s.blocks,
      this.#s.seen,
      this.#s.likes,
      this.#s.shows,
      this.#s.moves,
    ])
      for (const key of map.keys()) if (key.includes(id)) map.delete(key);
    for (const bond of this.bondsOf(id)) this.#s.bonds.splice(this.#s.bonds.indexOf(bond), 1);
    return 'done';
  }

  moveTo(id: string, spot: number | null): 'done' | ErrorCode {
    const me = this.people.get(id)!;
    if (me.spot === spot) return 'done';
    // Forgetting the place counts, and is always allowed.
    const isLeft = take(
      this.#s.moves,
      id,
      spot === null ? Number.POSITIVE_INFINITY : MOVES_PER_DAY,
      this.#s.now,
    );
    if (!isLeft) return 'TOO_MANY_REQUESTS';
    me.spot = spot;
    return 'done';
  }

  /** Whom discovery shows to somebody who turns every page. */
  candidates(viewerId: string): Set<string> {
    const me = this.people.get(viewerId)!;
    const wanted = [...this.people.values()].filter(
      (other) =>
        this.maySee(viewerId, other.id) &&
        other.verified &&
        !other.paused &&
        !this.#isDone(viewerId, other.id) &&
        this.#wants(me, other) &&
        this.#wants(other, me) &&
        isWithin(me, other) &&
        !this.#rests(other.id),
    );
    return new Set(wanted.map(({ id }) => id));
  }

  /** Somebody was shown these. */
  show(viewerId: string, ids: Iterable<string>): void {
    for (const id of ids) {
      const before = this.#s.seen.get(pairKey(viewerId, id));
      if (before === undefined || before < this.#s.now - DAY_MS)
        take(this.#s.shows, id, Number.POSITIVE_INFINITY, this.#s.now);
      this.#s.seen.set(pairKey(viewerId, id), this.#s.now);
    }
  }

  /** What somebody was told, in order. */
  toldTo(id: string): readonly Told[] {
    return this.#s.told.get(id) ?? [];
  }

  /** Whether somebody's card may be asked for. */
  hasCard(viewerId: string, id: string): boolean {
    const seenAt = this.#s.seen.get(pairKey(viewerId, id));
    const isRecent = seenAt !== undefined && monthsBetween(seenAt, this.#s.now) <= 1;
    return (isRecent || this.lastBond(viewerId, id) !== undefined) && this.maySee(viewerId, id);
  }

  /** What a card says of how far away somebody is. */
  distance(viewerId: string, id: string): { upToKm: number } | null {
    const [me, other] = [this.people.get(viewerId)!, this.people.get(id)!];
    return me.cell === null || other.cell === null || other.hides ? null : bandBetween(me.cell, other.cell);
  }

  age(id: string): number {
    return ageOn(this.people.get(id)!.birthDate, dayAt(this.#s.now));
  }

  maySee(viewerId: string, id: string): boolean {
    return id !== viewerId && this.people.get(id)?.status === 'active' && !this.#areBlocked(viewerId, id);
  }

  #areBlocked(one: string, other: string): boolean {
    return this.#s.blocks.has(pairKey(one, other)) || this.#s.blocks.has(pairKey(other, one));
  }

  bondsOf(id: string): Bond[] {
    return this.#s.bonds.filter(({ people }) => people.includes(id));
  }

  lastBond(one: string, other: string): Bond | undefined {
    return this.bondsOf(one).findLast(({ people }) => people.includes(other));
  }

  /** Whether a viewer is done with somebody, for now or for good. */
  #isDone(viewerId: string, id: string): boolean {
    const bond = this.lastBond(viewerId, id);
    if (bond?.status === 'active' || (bond !== undefined && this.#s.now < bond.endedAt + 90 * DAY_MS))
      return true;
    const decision = this.#s.decisions.get(pairKey(viewerId, id));
    return decision?.kind === 'like' || (decision !== undefined && this.#s.now < decision.at + 30 * DAY_MS);
  }

  #wants(me: Figure, other: Figure): boolean {
    const age = Math.min(this.age(other.id), 99);
    return me.genders.includes(other.gender) && me.minAge <= age && age <= me.maxAge;
  }

  #rests(id: string): boolean {
    const shows = this.#s.shows.get(id);
    return shows?.day === dayAt(this.#s.now) && shows.n >= SHOWS_PER_DAY;
  }

  #match(one: string, other: string): void {
    for (const key of [pairKey(one, other), pairKey(other, one)]) this.#s.decisions.delete(key);
    const bond: Bond = {
      people: [one, other],
      status: 'active',
      accepted: new Set(),
      warned: false,
      acceptBy: this.#s.now + ACCEPT_MS,
      endedAt: Number.POSITIVE_INFINITY,
    };
    this.#s.bonds.push(bond);
    this.#tell(bond, 'match:created');
  }

  #close(bond: Bond, status: Bond['status']): void {
    bond.status = status;
    bond.endedAt = this.#s.now;
    this.#tell(bond, 'match:ended');
  }

  #tell(bond: Bond, what: Told): void {
    for (const id of bond.people) this.#s.told.set(id, [...(this.#s.told.get(id) ?? []), what]);
  }
}

/** Of a thing that one person has with another, in that order. */
function pairKey(one: string, other: string): string {
  return `${one} ${other}`;
}

function take(tallies: Map<string, Tally>, id: string, atMost: number, now: number): boolean {
  const known = tallies.get(id);
  const tally = known?.day === dayAt(now) ? known : { day: dayAt(now), n: 0 };
  if (tally.n >= atMost) return false;
  tally.n++;
  tallies.set(id, tally);
  return true;
}

function isWithin(me: Figure, other: Figure): boolean {
  if (me.cell === null || other.cell === null || other.hides) return true;
  // Whoever hides the distance is out of everybody's reach, but chooses their own.
  const reachKm = me.hides ? me.reachKm : Math.min(me.reachKm, other.reachKm);
  return mayBeWithin(spotOf(me.cell), spotOf(other.cell), reachKm);
}

function dayAt(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}

/** Days as `YYYY-MM-DD`: whoever's day and month have come this year is a year older than who still waits for them. */
function ageOn(birthDate: string, day: string): number {
  const years = Number(day.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return day.slice(5) >= birthDate.slice(5) ? years : years - 1;
}

function monthsBetween(from: number, to: number): number {
  const [a, b] = [new Date(from), new Date(to)];
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}
