import { useEffect, useState } from 'preact/hooks';
import type { BlockedPerson } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { dayText } from '../people/words.ts';
import { reloadDeck } from '../store/deck.ts';
import { sayError } from '../store/toasts.ts';

const MOST = 100;

/** Those one does not want to meet again; shown only when there are any. */
export function Blocked() {
  const [people, setPeople] = useState<BlockedPerson[]>([]);
  useEffect(() => {
    duet.people.blocked({ limit: MOST }).then(
      ({ items }) => setPeople(items),
      // Not worth a word: the list is a convenience.
      () => setPeople([]),
    );
  }, []);
  if (people.length === 0) return null;
  const unblock = async (person: BlockedPerson) => {
    try {
      await duet.people.unblock(person.id);
      setPeople((now) => now.filter((other) => other.id !== person.id));
      void reloadDeck();
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <section class="panel" data-testid="blocked">
      <h2>Blocked</h2>
      <ul class="plain-list">
        {people.map((person) => (
          <li key={person.id} data-user-id={person.id}>
            <span>
              {person.displayName} <small class="quiet">{dayText(person.blockedAt)}</small>
            </span>
            <button
              type="button"
              class="link"
              aria-label={`Unblock ${person.displayName}`}
              data-testid="unblock"
              onClick={() => void unblock(person)}
            >
              Unblock
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
