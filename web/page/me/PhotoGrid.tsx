import { useRef, useState } from 'preact/hooks';
import { DuetApiError } from '../../sdk/DuetApiError.ts';
import type { Me, Photo } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { CrossIcon, PlusIcon } from '../shell/icons.tsx';
import { takeMe } from '../store/session.ts';
import { say, sayError } from '../store/toasts.ts';

const MOST = 6;
const WORDS: Record<string, string> = {
  PAYLOAD_TOO_LARGE: 'This picture is too large. 10 MB is the most.',
  UNSUPPORTED_MEDIA_TYPE: 'This is no picture that works here. Try a JPEG, PNG or WebP.',
};

/** The own photos: add, remove, and say which one comes first. */
export function PhotoGrid({ me }: { me: Me }) {
  const [busy, setBusy] = useState(false);
  const panel = useRef<HTMLElement>(null);
  const input = useRef<HTMLInputElement>(null);

  const change = async (what: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await what();
    } catch (error) {
      const words = error instanceof DuetApiError && WORDS[error.code];
      if (words) say(words, { tone: 'bad' });
      else sayError(error);
    }
    // Also of what failed on its way a part is done.
    await duet.people.me().then(takeMe, sayError);
    setBusy(false);
    // The button that was pressed is gone, or was off meanwhile.
    if (document.activeElement === document.body) panel.current?.focus();
  };
  const upload = async (files: FileList | null) => {
    const chosen = [...(files ?? [])];
    const images = chosen.slice(0, MOST - me.photos.length);
    await change(async () => {
      for (const image of images) await duet.people.addPhoto(image);
    });
    if (images.length < chosen.length) say(`${MOST} photos are the most.`);
    if (input.current) input.current.value = '';
  };
  const makeFirst = (photo: Photo) => {
    const others = me.photos.filter((other) => other.id !== photo.id);
    return duet.people.orderPhotos([photo.id, ...others.map((other) => other.id)]);
  };

  return (
    <section ref={panel} class="panel" tabIndex={-1} aria-labelledby="photos-title" aria-busy={busy}>
      <h2 id="photos-title">Photos</h2>
      <ul class="photo-grid">
        {me.photos.map((photo, index) => (
          <li key={photo.id} data-testid="own-photo">
            <img src={photo.thumbnailUrl} alt={`${index + 1} of ${me.photos.length}`} />
            <button
              type="button"
              class="icon-button small over"
              aria-label={`Remove photo ${index + 1}`}
              disabled={busy}
              onClick={() => void change(() => duet.people.removePhoto(photo.id))}
            >
              <CrossIcon size={16} />
            </button>
            {index > 0 ? (
              <button
                type="button"
                class="photo-first"
                aria-label={`Make first: photo ${index + 1}`}
                disabled={busy}
                onClick={() => void change(() => makeFirst(photo))}
              >
                Make first
              </button>
            ) : (
              <span class="photo-first on">First</span>
            )}
          </li>
        ))}
        {me.photos.length < MOST && (
          <li>
            <label class="photo-add">
              <PlusIcon />
              <span>{busy ? 'Sending' : 'Add'}</span>
              <input
                ref={input}
                type="file"
                accept="image/jpeg,image/png,image/webp"
                multiple
                disabled={busy}
                data-testid="photo-input"
                onChange={(event) => void upload(event.currentTarget.files)}
              />
            </label>
          </li>
        )}
      </ul>
    </section>
  );
}
