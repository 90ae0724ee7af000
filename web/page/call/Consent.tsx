import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { Card } from '../../sdk/types.ts';
import { PlusTimeIcon, VideoIcon } from '../shell/icons.tsx';
import { sayError } from '../store/toasts.ts';
import { useCountdown } from './useCall.ts';

/** A yes is to what was read: who asks may change the question in the moment of a click. */
const READ_MS = 600;

/** The question that stands between the two: who asked, what, and for how long it stands. */
export function Consent({ session, peer }: { session: CallSession; peer: Card }) {
  const { pending } = session.snapshot;
  const leftMs = useCountdown(session, pending?.untilMs ?? null);
  const [busy, setBusy] = useState(false);
  const [read, setRead] = useState<string | null>(null);
  const asked = pending && `${pending.kind} ${pending.by} ${pending.untilMs}`;
  useEffect(() => {
    const timer = setTimeout(() => setRead(asked), READ_MS);
    return () => clearTimeout(timer);
  }, [asked]);
  if (!pending || leftMs === null) return null;
  const isOwn = pending.by === session.userId;
  const { kind } = pending;
  const say = async (what: () => Promise<void>) => {
    setBusy(true);
    await what().catch(sayError);
    setBusy(false);
  };
  const yes = kind === 'extend' ? session.extend : session.upgrade;
  const no = kind === 'extend' ? session.declineExtend : session.declineUpgrade;
  return (
    <section class={`consent ${isOwn ? 'own' : 'theirs'}`} data-testid="call-pending" data-kind={kind}>
      <span class="consent-icon">{kind === 'extend' ? <PlusTimeIcon /> : <VideoIcon />}</span>
      <div class="consent-words">
        {/* Read aloud once; the seconds beside it are not. */}
        <p class="consent-question" role="alert">
          {question(kind, isOwn, peer.displayName)}
        </p>
        <p class="quiet">
          {isOwn ? 'Waiting for an answer' : hint(kind)} ·{' '}
          <span class="digits">{Math.ceil(leftMs / 1000)} s</span>
        </p>
      </div>
      <div class="consent-actions">
        <button
          type="button"
          class="button small"
          disabled={busy}
          data-testid={`call-${kind}-no`}
          onClick={() => void say(no)}
        >
          {isOwn ? 'Take back' : 'Not now'}
        </button>
        {!isOwn && (
          <button
            type="button"
            class="button primary small"
            disabled={busy || read !== asked}
            data-testid={`call-${kind}-yes`}
            onClick={() => void say(yes)}
          >
            Yes
          </button>
        )}
      </div>
    </section>
  );
}

function question(kind: 'extend' | 'upgrade', isOwn: boolean, name: string): string {
  if (kind === 'extend') return isOwn ? 'You asked for more time' : `${name} would like more time with you`;
  return isOwn ? 'You asked to see each other' : `${name} would like to see each other`;
}

function hint(kind: 'extend' | 'upgrade'): string {
  return kind === 'extend' ? 'Only if you both agree' : 'Yes turns both cameras on';
}
