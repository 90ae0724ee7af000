import { useEffect, useState } from 'preact/hooks';
import { duet } from '../duet.ts';

/** A drop that is over this soon is not worth a word. */
const QUIET_MS = 1_500;

/** Says when the page has lost the server, and that it is on its way back. */
export function ConnectionNote() {
  const [lost, setLost] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const note = (state: string) => {
      clearTimeout(timer);
      if (state === 'reconnecting') timer = setTimeout(() => setLost(true), QUIET_MS);
      else setLost(false);
    };
    note(duet.inbox.state);
    const stop = duet.inbox.on('state', note);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, []);
  if (!lost) return null;
  return (
    <p class="note note-wait" role="status">
      <span class="spinner" aria-hidden="true" /> Reconnecting. Calls and matches will catch up.
    </p>
  );
}
