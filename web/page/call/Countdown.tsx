import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import { clockText } from '../people/words.ts';
import { useCountdown } from './useCall.ts';

/** From here on the clock calls for attention. */
const URGENT_MS = 30_000;
/** What is read aloud, once each, in seconds left. */
const SAID_SEC = [60, 30, 10];
const RADIUS = 48.5;
const AROUND = 2 * Math.PI * RADIUS;

/** How much time is left, in large figures. */
export function Countdown({ session }: { session: CallSession }) {
  const leftMs = useCountdown(session, session.snapshot.endsAtMs);
  const said = useSaid(leftMs);
  if (leftMs === null || session.snapshot.phase !== 'active') return null;
  return (
    <div
      class={`countdown${leftMs <= URGENT_MS ? ' urgent' : ''}${session.link === 'connected' ? '' : ' stale'}`}
      role="timer"
      aria-label="Time left"
      data-testid="call-countdown"
      data-remaining-ms={Math.round(leftMs)}
      data-ends-at-ms={session.snapshot.endsAtMs}
    >
      {clockText(leftMs)}
      <span class="visually-hidden" aria-live="polite">
        {said}
      </span>
    </div>
  );
}

/** The time left as an arc around the portrait. */
export function CountdownRing({ session }: { session: CallSession }) {
  const { startedAtMs, endsAtMs } = session.snapshot;
  const leftMs = useCountdown(session, endsAtMs);
  if (leftMs === null || startedAtMs === null || endsAtMs === null) return null;
  const part = Math.min(1, leftMs / Math.max(1, endsAtMs - startedAtMs));
  return (
    <svg
      class={`countdown-ring${leftMs <= URGENT_MS ? ' urgent' : ''}`}
      viewBox="0 0 100 100"
      aria-hidden="true"
    >
      <circle class="track" cx="50" cy="50" r={RADIUS} />
      <circle
        class="left"
        cx="50"
        cy="50"
        r={RADIUS}
        stroke-dasharray={`${AROUND * part} ${AROUND}`}
        transform="rotate(-90 50 50)"
      />
    </svg>
  );
}

/** A sentence for screen readers when a mark is passed. */
function useSaid(leftMs: number | null): string {
  const [said, setSaid] = useState('');
  const mark = leftMs === null ? undefined : [...SAID_SEC].reverse().find((sec) => leftMs <= sec * 1000);
  useEffect(() => setSaid(mark ? `${mark} seconds left` : ''), [mark]);
  return said;
}
