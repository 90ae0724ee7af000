import { useEffect, useRef } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { Card } from '../../sdk/types.ts';
import { PersonMenu } from '../people/PersonMenu.tsx';
import { say } from '../store/toasts.ts';
import { Consent } from './Consent.tsx';
import { Controls } from './Controls.tsx';
import { Countdown } from './Countdown.tsx';
import { Encryption } from './Encryption.tsx';
import { EncryptionHeld } from './EncryptionHeld.tsx';
import { Faces } from './Faces.tsx';
import { Quality } from './Quality.tsx';
import { RemoteAudio } from './RemoteAudio.tsx';
import { useRingTone } from './ringTone.ts';
import { useCall } from './useCall.ts';

type Props = { session: CallSession; peer: Card };

/** A call from the first ring to the last second. */
export function CallScreen({ session, peer }: Props) {
  useCall(session);
  const { snapshot } = session;
  const screen = useRef<HTMLElement>(null);
  const isRinging = snapshot.phase === 'ringing';
  const isVideo = snapshot.media === 'video';
  useRingTone('outgoing', isRinging && snapshot.callerId === session.userId);
  useEffect(() => screen.current?.focus(), []);
  useEffect(
    () =>
      session.on('notice', ({ type, by }) => {
        const words = noticeWords(type, by === session.userId, peer.displayName);
        if (words) say(words);
      }),
    [session, peer],
  );

  return (
    <section
      ref={screen}
      class={`call${isVideo ? ' call-video' : ''}`}
      aria-label={`Call with ${peer.displayName}`}
      tabIndex={-1}
      data-testid="call"
      data-phase={snapshot.phase}
      data-media={snapshot.media}
      data-call-id={session.id}
    >
      <RemoteAudio session={session} />
      <header class="call-top">
        <div class="call-marks">
          <Quality session={session} />
          <Encryption session={session} peer={peer} />
        </div>
        {isVideo && <Countdown session={session} />}
        <PersonMenu person={peer} callId={session.id} testId="call-menu" onGone={() => void session.end()} />
      </header>
      <Faces session={session} peer={peer} />
      <EncryptionHeld session={session} peer={peer} />
      <Consent session={session} peer={peer} />
      <Controls session={session} />
    </section>
  );
}

/** What to say about what the other did (or oneself, elsewhere). */
function noticeWords(type: string, own: boolean, name: string): string | null {
  switch (type) {
    case 'extended':
      return 'More time for both of you.';
    case 'extend_declined':
      return own ? null : `${name} would rather not go on longer.`;
    case 'upgrade_declined':
      return own ? null : `${name} would rather stay with voice.`;
    case 'downgraded':
      return own ? 'Back to voice only.' : `${name} went back to voice only.`;
    default:
      return null;
  }
}
