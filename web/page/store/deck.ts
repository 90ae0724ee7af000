import { DuetApiError } from '../../sdk/DuetApiError.ts';
import type { Card } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { celebrate, expectMatch } from './matches.ts';
import { Store } from './Store.ts';
import { sayError } from './toasts.ts';

type DeckState = {
  /** Those to decide on, the first one on top. */
  cards: Card[];
  phase: 'loading' | 'ready' | 'empty' | 'enough' | 'failed';
  /** Who was passed last, and may be taken back. */
  passed: Card | null;
};

const PAGE_SIZE = 12;
/** More are loaded when this few are left. */
const LOW = 4;
/** Whoever must wait for longer has not asked too fast, but seen as many as a day has room for. */
const LONGEST_WINDOW_SEC = 15 * 60;
const EMPTY: DeckState = { cards: [], phase: 'loading', passed: null };

export const deck = new Store<DeckState>(EMPTY);
/** Decided here; the server may still list them while a decision is on its way. */
const decided = new Set<string>();
/** The last pass on its way: it can be taken back once the server knows of it. */
let passing: Promise<void> = Promise.resolve();
let loading: Promise<void> | undefined;

/** Loads more people, or all anew. */
export function loadDeck(): Promise<void> {
  loading ??= load().finally(() => {
    loading = undefined;
  });
  return loading;
}

export function clearDeck(): void {
  decided.clear();
  deck.set(EMPTY);
}

/** After the preferences or the blocked changed: others fit now. */
export async function reloadDeck(): Promise<void> {
  await loading;
  deck.set({ cards: [], phase: 'loading' });
  await loadDeck();
}

export async function like(card: Card): Promise<void> {
  take(card);
  deck.set({ passed: null });
  expectMatch(card.id);
  try {
    const { match } = await duet.matches.like(card.id);
    if (match) celebrate(match);
  } catch (error) {
    putBack(card);
    sayError(error);
  }
}

export function pass(card: Card): Promise<void> {
  take(card);
  deck.set({ passed: card });
  passing = duet.matches.pass(card.id).then(
    () => {},
    (error: unknown) => {
      putBack(card);
      sayError(error);
    },
  );
  return passing;
}

/** Takes the last pass back: the server forgets it, and the card is on top again. */
export async function undoPass(): Promise<void> {
  const { passed } = deck.value;
  if (!passed) return;
  deck.set({ passed: null });
  await passing;
  // It did not get through, and is on top again already.
  if (!decided.has(passed.id)) return;
  try {
    putBack(await duet.matches.undo());
  } catch (error) {
    sayError(error);
  }
}

/** Somebody whom one is rid of: blocked or reported. Nothing is decided: unblocked, they may come again. */
export function dropCard(card: Card): void {
  take(card);
  decided.delete(card.id);
  deck.set({ passed: null });
}

async function load(): Promise<void> {
  try {
    const { items } = await duet.people.discovery({ limit: PAGE_SIZE });
    const known = new Set(deck.value.cards.map((card) => card.id));
    const fresh = items.filter((card) => !known.has(card.id) && !decided.has(card.id));
    const cards = [...deck.value.cards, ...fresh];
    deck.set({ cards, phase: cards.length > 0 ? 'ready' : 'empty' });
  } catch (error) {
    const isTooMany = error instanceof DuetApiError && error.code === 'TOO_MANY_REQUESTS';
    const isEnough = isTooMany && (error.retryAfterSec ?? 0) > LONGEST_WINDOW_SEC;
    if (deck.value.cards.length === 0) deck.set({ phase: isEnough ? 'enough' : 'failed' });
    if (!isEnough) sayError(error);
  }
}

function take(card: Card): void {
  decided.add(card.id);
  const cards = deck.value.cards.filter((other) => other.id !== card.id);
  deck.set({ cards, phase: cards.length > 0 ? 'ready' : 'loading' });
  if (cards.length <= LOW) void loadDeck();
}

function putBack(card: Card): void {
  decided.delete(card.id);
  const rest = deck.value.cards.filter((other) => other.id !== card.id);
  deck.set({ cards: [card, ...rest], phase: 'ready', passed: null });
}
