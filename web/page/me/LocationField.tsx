import { useState } from 'preact/hooks';
import { PinIcon } from '../shell/icons.tsx';

export type Place = { lat: number; lon: number } | null;

const WHAT_IS_KEPT =
  'We keep only which area of about 5 km² you are in, or a larger one where few people live.';

type Props = {
  /** Whether the server has a place already. */
  known: boolean;
  /** What is to be saved; undefined leaves it as it is. */
  place: Place | undefined;
  onChange: (place: Place | undefined) => void;
};

/** Where one is, to the nearest grid cell: asked of the browser, or the demo town, or not at all. */
export function LocationField({ known, place, onChange }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const ask = () => {
    setProblem(null);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => onChange({ lat: coords.latitude, lon: coords.longitude }),
      () => setProblem('Your browser did not tell where you are.'),
      { timeout: 10_000, maximumAge: 600_000 },
    );
  };
  return (
    <fieldset class="field location">
      <legend class="field-label">Where I am</legend>
      <p class="quiet" role="status">
        {problem ?? wordsFor(known, place)}
      </p>
      <div class="row">
        <button type="button" class="button small" onClick={ask}>
          <PinIcon size={16} /> Use my location
        </button>
        {(known || place) && place !== null && (
          <button type="button" class="button small" onClick={() => onChange(null)}>
            Forget it
          </button>
        )}
      </div>
    </fieldset>
  );
}

function wordsFor(known: boolean, place: Place | undefined): string {
  if (place === null) return 'Will be forgotten when you save.';
  if (place) return 'Found. Save to use it.';
  return known ? `Set. ${WHAT_IS_KEPT}` : `Not set, so nobody sees how far you are. ${WHAT_IS_KEPT}`;
}
