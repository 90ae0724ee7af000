/** People as a use case: one's own profile and preferences, and the cards that others see. */
import type { Clock } from '../clock.ts';
import { isoTime } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { Cache } from '../platform/Cache.ts';
import type { StoredText } from '../platform/DataKeys.ts';
import { ageAt } from './age.ts';
import type { Photos } from './Photos.ts';
import type { Places } from './Places.ts';
import {
  hasMet,
  loadDemoPeople,
  loadPeople,
  loadSelf,
  type Person,
  type Self,
  visiblePeople,
} from './peopleSql.ts';
import { bandBetween } from './place.ts';
import { editPreferences, editProfile, rescore } from './profileSql.ts';
import type { Card, Gender, Me, PreferencesEdit, ProfileEdit } from './shapes.ts';
import { monthsOf } from './sightings.ts';

export interface PeopleOptions {
  db: Database;
  clock: Clock;
  cache: Cache;
  photos: Photos;
  places: Places;
  /** Makes words of a text that may be sealed. */
  open: (stored: StoredText) => string;
}

/** How long a person may be cached; every change of the profile invalidates it before. */
const PERSON_MS = HOUR_MS;

export class People {
  readonly #options: PeopleOptions;

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** One's own account and profile. UNAUTHORIZED for an account that is not there any more. */
  async me(userId: string): Promise<Me> {
    return this.#present(await this.self(userId));
  }

  /** The same as a row: what discovery asks of its viewer. */
  async self(userId: string): Promise<Self> {
    const [self] = await this.#options.db.query(loadSelf, [userId]);
    if (self === undefined) throw new DuetError('UNAUTHORIZED');
    return self;
  }

  /** Somebody's card as the viewer sees it; NOT_FOUND for who is not active or is blocked either way. */
  async card(viewerId: string, userId: string): Promise<Card> {
    const card = (await this.cards(viewerId, [userId])).get(userId);
    if (card === undefined) throw new DuetError('NOT_FOUND');
    return card;
  }

