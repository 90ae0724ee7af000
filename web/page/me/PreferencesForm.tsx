import { useState } from 'preact/hooks';
import type { Gender, Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { GENDERS } from '../people/words.ts';
import { Field } from '../shell/Field.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { reloadDeck } from '../store/deck.ts';
import { takeMe } from '../store/session.ts';
import { say } from '../store/toasts.ts';

const FARTHEST_KM = 20_000;
/** The stops of the distance slider, in km; the last one means anywhere. */
const STOPS_KM = [1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, FARTHEST_KM];

/** Whom one wants to meet. */
export function PreferencesForm({ me }: { me: Me }) {
  const { preferences } = me;
  const [stop, setStop] = useState(() => nearestStop(preferences.maxDistanceKm));
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    const changed = await duet.people.updatePreferences({
      minAge: Number(form.get('minAge')),
      maxAge: Number(form.get('maxAge')),
      genders: form.getAll('genders') as Gender[],
      maxDistanceKm: STOPS_KM[stop],
      hideDistance: form.get('hideDistance') !== null,
      discoverable: form.get('paused') === null,
    });
    takeMe(changed);
    say('Saved.');
    await reloadDeck();
  });
  return (
    <form class="panel" onSubmit={onSubmit} data-testid="preferences-form">
      <h2>Who I want to meet</h2>
      <fieldset class="field">
        <legend class="field-label">Show me</legend>
        <div class="choices">
          {GENDERS.map(({ value, plural }) => (
            <label key={value} class="choice">
              <input
                type="checkbox"
                name="genders"
                value={value}
                defaultChecked={preferences.genders.includes(value)}
              />
              <span>{plural}</span>
            </label>
          ))}
        </div>
      </fieldset>
      <div class="field-row">
        <Field label="From age">
          <input
            name="minAge"
            type="number"
            min={18}
            max={99}
            required
            defaultValue={String(preferences.minAge)}
          />
        </Field>
        <Field label="To age">
          <input
            name="maxAge"
            type="number"
            min={18}
            max={99}
            required
            defaultValue={String(preferences.maxAge)}
          />
        </Field>
      </div>
      <Field label={`How far: ${distanceWords(STOPS_KM[stop] ?? FARTHEST_KM)}`}>
        <input
          type="range"
          min={0}
          max={STOPS_KM.length - 1}
          value={stop}
          aria-valuetext={distanceWords(STOPS_KM[stop] ?? FARTHEST_KM)}
          onInput={(event) => setStop(Number(event.currentTarget.value))}
        />
      </Field>
      <label class="check">
        <input type="checkbox" name="hideDistance" defaultChecked={preferences.hideDistance} /> Do not show
        others how far I am
      </label>
      <label class="check">
        <input type="checkbox" name="paused" defaultChecked={!me.discoverable} data-testid="pause" /> Show me
        to nobody new for now; matches and calls go on
      </label>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row-end">
        <button type="submit" class="button primary" disabled={busy} data-testid="preferences-save">
          Save
        </button>
      </div>
    </form>
  );
}

function distanceWords(km: number): string {
  return km >= FARTHEST_KM ? 'anywhere' : `up to ${km} km`;
}

function nearestStop(km: number): number {
  const stop = STOPS_KM.findIndex((each) => each >= km);
  return stop === -1 ? STOPS_KM.length - 1 : stop;
}
