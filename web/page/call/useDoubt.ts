import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';

/** An agreement, or a page that is loaded again, takes the other out of it for a moment. */
const LASTS_MS = 3_000;

/**
 * Whether the other's client says that the call is not encrypted while this one has keys: perhaps the words differed
 * over there. It is the server that says so, so it changes nothing of what this side knows.
 */
export function useDoubt(session: CallSession): boolean {
  const peer = session.snapshot.people[session.peerId];
  // Who has lost the connection says nothing.
  const differs =
    session.encryption.snapshot.state !== 'off' && peer?.connected === true && peer.e2ee === 'off';
  const [lasts, setLasts] = useState(false);
  useEffect(() => {
    setLasts(false);
    if (!differs) return;
    const timer = setTimeout(() => setLasts(true), LASTS_MS);
    return () => clearTimeout(timer);
  }, [differs]);
  return differs && lasts;
}
