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

export interface Bond {
  /** The program's id, once it has told. */
  id: string | undefined;
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

export class PeopleRules {
  now: number;
  readonly people = new Map<string, Figure>();
  readonly bonds: Bond[] = [];
  readonly told = new Map<string, Told[]>();
  /** Of those made by one person about another: `pairKey`. Those that made a match went into it. */
  readonly #decisions = new Map<string, { kind: Kind; at: number }>();
  readonly #blocks = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  readonly #likes = new Map<string, Tally>();
  readonly #shows = new Map<string, Tally>();
  readonly #moves = new Map<string, Tally>();

  constructor(now: number) {
    this.now = now;
  }

  /** The match that a decision made or met, null where there is none, or why it is refused. */
  decide(by: string, about: string, kind: Kind): Bond | null | ErrorCode {
    const [me, other] = [this.people.get(by)!, this.people.get(about)];
    if (by === about) return 'VALIDATION_FAILED';
    if (me.status !== 'active') return 'ACCOUNT_SUSPENDED';
    if (kind === 'like' && !me.verified) return 'EMAIL_UNVERIFIED';
    if (other?.status !== 'active' || this.areBlocked(by, about)) return 'NOT_FOUND';
    const last = this.lastBond(by, about);
    if (last?.status === 'active') return kind === 'like' ? last : 'CONFLICT';
    if (last !== undefined && this.now < last.endedAt + 90 * DAY_MS) return 'CONFLICT';
    if (kind === 'like' && this.#decisions.get(pairKey(by, about))?.kind === 'like') return null;
    if (kind === 'like' && !take(this.#likes, by, LIKES_PER_DAY[me.tier], this.now))
      return 'TOO_MANY_REQUESTS';
    this.#decisions.set(pairKey(by, about), { kind, at: this.now });
    if (kind === 'dislike' || this.#decisions.get(pairKey(about, by))?.kind !== 'like') return null;
    return this.#match(by, about);
  }

  /** Whose dislike is taken back. */
  undo(by: string): string | ErrorCode {
    const [newest] = [...this.people.values()]
      .map((other) => ({ other, decision: this.#decisions.get(pairKey(by, other.id)) }))
      .filter(({ other, decision }) => {
        const isLate = decision !== undefined && decision.at <= this.now - DAY_MS;
        return decision?.kind === 'dislike' && !isLate && this.maySee(by, other.id);
      })
      .sort((a, b) => b.decision!.at - a.decision!.at);
    if (newest === undefined) return 'NOT_FOUND';
    this.#decisions.delete(pairKey(by, newest.other.id));
    return newest.other.id;
  }

  block(by: string, about: string): ErrorCode | null {
    if (by === about) return 'VALIDATION_FAILED';
    const other = this.people.get(about);
    if (other === undefined) return 'NOT_FOUND';
    const isOpen = other.status === 'active' && !this.#blocks.has(pairKey(about, by));
    if (!isOpen && this.lastBond(by, about) === undefined) return 'NOT_FOUND';
    if (!this.#blocks.has(pairKey(by, about))) this.#blocks.set(pairKey(by, about), this.now);
    const bond = this.lastBond(by, about);
    if (bond?.status === 'active') this.#close(bond, 'ended');
    return null;
  }

  unblock(by: string, about: string): void {
    this.#blocks.delete(pairKey(by, about));
  }

  /** Newest first. */
  blocked(by: string): string[] {
    return [...this.people.keys()]
      .filter((id) => this.#blocks.has(pairKey(by, id)))
      .sort((a, b) => this.#blocks.get(pairKey(by, b))! - this.#blocks.get(pairKey(by, a))!);
  }

  command(by: string, bond: Bond, command: 'accept' | 'decline' | 'end'): ErrorCode | null {
    if (bond.status !== 'active') return command === 'end' ? null : 'MATCH_NOT_ACTIVE';
    if (command === 'end') this.#close(bond, 'ended');
    else if (command === 'decline') {
      if (bond.accepted.size === 2) return 'WRONG_PHASE';
      this.#close(bond, 'rejected');
    } else if (!bond.accepted.has(by)) {
      bond.accepted.add(by);
      if (bond.accepted.size === 2) this.#tell(bond, 'match:ready');
    }
    return null;
  }

  pass(ms: number): void {
    this.now += ms;
    for (const bond of this.bonds) {
      if (bond.status !== 'active' || bond.accepted.size === 2) continue;
      if (this.now >= bond.acceptBy) this.#close(bond, 'expired');
      else if (this.now >= bond.acceptBy - WARNING_MS && !bond.warned) {
        bond.warned = true;
        this.#tell(bond, 'match:timeout_warning');
      }
    }
  }

  setStatus(id: string, status: Figure['status']): void {
    this.people.get(id)!.status = status;
    if (status === 'active') return;
    for (const bond of this.bondsOf(id)) if (bond.status === 'active') this.#close(bond, 'ended');
  }

  erase(id: string): void {
    this.people.delete(id);
    this.told.delete(id);
    for (const map of [this.#decisions, this.#blocks, this.#seen, this.#likes, this.#shows, this.#moves])
      for (const key of map.keys()) if (key.includes(id)) map.delete(key);
    for (const bond of this.bondsOf(id)) this.bonds.splice(this.bonds.indexOf(bond), 1);
  }

  moveTo(id: string, spot: number | null): ErrorCode | null {
    const me = this.people.get(id)!;
    if (me.spot === spot) return null;
    // Forgetting the place counts, and is always allowed.
    const isLeft = take(this.#moves, id, spot === null ? Number.POSITIVE_INFINITY : MOVES_PER_DAY, this.now);
    if (!isLeft) return 'TOO_MANY_REQUESTS';
    me.spot = spot;
    return null;
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
      const before = this.#seen.get(pairKey(viewerId, id));
      if (before === undefined || before < this.now - DAY_MS)
        take(this.#shows, id, Number.POSITIVE_INFINITY, this.now);
      this.#seen.set(pairKey(viewerId, id), this.now);
    }
  }

  /** Whether somebody's card may be asked for. */
  hasCard(viewerId: string, id: string): boolean {
    const seenAt = this.#seen.get(pairKey(viewerId, id));
    const isRecent = seenAt !== undefined && monthsBetween(seenAt, this.now) <= 1;
    return (isRecent || this.lastBond(viewerId, id) !== undefined) && this.maySee(viewerId, id);
  }

  /** What a card says of how far away somebody is. */
  distance(viewerId: string, id: string): { upToKm: number } | null {
    const [me, other] = [this.people.get(viewerId)!, this.people.get(id)!];
    return me.cell === null || other.cell === null || other.hides ? null : bandBetween(me.cell, other.cell);
  }

  age(id: string): number {
    return ageOn(this.people.get(id)!.birthDate, dayAt(this.now));
  }

  maySee(viewerId: string, id: string): boolean {
    return id !== viewerId && this.people.get(id)?.status === 'active' && !this.areBlocked(viewerId, id);
  }

  areBlocked(one: string, other: string): boolean {
    return this.#blocks.has(pairKey(one, other)) || this.#blocks.has(pairKey(other, one));
  }

  bondsOf(id: string): Bond[] {
    return this.bonds.filter(({ people }) => people.includes(id));
  }

  lastBond(one: string, other: string): Bond | undefined {
    return this.bondsOf(one).findLast(({ people }) => people.includes(other));
  }

  /** Whether a viewer is done with somebody, for now or for good. */
  #isDone(viewerId: string, id: string): boolean {
    const bond = this.lastBond(viewerId, id);
    if (bond?.status === 'active' || (bond !== undefined && this.now < bond.endedAt + 90 * DAY_MS))
      return true;
    const decision = this.#decisions.get(pairKey(viewerId, id));
    return decision?.kind === 'like' || (decision !== undefined && this.now < decision.at + 30 * DAY_MS);
  }

  #wants(me: Figure, other: Figure): boolean {
    const age = Math.min(this.age(other.id), 99);
    return me.genders.includes(other.gender) && me.minAge <= age && age <= me.maxAge;
  }

  #rests(id: string): boolean {
    const shows = this.#shows.get(id);
    return shows?.day === dayAt(this.now) && shows.n >= SHOWS_PER_DAY;
  }

  #match(one: string, other: string): Bond {
    for (const key of [pairKey(one, other), pairKey(other, one)]) this.#decisions.delete(key);
    const bond: Bond = {
      id: undefined,
      people: [one, other],
      status: 'active',
      accepted: new Set(),
      warned: false,
      acceptBy: this.now + ACCEPT_MS,
      endedAt: Number.POSITIVE_INFINITY,
    };
    this.bonds.push(bond);
    this.#tell(bond, 'match:created');
    return bond;
  }

  #close(bond: Bond, status: Bond['status']): void {
    bond.status = status;
    bond.endedAt = this.now;
    this.#tell(bond, 'match:ended');
  }

  #tell(bond: Bond, what: Told): void {
    for (const id of bond.people) this.told.set(id, [...(this.told.get(id) ?? []), what]);
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
  return mayBeWithin(spotOf(me.cell), spotOf(other.cell), Math.min(me.reachKm, other.reachKm));
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
