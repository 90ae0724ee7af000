import type { Card } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { celebrate, expectMatch } from './matches.ts';
import { Store } from './Store.ts';
import { sayError } from './toasts.ts';

type DeckState = {
  /** Those to decide on, the first one on top. */
  cards: Card[];
  phase: 'loading' | 'ready' | 'empty' | 'failed';
  /** Who was passed last, and may be taken back. */
  passed: Card | null;
};

const PAGE_SIZE = 12;
/** More are loaded when this few are left. */
const LOW = 4;
const EMPTY: DeckState = { cards: [], phase: 'loading', passed: null };

export const deck = new Store<DeckState>(EMPTY);
/** Decided here; the server may still list them while a decision is on its way. */
const decided = new Set<string>();
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

/** After the preferences changed: others fit now. */
export async function reloadDeck(): Promise<void> {
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

export async function pass(card: Card): Promise<void> {
  take(card);
  deck.set({ passed: card });
  try {
    await duet.matches.pass(card.id);
  } catch (error) {
    putBack(card);
    sayError(error);
  }
}

/** Puts the one who was passed last back on top; the next decision counts. */
export function undoPass(): void {
  const { passed } = deck.value;
  if (passed) putBack(passed);
}

async function load(): Promise<void> {
  try {
    const { items } = await duet.people.discovery({ limit: PAGE_SIZE });
    const known = new Set(deck.value.cards.map((card) => card.id));
    const fresh = items.filter((card) => !known.has(card.id) && !decided.has(card.id));
    const cards = [...deck.value.cards, ...fresh];
    deck.set({ cards, phase: cards.length > 0 ? 'ready' : 'empty' });
  } catch (error) {
    if (deck.value.cards.length === 0) deck.set({ phase: 'failed' });
    sayError(error);
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
