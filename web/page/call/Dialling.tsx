import type { Card } from '../../sdk/types.ts';
import { HangUpIcon } from '../shell/icons.tsx';
import { CoverPhoto } from '../shell/Photo.tsx';
import { abandon } from '../store/calls.ts';

/** The moment before the server has answered. */
export function Dialling({ peer, outgoing }: { peer: Card; outgoing: boolean }) {
  return (
    <section class="call" aria-label={`Call with ${peer.displayName}`}>
      <div class="call-stage">
        <div class="portrait waiting">
          <div class="portrait-photo">
            <CoverPhoto person={peer} />
          </div>
        </div>
        <h1>{peer.displayName}</h1>
        <p class="call-status" role="status">
          {outgoing ? 'Calling' : 'Answering'}
        </p>
      </div>
      <div class="call-controls">
        <button type="button" class="control hang-up" onClick={abandon}>
          <span class="disc">
            <HangUpIcon size={26} />
          </span>
          <span>Hang up</span>
        </button>
      </div>
    </section>
  );
}
