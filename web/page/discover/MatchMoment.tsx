import { Dialog } from '../shell/Dialog.tsx';
import { PhoneIcon } from '../shell/icons.tsx';
import { CoverPhoto } from '../shell/Photo.tsx';
import { calls, startCall } from '../store/calls.ts';
import { closeMoment, matches } from '../store/matches.ts';
import { useStore } from '../store/Store.ts';
import { session } from '../store/session.ts';

/** Both like each other: the two circles meet, and there is one thing to do next. */
export function MatchMoment() {
  const { moment } = useStore(matches);
  const { me } = useStore(session);
  const { current, incoming } = useStore(calls);
  // Not into a conversation; it waits until that is over.
  if (!moment || !me || current || incoming) return null;
  const { peer } = moment;
  return (
    <Dialog title="It’s a match" onClose={closeMoment} tone="night">
      <div class="moment" data-testid="match-moment">
        <div class="moment-pair" aria-hidden="true">
          <span class="moment-face moment-own">
            <CoverPhoto person={me} />
          </span>
          <span class="moment-face moment-peer">
            <CoverPhoto person={peer} />
          </span>
        </div>
        <p>You and {peer.displayName} like each other. Say hello with your voice.</p>
        <button
          type="button"
          class="button go wide"
          data-testid="match-call"
          onClick={() => {
            closeMoment();
            void startCall(moment.id, peer);
          }}
        >
          <PhoneIcon size={20} /> Call {peer.displayName}
        </button>
        <button type="button" class="button wide" data-testid="match-later" onClick={closeMoment}>
          Keep looking
        </button>
      </div>
    </Dialog>
  );
}
