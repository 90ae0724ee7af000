import { useEffect, useState } from 'preact/hooks';
import { duet } from '../duet.ts';
import { sayError } from '../store/toasts.ts';

type BlockedPerson = { id: string; displayName: string };

/** Those one does not want to meet again; shown only when there are any. */
export function Blocked() {
  const [people, setPeople] = useState<BlockedPerson[]>([]);
  useEffect(() => {
    duet.people.blocked().then(
      ({ items }) => setPeople(items.flatMap(readPerson)),
      // Not worth a word: the list is a convenience.
      () => setPeople([]),
    );
  }, []);
  if (people.length === 0) return null;
  const unblock = async (person: BlockedPerson) => {
    try {
      await duet.people.unblock(person.id);
      setPeople(people.filter((other) => other.id !== person.id));
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <section class="panel">
      <h2>Blocked</h2>
      <ul class="plain-list">
        {people.map((person) => (
          <li key={person.id}>
            {person.displayName}
            <button type="button" class="link" onClick={() => void unblock(person)}>
              Unblock
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The list may hold people or entries with one in them. */
function readPerson(item: unknown): BlockedPerson[] {
  if (typeof item !== 'object' || item === null) return [];
  const { user, id, userId, displayName } = item as Record<string, unknown>;
  if (typeof user === 'object') return readPerson(user);
  const found = id ?? userId;
  return typeof found === 'string'
    ? [{ id: found, displayName: typeof displayName === 'string' ? displayName : 'Somebody' }]
    : [];
}
