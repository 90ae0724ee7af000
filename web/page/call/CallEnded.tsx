import { useEffect } from 'preact/hooks';
import { PersonMenu } from '../people/PersonMenu.tsx';
import { durationText, outcomeText } from '../people/words.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { PhoneIcon } from '../shell/icons.tsx';
import { Avatar } from '../shell/Photo.tsx';
import { closeEnded, type Ended, startCall } from '../store/calls.ts';
import { dropMatch, matches } from '../store/matches.ts';
import { useStore } from '../store/Store.ts';

/** How it ended, how long it was, and what might be next. */
export function CallEnded({ ended }: { ended: Ended }) {
  const { peer, matchId, outcome, durationSec, callId } = ended;
  const { active } = useStore(matches);
  // What had the focus went with the call.
  useEffect(() => () => void requestAnimationFrame(focusPlace), []);
  const mayCallAgain = active.some((match) => match.id === matchId);
  return (
    <Dialog title={outcomeText(outcome, peer.displayName)} onClose={closeEnded} tone="night">
      <div
        class="ended"
        data-testid="call-ended"
        data-outcome={outcome ?? ''}
        data-duration-sec={durationSec}
      >
        <Avatar person={peer} size={96} />
        {durationSec > 0 && (
          <p>
            You talked with {peer.displayName} for {durationText(durationSec)}.
          </p>
        )}
        {durationSec === 0 && outcome && <p>You can try {peer.displayName} again later.</p>}
        {mayCallAgain && (
          <button
            type="button"
            class="button go wide"
            data-testid="call-again"
            onClick={() => void startCall(matchId, peer)}
          >
            <PhoneIcon size={18} /> Call again
          </button>
        )}
        <div class="row">
          <button type="button" class="button grow" data-testid="call-ended-close" onClick={closeEnded}>
            Close
          </button>
          <PersonMenu
            person={peer}
            callId={callId}
            testId="call-ended-menu"
            onGone={() => {
              dropMatch(matchId);
              closeEnded();
            }}
          />
        </div>
      </div>
    </Dialog>
  );
}

function focusPlace(): void {
  if (document.activeElement === document.body) document.querySelector('main')?.focus();
}
