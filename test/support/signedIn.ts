import pg from 'pg';
import { AccessTokens } from '../../src/accounts/AccessTokens.ts';
import { SystemClock } from '../../src/clock.ts';
import { newId } from '../../src/ids.ts';
import { Person } from './client.ts';

/** The JWT secret of a server whose people are made by `signedIn`: `useApp({ JWT_SECRET: TOKEN_SECRET })`. */
export const TOKEN_SECRET = 'a-secret-of-tests-only-0123456789abcdef-0123456789';

/** Of "correct horse battery". */
const PASSWORD_HASH =
  '$argon2id$v=19$m=19456,p=1,t=2$zLJoS+pa7MS9cXAsYHJmRA$/TXdySM5MjS9i/p2ecrP4GPNjryTabGqZ7RfiUUQR0k';

/**
 * Verified people of 36, signed in by tokens of the server's own making: for tests that need many, or whose subject is
 * not how people sign in.
 */
export async function signedIn(
  app: { url: string; dbUrl: string },
  count: number,
  given: { displayName?: string; gender?: string } = {},
): Promise<Person[]> {
  const ids = Array.from({ length: count }, () => newId());
  const db = new pg.Client(app.dbUrl);
  await db.connect();
  await db.query(
    `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
     select id, id || '@example.org', id || '@example.org', now(), $4, $2, '1990-01-01', $3
     from unnest($1::uuid[]) as given (id)`,
    [ids, given.displayName ?? 'Somebody', given.gender ?? 'woman', PASSWORD_HASH],
  );
  await db.end();
  const tokens = new AccessTokens({ clock: new SystemClock(), secrets: { current: TOKEN_SECRET } });
  return Promise.all(
    ids.map(async (id) => {
      const { token } = await tokens.sign({ userId: id, sessionId: newId(), role: 'user' });
      return new Person(app.url, id, `${id}@example.org`, token);
    }),
  );
}

/** A mutual like; resolves with the match's id. */
export async function match(one: Person, other: Person): Promise<string> {
  await one.ok('POST', `/matches/like/${other.id}`);
  return (await other.ok('POST', `/matches/like/${one.id}`)).match.id;
}
