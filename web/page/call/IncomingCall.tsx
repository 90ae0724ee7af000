import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Call, Card } from '../../sdk/types.ts';
import { HangUpIcon, PhoneIcon, VideoIcon } from '../shell/icons.tsx';
import { CoverPhoto } from '../shell/Photo.tsx';
import { answer, decline } from '../store/calls.ts';
import { useRingTone } from './ringTone.ts';

/** Somebody calls: answer or decline. */
export function IncomingCall({ call, from }: { call: Call; from: Card }) {
  const sheet = useRef<HTMLDialogElement>(null);
  const wantsVideo = call.mediaRequested === 'video';
  useRingTone('incoming', true);
  // Modal, so that it is above whatever dialog is open. No button of it has the focus: whoever was typing has not read yet
  // what the next key would answer.
  const show = () => {
    sheet.current?.showModal();
    sheet.current?.focus();
  };
  useLayoutEffect(() => {
    const dialog = sheet.current;
    show();
    return () => dialog?.close();
  }, []);
  // Seen in the row of tabs, where somebody looks at another page.
  useEffect(() => {
    const { title } = document;
    document.title = `${from.displayName} is calling`;
    return () => {
      document.title = title;
    };
  }, [from.displayName]);
  return (
    <dialog
      ref={sheet}
      class="incoming"
      role="alertdialog"
      tabIndex={-1}
      aria-label={`${from.displayName} is calling`}
      onCancel={(event) => event.preventDefault()}
      // The browser closes it all the same when Escape is pressed again and again.
      onClose={show}
      data-testid="incoming"
    >
      <div class="incoming-face">
        <CoverPhoto person={from} />
      </div>
      <div class="incoming-words">
        <h2>{from.displayName}</h2>
        <p>{wantsVideo ? 'would like a video call' : 'is calling'}</p>
      </div>
      <div class="incoming-actions">
        <button
          type="button"
          class="round large hang-up"
          aria-label="Decline"
          data-testid="incoming-decline"
          onClick={() => void decline()}
        >
          <HangUpIcon size={28} />
        </button>
        {wantsVideo && (
          <button
            type="button"
            class="round large pick-up"
            aria-label="Answer with video"
            data-testid="incoming-answer-video"
            onClick={() => void answer('video')}
          >
            <VideoIcon size={28} />
          </button>
        )}
        <button
          type="button"
          class="round large pick-up"
          aria-label={wantsVideo ? 'Answer with voice only' : 'Answer'}
          data-testid="incoming-answer"
          onClick={() => void answer()}
        >
          <PhoneIcon size={28} />
        </button>
      </div>
    </dialog>
  );
}