  /** The card of a match, or of somebody discovery has shown to the viewer; NOT_FOUND for everybody else. */
  async metCard(viewerId: string, userId: string): Promise<Card> {
    const months = monthsOf(this.#options.clock.now());
    const [answer] = await this.#options.db.query(hasMet, [viewerId, userId, months]);
    if (!answer!.met) throw new DuetError('NOT_FOUND');
    return this.card(viewerId, userId);
  }

  /** Cards of several people. Who may not be seen (not active, blocked either way) is left out. */
  async cards(viewerId: string, userIds: readonly string[]): Promise<Map<string, Card>> {
    if (userIds.length === 0) return new Map();
    const { db } = this.#options;
    const all = [...new Set([...userIds, viewerId])];
    const [rows, people] = await Promise.all([db.query(visiblePeople, [viewerId, all]), this.#cached(all)]);
    // Of an earlier version: whoever changed the profile could not tell the cache, or the word was lost.
    const old = rows.filter(({ id, version }) => people.get(id)?.version !== version).map(({ id }) => id);
    if (old.length > 0) {
      await this.#options.cache.forget('person', old);
      for (const [id, person] of await this.#cached(old)) people.set(id, person);
    }
    const viewer = people.get(viewerId);
    const visible = new Set(rows.map(({ id }) => id));
    const cards = new Map<string, Card>();
    for (const id of userIds) {
      const person = visible.has(id) ? people.get(id) : undefined;
      if (person !== undefined) cards.set(id, this.#card(viewerId, viewer?.cell ?? null, person));
    }
    return cards;
  }

  #cached(userIds: readonly string[]): Promise<Map<string, Person>> {
    const { cache } = this.#options;
    return cache.many('person', userIds, PERSON_MS, (missing) => this.#load(missing));
  }

  /** Who can be played on the demo page: each as they see themselves. */
  async demoPeople(): Promise<
    { displayName: string; email: string; age: number; gender: Gender; thumbnailUrl: string }[]
  > {
    const rows = await this.#options.db.query(loadDemoPeople);
    const people = await this.#load(rows.map((row) => row.id));
    return rows.flatMap(({ id, email }) => {
      const person = people.get(id);
      if (person === undefined) return [];
      const { displayName, age, gender, photos } = this.#card(id, null, person);
      return [{ displayName, email, age, gender, thumbnailUrl: photos[0]?.thumbnailUrl ?? '' }];
    });
  }

  /** Changes the given fields of the profile; the others stay. UNAUTHORIZED, TOO_MANY_REQUESTS for too many moves in a day. */
  async editProfile(userId: string, edit: ProfileEdit): Promise<Me> {
    const { db, places, clock } = this.#options;
    const { displayName = null, gender = null, bio = null, interests = null, location } = edit;
    const edited = async (tx: Sql) => {
      // The place first: who leaves one that gets too small holds its count, and waits for the rows of who stays.
      const moved = location === undefined ? [] : await places.move(tx, userId, location, clock.now());
      const [row] = await tx.query(editProfile, [userId, displayName, gender, bio, interests]);
      if (row === undefined) throw new DuetError('UNAUTHORIZED');
      await tx.query(rescore, [[userId]]);
      return moved;
    };
    const moved = await retryDeadlocks(() => db.transaction(edited));
    await this.changed(userId, { candidates: gender !== null });
    await this.#forgetPlaces(moved);
    return this.me(userId);
  }

  /** Changes the given preferences; UNAUTHORIZED, INVALID_AGE_RANGE when the minimum would be above the maximum. */
  async editPreferences(userId: string, edit: PreferencesEdit): Promise<Me> {
    const { db, places } = this.#options;
    const {
      minAge = null,
      maxAge = null,
      genders = null,
      maxDistanceKm = null,
      hideDistance = null,
      discoverable = null,
    } = edit;
    await db.transaction(async (tx) => {
      const [row] = await tx.query(editPreferences, [
        userId,
        minAge,
        maxAge,
        genders,
        maxDistanceKm,
        hideDistance,
        discoverable,
      ]);
      if (row === undefined) throw new DuetError('UNAUTHORIZED');
      if (row.min_age > row.max_age) throw new DuetError('INVALID_AGE_RANGE');
      if (hideDistance !== null) await places.rewrite(tx, userId);
    });
    if (hideDistance !== null) await this.recount(userId);
    await this.changed(userId, { candidates: true });
    return this.me(userId);
  }

  /** Counts somebody among those who share their cells, or no more, as their status and wishes are now (`Places`). */
  async recount(userId: string): Promise<void> {
    const { db, places } = this.#options;
    const work = (tx: Sql) => places.recount(tx, userId);
    await this.#forgetPlaces(await retryDeadlocks(() => db.transaction(work)));
  }

  /** Makes every process forget what it cached of a person, and of whom they may be shown if that changed too. */
  async changed(userId: string, what: { candidates: boolean }): Promise<void> {
    await forgetCached(this.#options.cache, userId, what);
  }

  async #forgetPlaces(userIds: readonly string[]): Promise<void> {
    await Promise.all(userIds.map((id) => this.changed(id, { candidates: true })));
  }

  async #load(userIds: readonly string[]): Promise<Map<string, Person>> {
    const rows = await this.#options.db.query(loadPeople, [userIds]);
    return new Map(rows.map((row) => [row.id, row]));
  }

  #card(viewerId: string, viewerCell: string | null, person: Person): Card {
    const { photos, clock } = this.#options;
    const cell = person.hideDistance ? null : person.cell;
    return {
      id: person.id,
      displayName: person.displayName,
      age: ageAt(person.birthDate, clock.now()),
      gender: person.gender,
      bio: person.bio,
      interests: person.interests,
      photos: person.photos.map((photo) => photos.present(viewerId, photo)),
      distance: cell !== null && viewerCell !== null ? bandBetween(viewerCell, cell) : null,
    };
  }

  #present(self: Self): Me {
    const { photos, open } = this.#options;
    const { id, email, emailVerified, role, tier, status, displayName, birthDate, gender, bio, interests } =
      self;
    const { minAge, maxAge, genders, maxDistanceKm, hideDistance, discoverable } = self;
    return {
      id,
      email: open(email),
      emailVerified,
      role,
      tier,
      status,
      displayName,
      birthDate,
      gender,
      bio,
      interests,
      photos: self.photos.map((photo) => photos.present(id, photo)),
      location: self.cell === null ? null : { cell: self.cell },
      preferences: { minAge, maxAge, genders, maxDistanceKm, hideDistance },
      discoverable,
      createdAt: isoTime(self.createdAt)!,
    };
  }
}

/** The same, for who knows the cache and not people. */
export async function forgetCached(
  cache: Cache,
  userId: string,
  what: { candidates: boolean },
): Promise<void> {
  await cache.forget('person', [userId]);
  if (what.candidates) await cache.forget('candidates', [userId]);
}
