import { useLayoutEffect, useRef } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { Card } from '../../sdk/types.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { say, sayError } from '../store/toasts.ts';
import { doubtText, encryptionText } from './encryptionTexts.ts';
import { useCall } from './useCall.ts';

type Props = { session: CallSession; peer: Card; isDoubted: boolean; onClose: () => void };

/** The words that two people read to each other: the same on both screens, unless somebody is in between. */
export function SafetyWords({ session, peer, isDoubted, onClose }: Props) {
  useCall(session);
  const { encryption } = session;
  const { state, reason, words } = encryption.snapshot;
  const read = useRef('');
  const shown = words.join(' ');
  // What was read so far says nothing of other words, which may come in the moment of a click.
  useLayoutEffect(() => {
    if (shown === '') return;
    if (read.current !== '' && read.current !== shown) {
      say('The words are new. Compare these.', { tone: 'bad' });
      onClose();
    }
    read.current = shown;
  }, [shown]);
  const answer = (areSame: boolean) => {
    encryption.confirmWords(areSame, words).catch(sayError);
    if (areSame) onClose();
  };
  return (
    <Dialog title={state === 'off' ? 'Not encrypted end to end' : 'Only the two of you'} onClose={onClose}>
      <p class="quiet">{encryptionText(encryption.snapshot, peer.displayName)}</p>
      {isDoubted && <p data-testid="call-doubted">{doubtText(peer.displayName)}</p>}
      {words.length > 0 && (
        <>
          <ol class="words" data-testid="call-words">
            {words.map((word, place) => (
              <li key={`${place} ${word}`}>{word}</li>
            ))}
          </ol>
          <p class="quiet">
            Read them to each other. The same words mean that nobody is in between, not even Duet.
          </p>
        </>
      )}
      <div class="row-end words-answers">
        {words.length > 0 && reason !== 'mismatch' && (
          <button type="button" class="button" data-testid="call-words-differ" onClick={() => answer(false)}>
            They differ
          </button>
        )}
        {words.length > 0 && state !== 'verified' && (
          <button
            type="button"
            class="button primary"
            data-testid="call-words-match"
            onClick={() => answer(true)}
          >
            They match
          </button>
        )}
        <button type="button" class="button" data-testid="call-words-close" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
