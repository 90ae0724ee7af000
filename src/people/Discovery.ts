/**
 * Discovery: whom to show next. A deck of the best candidates is found in the database, ranked for the viewer and
 * kept for a few minutes; a page is dealt from it after every person in it was checked again.
 *
 * A cursor names when the browsing began and the number of the page. What was dealt is remembered per beginning, so
 * that pages neither repeat nor skip anybody while scores and decisions change between them, and asking for a page
 * again gives the same page, less those who were decided on or may not be shown any longer.
 */
import type { Clock } from '../clock.ts';
import { DAY_MS, dayOf, monthOf } from '../days.ts';
import type { Database } from '../db/Database.ts';
import type { Bind } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { ENDED_MATCH_DAYS } from '../matching/transitions.ts';
import type { Cache } from '../platform/Cache.ts';
import { notOfThisList, type Page } from '../shapes.ts';
import { birthDatesFor, preferredAgeAt } from './age.ts';
import { audiencesFor } from './audience.ts';
import { Directory } from './Directory.ts';
import {
  type CandidateRow,
  candidateDetails,
  findAnywhere,
  findWithin,
  findWithinAll,
  pageShown,
  recordShown,
  seenSince,
  stillFit,
} from './discoverySql.ts';
import type { People } from './People.ts';
import type { Self } from './peopleSql.ts';
import { bandBetween, spotOf } from './place.ts';
import { type Candidate, ranked } from './rank.ts';
import type { ShowCounts } from './ShowCounts.ts';
import type { Card } from './shapes.ts';
import { monthsOf } from './sightings.ts';

export interface DiscoveryOptions {
  db: Database;
  clock: Clock;
  cache: Cache;
  people: People;
  shows: ShowCounts;
  /** Of people whom the viewer was not shown in the last 24 hours. Default: no end. */
  allowance?: Allowance;
  /** Of cards, those of the same people again too: each is a row that is kept for two months. Default: no end. */
  cardAllowance?: Allowance;
}

/** How many of `wanted` more a viewer may be shown in 24 hours, taking them. */
type Allowance = (viewerId: string, wanted: number) => Promise<{ granted: number; retryAfterSec: number }>;

/** Candidates in the order in which they are dealt. */
interface Deck {
  ids: string[];
  /** Whether these are all there are. Such a deck is not cached: whoever is new shows at once where few are. */
  complete: boolean;
  /** The browsing whose dealt people are left out of it; null when nobody had been dealt yet. */
  since: number | null;
  /** The lowest score in it: whoever is above and not in it was out of the question. */
  lowest: number;
  /** When somebody above the lowest score was last looked for. Epoch milliseconds. */
  fromTopAt: number;
}

/** People for a page, and whether there are more. */
interface Dealt {
  ids: string[];
  more: boolean;
}

/** A page that may be shown, and who in it the viewer was not shown in the last 24 hours. */
interface Allowed extends Dealt {
  fresh: string[];
}

interface Browsing {
  /** Epoch milliseconds. */
  since: number;
  page: number;
}

