import { DuetApiError } from '../../sdk/DuetApiError.ts';
import { Store } from './Store.ts';

export type Toast = {
  id: number;
  text: string;
  tone: 'plain' | 'bad';
};

const SHOWN_MS = 5_000;
/** Of what happens to people, where the server speaks of states. */
const WORDS: Record<string, string> = {
  BUSY: 'The line is busy: one of you is in another call.',
  CALL_NOT_ACTIVE: 'This call is over.',
  MATCH_NOT_ACTIVE: 'This match is over.',
  NOT_FOUND: 'That is not there any more.',
  WRONG_PHASE: 'That is not possible any more. Somebody was faster, perhaps you on another device.',
};
const MOST = 3;

export const toasts = new Store<{ items: Toast[] }>({ items: [] });
const timers = new Set<ReturnType<typeof setTimeout>>();
let nextId = 1;
let isHeld = false;

/** Says something at the edge of the page, for a few seconds. */
export function say(text: string, { tone = 'plain' }: Partial<Pick<Toast, 'tone'>> = {}): void {
  const toast: Toast = { id: nextId++, text, tone };
  toasts.set({ items: [...toasts.value.items.filter((item) => item.text !== text), toast].slice(-MOST) });
  if (!isHeld) goAfterAWhile(toast.id);
}

/** Somebody is at them: they stay until `goOn`. */
export function hold(): void {
  isHeld = true;
  for (const timer of timers) clearTimeout(timer);
  timers.clear();
}

/** They are shown for the usual time from now on. */
export function goOn(): void {
  hold();
  isHeld = false;
  for (const { id } of toasts.value.items) goAfterAWhile(id);
}

/** Somebody has read it. The others go on: a button that goes away with the focus on it does not say that it lost it. */
export function dismiss(id: number): void {
  remove(id);
  goOn();
}

function goAfterAWhile(id: number): void {
  const timer = setTimeout(() => {
    timers.delete(timer);
    remove(id);
  }, SHOWN_MS);
  timers.add(timer);
}

function remove(id: number): void {
  toasts.set({ items: toasts.value.items.filter((toast) => toast.id !== id) });
}

/** Says what went wrong. */
export function sayError(error: unknown): void {
  say(messageOf(error), { tone: 'bad' });
}

/** What to tell a person about an error; `words`: of codes that mean something of their own where it was met. */
export function messageOf(error: unknown, words: Record<string, string> = {}): string {
  if (!(error instanceof DuetApiError)) {
    console.error(error);
    return 'Something went wrong here. Please try again.';
  }
  if (error.code === 'TOO_MANY_REQUESTS') {
    const minutes = Math.ceil((error.retryAfterSec ?? 0) / 60);
    return minutes > 1
      ? `That was a lot at once. Try again in ${minutes} minutes.`
      : 'That was a lot at once. Try again shortly.';
  }
  const [detail] = error.details;
  if (detail) return `${fieldName(detail.path)} ${detail.message}.`;
  return words[error.code] ?? WORDS[error.code] ?? error.message;
}

/** `displayName` as "Display name"; the whole request as "This". */
function fieldName(path: string): string {
  const words = path.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('.', ' ');
  return path === '' ? 'This' : words.charAt(0).toUpperCase() + words.slice(1);
}
