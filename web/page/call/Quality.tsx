import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';

const WORDS = [
  'No connection',
  'Very poor connection',
  'Poor connection',
  'Fair connection',
  'Good connection',
];

/** How well the other is heard, as four bars. */
export function Quality({ session }: { session: CallSession }) {
  const [mos, setMos] = useState<number | null>(null);
  useEffect(
    () =>
      session.on('quality', ({ userId, mos: score }) => {
        if (userId === session.userId) setMos(score);
      }),
    [session],
  );
  const isTalking = session.snapshot.phase === 'active';
  const bars = session.link === 'reconnecting' ? 0 : barsOf(mos);
  if (!isTalking || (mos === null && bars !== 0)) return <span class="quality" />;
  return (
    <span
      class="quality"
      data-bars={bars}
      role="img"
      aria-label={WORDS[bars]}
      title={WORDS[bars]}
      data-testid="call-quality"
    >
      {[1, 2, 3, 4].map((bar) => (
        <span key={bar} class={bar <= bars ? 'on' : ''} />
      ))}
    </span>
  );
}

/** A mean opinion score (1 to 4.5) in bars. */
function barsOf(mos: number | null): number {
  if (mos === null) return 4;
  if (mos >= 4) return 4;
  if (mos >= 3.6) return 3;
  return mos >= 3.1 ? 2 : 1;
}
