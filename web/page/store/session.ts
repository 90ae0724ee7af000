import type { Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { closeCalls, openCalls } from './calls.ts';
import { clearDeck, loadDeck } from './deck.ts';
import { clearMatches, openMatches } from './matches.ts';
import { Store } from './Store.ts';
import { say, sayError } from './toasts.ts';

type SessionState = {
  phase: 'loading' | 'out' | 'in';
  me: Me | null;
};

export const session = new Store<SessionState>({ phase: duet.auth.isSignedIn ? 'loading' : 'out', me: null });

/** The account is being given up: that this signs one out is no news. */
let isLeaving = false;
let nextTry: ReturnType<typeof setTimeout> | undefined;

duet.auth.on('signedIn', ({ restored }) => {
  if (restored) say('You have your account back: it will not be erased.');
  void enter();
});
duet.auth.on('signedOut', ({ reason }) => {
  clearTimeout(nextTry);
  duet.closeInbox();
  closeCalls();
  clearMatches();
  clearDeck();
  session.set({ phase: 'out', me: null });
  if (reason === 'revoked' && !isLeaving) say('You were signed out here.');
});

/** Goes on with the session of this window, if there is one. */
export async function resume(): Promise<void> {
  if (duet.auth.isSignedIn) await enter();
}

export function takeMe(me: Me): void {
  session.set({ me });
}

/** Gives the account up, and signs out here. */
export async function deleteAccount(password: string): Promise<void> {
  isLeaving = true;
  try {
    await duet.people.deleteMe(password);
    duet.auth.end('logout');
  } finally {
    isLeaving = false;
  }
}

async function enter(): Promise<void> {
  try {
    const me = await duet.people.me();
    session.set({ phase: 'in', me });
    openMatches();
    openCalls();
    await loadDeck();
  } catch (error) {
    sayError(error);
    if (!duet.auth.isSignedIn) return;
    // The server is away: what is shown stays, and it is tried again.
    nextTry = setTimeout(() => void enter(), 3_000);
  }
}
