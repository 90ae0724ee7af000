import type { CallSession } from '../sdk/call/CallSession.ts';
import { Duet } from '../sdk/Duet.ts';

/** The one client of this window. In `sessionStorage`, so that two windows can be two people. */
export const duet = new Duet({ storage: sessionStorage });

/** For tests and the curious: the client, and the call of the moment. Gives nothing that the page itself has not. */
const exposed: { sdk: Duet; call: CallSession | null } = { sdk: duet, call: null };

declare global {
  interface Window {
    duet: typeof exposed;
  }
}

window.duet = exposed;

export function exposeCall(call: CallSession | null): void {
  exposed.call = call;
}
