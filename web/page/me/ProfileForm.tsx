import { useState } from 'preact/hooks';
import type { Gender, Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { GENDERS } from '../people/words.ts';
import { Field } from '../shell/Field.tsx';
import { text, useSubmit } from '../shell/useSubmit.ts';
import { reloadDeck } from '../store/deck.ts';
import { takeMe } from '../store/session.ts';
import { say } from '../store/toasts.ts';
import { LocationField, type Place } from './LocationField.tsx';

/** What others read about one. */
export function ProfileForm({ me }: { me: Me }) {
  const [place, setPlace] = useState<Place | undefined>();
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    const changed = await duet.people.updateMe({
      displayName: text(form, 'displayName'),
      gender: text(form, 'gender') as Gender,
      bio: text(form, 'bio'),
      interests: interestsOf(text(form, 'interests')),
      ...(place !== undefined && { location: place }),
    });
    takeMe(changed);
    say('Saved.');
    if (place !== undefined) void reloadDeck();
    setPlace(undefined);
  });
  return (
    <form class="panel" onSubmit={onSubmit} data-testid="profile-form">
      <h2>Profile</h2>
      <div class="field-row">
        <Field label="First name">
          <input name="displayName" required maxLength={50} defaultValue={me.displayName} />
        </Field>
        <Field label="I am a">
          <select name="gender" defaultValue={me.gender}>
            {GENDERS.map(({ value, label }) => (
              <option key={value} value={value} selected={value === me.gender}>
                {label}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <Field label="About me" hint="What would you like to talk about?">
        <textarea name="bio" rows={4} maxLength={500} defaultValue={me.bio} />
      </Field>
      <Field label="Interests" hint="Separated by commas.">
        <input name="interests" defaultValue={me.interests.join(', ')} />
      </Field>
      <LocationField known={me.location !== null} place={place} onChange={setPlace} />
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row-end">
        <button type="submit" class="button primary" disabled={busy} data-testid="profile-save">
          Save profile
        </button>
      </div>
    </form>
  );
}

function interestsOf(line: string): string[] {
  const all = line.split(',').map((interest) => interest.trim());
  return [...new Set(all.filter((interest) => interest !== ''))];
}
