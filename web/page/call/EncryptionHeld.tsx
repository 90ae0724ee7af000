import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { Card } from '../../sdk/types.ts';
import { LockOpenIcon } from '../shell/icons.tsx';
import { encryptionText } from './encryptionTexts.ts';

/** Nothing is sent, because it could be overheard: whoever wants to talk all the same has to say so. */
export function EncryptionHeld({ session, peer }: { session: CallSession; peer: Card }) {
  const { encryption } = session;
  const { reason, sends } = encryption.snapshot;
  if (sends !== 'held' || reason === null || reason === 'agreeing') return null;
  return (
    <section class="consent own" data-testid="call-held" data-reason={reason}>
      <span class="consent-icon">
        <LockOpenIcon />
      </span>
      <div class="consent-words" role="alert">
        <p class="consent-question">{peer.displayName} does not hear you</p>
        <p class="quiet">{encryptionText(encryption.snapshot, peer.displayName)}</p>
      </div>
      <div class="consent-actions">
        {/* Who encrypts already would not hear it. */}
        {reason !== 'loading' && (
          <button
            type="button"
            class="button small"
            data-testid="call-talk-anyway"
            onClick={() => encryption.allowUnencrypted()}
          >
            Talk anyway
          </button>
        )}
        <button type="button" class="button primary small" onClick={() => void session.end()}>
          Hang up
        </button>
      </div>
    </section>
  );
}