const DECK_MS = 300_000;
const DECK_SIZE = 60;
/** How long nobody above a deck is looked for: whoever's score rose meanwhile is found after this. */
const FROM_TOP_MS = 600_000;
/** PostgreSQL's largest integer: above every score. */
const MAX_SCORE = 2_147_483_647;
const CURSOR_VALID_MS = DAY_MS;
/** A cursor may have been written by a process whose clock is ahead, though not by as much as this. */
const CLOCKS_APART_MS = 30_000;
/** After so many days somebody disliked may come back. */
const DISLIKE_DAYS = 30;

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #directory: Directory;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#directory = new Directory(options);
  }

  /**
   * The next people for a viewer. EMAIL_UNVERIFIED is not asked here: looking is free, deciding is not.
   * TOO_MANY_REQUESTS when there are people to show but the viewer has seen a day's worth.
   */
  async list(viewerId: string, page: Page): Promise<{ items: Card[]; nextCursor: string | null }> {
    const { db, clock, people, shows } = this.#options;
    const now = clock.now();
    const browsing = page.cursor === undefined ? { since: now, page: 0 } : readCursor(page.cursor, now);
    const again = page.cursor === undefined ? [] : await this.#dealtBefore(viewerId, browsing);
    const { ids, more, fresh } =
      again.length > 0
        ? { ids: await this.#stillFit(await people.self(viewerId), null, again), more: true, fresh: [] }
        : await this.#allowed(viewerId, await this.#deal(viewerId, browsing, page.limit));
    if (again.length === 0 && ids.length > 0) {
      const since = new Date(browsing.since);
      const at = new Date(now);
      await db.query(recordShown, [viewerId, monthOf(now, 0), since, browsing.page, ids, at]);
      shows.add(viewerId, fresh);
    }
    const cards = await people.cards(viewerId, ids);
    return {
      items: ids.flatMap((id) => cards.get(id) ?? []),
      nextCursor: more ? writeCursor({ since: browsing.since, page: browsing.page + 1 }) : null,
    };
  }

  /** The page as it was dealt, whoever of it is out of the question now. */
  async #dealtBefore(viewerId: string, browsing: Browsing): Promise<string[]> {
    const months = monthsOf(this.#options.clock.now());
    const rows = await this.#options.db.query(pageShown, [
      viewerId,
      months,
      new Date(browsing.since),
      browsing.page,
    ]);
    return rows.map((row) => row.id);
  }

  /** Those of a page who may be shown today: who was shown in the last 24 hours counts as a card, not as a person. */
  async #allowed(viewerId: string, dealt: Dealt): Promise<Allowed> {
    const { db, clock, allowance, cardAllowance } = this.#options;
    if (dealt.ids.length === 0) return { ...dealt, fresh: [] };
    const now = clock.now();
    const since = new Date(now - DAY_MS);
    const rows = await db.query(seenSince, [viewerId, monthsOf(now), since, dealt.ids]);
    const seen = new Set(rows.map((row) => row.id));
    const strangers = dealt.ids.filter((id) => !seen.has(id));
    const people = await take(allowance, viewerId, strangers);
    const allowed = dealt.ids.filter((id) => seen.has(id) || people.ids.includes(id));
    if (allowed.length === 0) throw new DuetError('TOO_MANY_REQUESTS', people);
    const cards = await take(cardAllowance, viewerId, allowed);
    if (cards.ids.length === 0) throw new DuetError('TOO_MANY_REQUESTS', cards);
    return {
      ids: cards.ids,
      more: dealt.more && cards.ids.length === dealt.ids.length,
      fresh: cards.ids.filter((id) => !seen.has(id)),
    };
  }

  /** The next `limit` people, from the cached deck as far as it goes. */
  async #deal(viewerId: string, browsing: Browsing, limit: number): Promise<Dealt> {
    const { cache, people } = this.#options;
    const viewer = await people.self(viewerId);
    const deck = await this.#held(viewerId, browsing);
    const fit = deck === undefined ? [] : await this.#stillFit(viewer, browsing, deck.ids);
    if (fit.length >= limit) return { ids: fit.slice(0, limit), more: true };
    let found: Deck | undefined;
    await cache.renew<Deck>('candidates', viewerId, DECK_MS, async () => {
      if (deck !== undefined) found = await this.#findDeck(viewer, browsing, limit, { ...deck, ids: fit });
      // The end of what is below may still not be the end of what there is.
      if (found === undefined || found.complete || found.ids.length < limit)
        found = await this.#findDeck(viewer, browsing, limit);
      return found.complete ? undefined : found;
    });
    return { ids: found!.ids.slice(0, limit), more: found!.ids.length > limit || !found!.complete };
  }

  /** The cached deck, if it is good for this browsing and its top was looked at lately. */
  async #held(viewerId: string, browsing: Browsing): Promise<Deck | undefined> {
    const deck = await this.#options.cache.held<Deck>('candidates', viewerId, DECK_MS);
    if (deck === undefined || this.#options.clock.now() - deck.fromTopAt > FROM_TOP_MS) return undefined;
    return deck.since === null || deck.since === browsing.since ? deck : undefined;
  }

  /** The best candidates, or those that come after a deck of which only `after.ids` are left. */
  async #findDeck(viewer: Self, browsing: Browsing, limit: number, after?: Deck): Promise<Deck> {
    const { db, clock } = this.#options;
    const size = Math.max(DECK_SIZE, limit);
    const rows = await this.#find(viewer, browsing, size, after);
    const foundIds = rows.map((row) => row.id);
    // Who decided on thousands did so on the best: below them the few found are asked about, and not the thousands.
    const fitIds = after === undefined ? foundIds : await this.#stillFit(viewer, browsing, foundIds);
    const details = await db.query(candidateDetails, [fitIds]);
    const detailOf = new Map(details.map((detail) => [detail.id, detail]));
    const candidates = rows.flatMap(({ id, score }): Candidate[] => {
      const detail = detailOf.get(id);
      if (detail === undefined) return [];
      const known = viewer.cell !== null && detail.cell !== null;
      const upToKm = known ? bandBetween(viewer.cell!, detail.cell!).upToKm : null;
      return [{ id, score, interests: detail.interests, upToKm, canTalkNow: detail.can_talk }];
    });
    const ids = ranked(candidates, viewer.interests).map(({ id }) => id);
    return {
      ids: [...new Set([...(after?.ids ?? []), ...ids])],
      complete: rows.length < size,
      since: browsing.page === 0 ? null : browsing.since,
      lowest: rows.at(-1)?.score ?? 0,
      fromTopAt: after?.fromTopAt ?? clock.now(),
    };
  }

  async #find(viewer: Self, browsing: Browsing, size: number, after?: Deck): Promise<CandidateRow[]> {
    const { db, clock } = this.#options;
    const filter = this.#filter(viewer, browsing);
    const audiences = audiencesFor(viewer);
    const born = birthDatesFor(viewer.minAge, viewer.maxAge, clock.now());
    const { cell, birthDate, maxDistanceKm: reachKm } = viewer;
    const corners =
      cell === null
        ? undefined
        : await this.#directory.cornersWithin({ cell, birthDate, reachKm, audiences, born });
    const notAbove = after?.lowest ?? MAX_SCORE;
    if (corners === undefined) return db.query(findAnywhere, [...filter, audiences, size, notAbove]);
    // Far away, or of another age, few want the viewer too: there one looks when there is a floor to stop at.
    const leads = Math.max(1, Math.min(size, corners.near));
    const firstStep = Math.min(size, Math.ceil((2 * size) / leads));
    return db.query(after === undefined ? findWithin : findWithinAll, [
      ...filter,
      corners.audiences,
      corners.areas,
      corners.cohorts,
      corners.bests,
      leads,
      size,
      firstStep,
      notAbove,
    ]);
  }

  /** Who of `ids` may be shown now and was not dealt in this browsing; null: dealt or not. */
  async #stillFit(viewer: Self, browsing: Browsing | null, ids: string[]): Promise<string[]> {
    const filter = this.#filter(viewer, browsing);
    const rows = await this.#options.db.query(stillFit, [...filter, ids, audiencesFor(viewer)]);
    return rows.map((row) => row.id);
  }

  /**
   * Parameters $1 to $15 of the statements of discovery. On a first page nobody is left out as dealt: whoever asks for two
   * at once may begin both in the same millisecond, and each is a first page.
   */
  #filter(viewer: Self, browsing: Browsing | null): Bind[] {
    const { clock } = this.#options;
    const now = clock.now();
    const dealtSince = browsing === null || browsing.page === 0 ? null : new Date(browsing.since);
    const born = birthDatesFor(viewer.minAge, viewer.maxAge, now);
    const spot = viewer.cell === null ? null : spotOf(viewer.cell);
    return [
      viewer.id,
      DISLIKE_DAYS,
      ENDED_MATCH_DAYS,
      dealtSince,
      monthsOf(now),
      born.from,
      born.to,
      preferredAgeAt(viewer.birthDate, now),
      spot?.x ?? null,
      spot?.y ?? null,
      spot?.z ?? null,
      spot?.slackKm ?? 0,
      viewer.maxDistanceKm,
      dayOf(now),
      // A like of who was shown only those within whose small reach they are would tell where they are.
      viewer.hideDistance ? viewer.maxDistanceKm : 0,
    ];
  }
}

/** As many of `ids` as there is room for. */
async function take(allowance: Allowance | undefined, viewerId: string, ids: string[]) {
  if (allowance === undefined || ids.length === 0) return { ids, retryAfterSec: 0 };
  const { granted, retryAfterSec } = await allowance(viewerId, ids.length);
  return { ids: ids.slice(0, granted), retryAfterSec };
}

function writeCursor(browsing: Browsing): string {
  return Buffer.from(`${browsing.since}.${browsing.page}`).toString('base64url');
}

/** Throws VALIDATION_FAILED for what was not written here, and for a browsing that began more than a day ago. */
function readCursor(cursor: string, now: number): Browsing {
  const match = /^(\d{1,15})\.(\d{1,6})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  const since = Number(match?.[1]);
  const isOfNow = since >= now - CURSOR_VALID_MS && since <= now + CLOCKS_APART_MS;
  if (match === null || !isOfNow) throw notOfThisList();
  return { since, page: Number(match[2]) };
}
