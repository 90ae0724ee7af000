import type { Match } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Store } from './Store.ts';
import { say, sayError } from './toasts.ts';

type MatchesState = {
  active: Match[];
  past: Match[];
  loaded: boolean;
  /** Matches that came while one was looking elsewhere. */
  fresh: Set<string>;
  /** A match that was just made by the own like. */
  moment: Match | null;
};

/** People one has just liked: a match with one of them is a moment, with anybody else it is news. */
const justLiked = new Set<string>();
const JUST_MS = 60_000;
/** Matches whose moment was shown: the inbox and the answer to the like tell of the same one. */
const celebrated = new Set<string>();

/** The last asking for the list, and what was heard since of single matches: a list that is older than that is none. */
let asking = 0;
let news = 0;

const EMPTY: MatchesState = { active: [], past: [], loaded: false, fresh: new Set(), moment: null };
const MOST = 50;

export const matches = new Store<MatchesState>(EMPTY);

/** Loads the matches and follows the inbox for new ones. */
export function openMatches(): void {
  const { inbox } = duet;
  inbox.on('match:created', ({ match }) => {
    if (!match) return;
    if (justLiked.has(match.peer.id)) {
      celebrate(match);
      return;
    }
    if (!matches.value.active.some((known) => known.id === match.id)) {
      matches.set({ fresh: new Set([...matches.value.fresh, match.id]) });
      say(`You and ${match.peer.displayName} like each other.`);
    }
    takeMatch(match);
  });
  inbox.on('match:ready', () => void loadMatches());
  inbox.on('match:ended', ({ matchId }) => dropMatch(matchId));
  inbox.on('resync', () => void loadMatches());
  inbox.on('state', (state) => {
    if (state === 'connected' && matches.value.loaded) void loadMatches();
  });
  void loadMatches();
}

export async function loadMatches(): Promise<void> {
  const mine = ++asking;
  const before = news;
  try {
    const [active, past] = await Promise.all([
      duet.matches.active({ limit: MOST }),
      duet.matches.history({ limit: MOST }),
    ]);
    if (mine !== asking) return;
    if (before !== news) return await loadMatches();
    const live = new Set(active.items.map((match) => match.id));
    matches.set({
      active: active.items,
      past: past.items.filter((match) => !live.has(match.id)),
      loaded: true,
    });
  } catch (error) {
    if (mine === asking) sayError(error);
  }
}

export function takeMatch(match: Match): void {
  news += 1;
  const others = matches.value.active.filter((known) => known.id !== match.id);
  matches.set({ active: [match, ...others] });
}

/** A like for this person is on its way. */
export function expectMatch(userId: string): void {
  justLiked.add(userId);
  setTimeout(() => justLiked.delete(userId), JUST_MS);
}

/** A match came of the own like: takes it in and shows it, once. */
export function celebrate(match: Match): void {
  takeMatch(match);
  if (celebrated.has(match.id)) return;
  celebrated.add(match.id);
  matches.set({ moment: match });
}

export function closeMoment(): void {
  matches.set({ moment: null });
}

export function dropMatch(matchId: string): void {
  news += 1;
  matches.set({ active: matches.value.active.filter((match) => match.id !== matchId) });
}

export function seeMatches(): void {
  if (matches.value.fresh.size > 0) matches.set({ fresh: new Set() });
}

/** One talks with this match: it is no news any more. */
export function seeMatch(matchId: string): void {
  const fresh = new Set(matches.value.fresh);
  if (fresh.delete(matchId)) matches.set({ fresh });
}

export async function endMatch(match: Match): Promise<void> {
  try {
    const ended = await duet.matches.end(match.id);
    dropMatch(match.id);
    matches.set({ past: [ended, ...matches.value.past] });
  } catch (error) {
    sayError(error);
  }
}

export function clearMatches(): void {
  asking += 1;
  matches.set(EMPTY);
}
