/** People of tests who are signed in: by rows and tokens of the test's own making, or through the doors. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { AccessTokens } from '../../src/accounts/AccessTokens.ts';
import { SystemClock } from '../../src/clock.ts';
import { newId } from '../../src/ids.ts';
import { type Inbox, Person, request } from './client.ts';

/** A running server and the database behind it. */
export interface TestApp {
  readonly url: string;
  readonly dbUrl: string;
}

export interface Profile {
  displayName?: string;
  gender?: string;
  email?: string;
}

export interface Couple {
  ann: Person;
  bob: Person;
  matchId: string;
}

/** A call of theirs, and the rooms in which they hear of it. */
export interface Talk extends Couple {
  callId: string;
  atAnn: Inbox;
  atBob: Inbox;
}

/** The JWT secret of every server of the tests (`TEST_ENVIRONMENT`): it takes the tokens that are signed here. */
export const TOKEN_SECRET = 'a-secret-of-tests-only-0123456789abcdef-0123456789';

/** Of everybody made here. */
export const TEST_PASSWORD = 'correct horse battery';

/** Of TEST_PASSWORD, with the parameters of `src/accounts/hashing.ts`. */
const PASSWORD_HASH =
  '$argon2id$v=19$m=19456,p=1,t=2$zLJoS+pa7MS9cXAsYHJmRA$/TXdySM5MjS9i/p2ecrP4GPNjryTabGqZ7RfiUUQR0k';

const BIRTH_DATE = '1990-05-17';

/** A verified person with a session, whom no password was hashed for: for tests of anything but how people sign in. */
export async function newPerson(app: TestApp, profile: Profile = {}): Promise<Person> {
  const email = profile.email ?? `${newId()}@example.org`;
  const [person] = await insertPeople(app, [email], profile);
  return person!;
}

export function newPeople(
  app: TestApp,
  count: number,
  profile: Omit<Profile, 'email'> = {},
): Promise<Person[]> {
  return insertPeople(
    app,
    Array.from({ length: count }, () => `${newId()}@example.org`),
    profile,
  );
}

/** Two people with a match between them. */
export async function newMatch(app: TestApp): Promise<Couple> {
  const [ann, bob] = (await newPeople(app, 2)) as [Person, Person];
  return { ann, bob, matchId: await match(ann, bob) };
}

/** A mutual like; resolves with the match's id. */
export async function match(one: Person, other: Person): Promise<string> {
  await one.ok('POST', `/matches/like/${other.id}`);
  return (await other.ok('POST', `/matches/like/${one.id}`)).match.id;
}

let registered = 0;

/** Through the doors, as everybody: registers, verifies by the link in the mail, signs in. Costs two hashes. */
export async function registerPerson(url: string, profile: Profile = {}): Promise<Person> {
  registered += 1;
  const email = profile.email ?? `person${process.pid}x${registered}@example.org`;
  await request(url, 'POST', '/api/v1/auth/register', {
    body: {
      email,
      password: TEST_PASSWORD,
      displayName: profile.displayName ?? `Person ${registered}`,
      birthDate: BIRTH_DATE,
      gender: profile.gender ?? 'woman',
    },
  });
  await request(url, 'POST', '/api/v1/auth/verify-email', { body: { token: await mailedToken(url, email) } });
  return signIn(url, email);
}

/** `newMatch` through the doors. */
export async function registerMatch(url: string): Promise<Couple> {
  const [ann, bob] = await Promise.all([registerPerson(url), registerPerson(url)]);
  return { ann, bob, matchId: await match(ann, bob) };
}

/** Signs somebody in who has an account: one session more. */
export async function signIn(url: string, email: string, password = TEST_PASSWORD): Promise<Person> {
  const { body, status } = await request(url, 'POST', '/api/v1/auth/login', { body: { email, password } });
  if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(body)}`);
  return new Person(url, body.user.id, email, body.accessToken);
}

async function insertPeople(app: TestApp, emails: string[], profile: Profile): Promise<Person[]> {
  const people = emails.map((email) => ({ email, id: newId(), sessionId: newId() }));
  const db = new pg.Client(app.dbUrl);
  await db.connect();
  try {
    // Sessions as real as those of a sign-in, for what asks for their rows; nobody has their refresh tokens.
    await db.query(
      `with given as (
         select * from unnest($1::uuid[], $2::uuid[], $3::text[]) as one (id, session_id, email)
       ), person as (
         insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender)
         select id, email, email, now(), $4, $5, $6, $7 from given
       )
       insert into sessions (id, user_id, token_hash, device_id, device_name, address, created_at, last_used_at, expires_at)
       select session_id, id, $8, gen_random_uuid(), 'A test', '127.0.0.1', now(), now(), now() + interval '30 days'
       from given`,
      [
        people.map(({ id }) => id),
        people.map(({ sessionId }) => sessionId),
        emails,
        PASSWORD_HASH,
        profile.displayName ?? 'Somebody',
        BIRTH_DATE,
        profile.gender ?? 'woman',
        randomBytes(32),
      ],
    );
  } finally {
    await db.end();
  }
  const tokens = new AccessTokens({ clock: new SystemClock(), secrets: { current: TOKEN_SECRET } });
  return Promise.all(
    people.map(async ({ id, sessionId, email }) => {
      const { token } = await tokens.sign({ userId: id, sessionId, role: 'user' });
      return new Person(app.url, id, email, token);
    }),
  );
}

/** The token in the newest mail to an address; waits for the mail. */
async function mailedToken(url: string, email: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const { body } = await request(url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
    const token = /[?&]token=([\w.~-]+)/.exec(body.items?.[0]?.text ?? '')?.[1];
    if (token !== undefined) return token;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`no mail came to ${email}`);
}
