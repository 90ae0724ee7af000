import { useEffect, useState } from 'preact/hooks';
import { duet } from '../duet.ts';
import { initial } from '../people/words.ts';
import { sayError } from '../store/toasts.ts';
import { DEMO_PASSWORD, type DemoPerson, demoPeople } from './development.ts';

/** Those who can be tried without an account; in development only. */
export function DemoPeople() {
  const [people, setPeople] = useState<DemoPerson[]>([]);
  const [busy, setBusy] = useState<string | null>(null);
  useEffect(() => void demoPeople().then(setPeople), []);
  if (people.length === 0) return null;
  const enter = async (person: DemoPerson) => {
    setBusy(person.email);
    await duet.auth.login(person.email, DEMO_PASSWORD).catch(sayError);
    setBusy(null);
  };
  return (
    <section class="demo" aria-labelledby="demo-title">
      <h2 id="demo-title">Or be somebody from the demo town</h2>
      <p class="quiet">Open a second window and be somebody else: the two can call each other.</p>
      <ul class="demo-people">
        {people.map((person) => (
          <li key={person.email}>
            <button
              type="button"
              class="demo-person"
              data-testid={`demo-person-${person.email}`}
              disabled={busy !== null}
              aria-busy={busy === person.email}
              onClick={() => void enter(person)}
            >
              <span class="demo-photo">
                {person.thumbnailUrl ? (
                  <img src={person.thumbnailUrl} alt="" loading="lazy" />
                ) : (
                  initial(person.displayName)
                )}
              </span>
              <span class="demo-name">
                {person.displayName} <span class="quiet">{person.age}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
