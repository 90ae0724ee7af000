import { readdir } from 'node:fs/promises';
import pg from 'pg';
import { newId } from '../../src/ids.ts';
import { type Json, type Person, request } from './client.ts';
import { picture } from './images.ts';
import { match, newPerson, registerPerson, TEST_PASSWORD, type TestApp } from './signedIn.ts';

/** A person of whom something is held in every table, and what was held. */
export interface FullLife {
  ann: Person;
  bob: Person;
  matchId: string;
  callId: string;
  reportId: string;
}

/** Lets somebody live: photos, a place, decisions, a block, a report, a call that is still on, and all that comes with it. */
export async function liveFully(app: TestApp, db: pg.Client): Promise<FullLife> {
  const [ann, bob, other] = await Promise.all([registerPerson(app.url), newPerson(app), newPerson(app)]);
  const matchId = await match(ann, bob);
  await uploadPhoto(ann, 1);
  await ann.ok('PUT', '/users/me', { bio: 'A life', location: { lat: 52.52, lon: 13.405 } });
  await bob.ok('PUT', '/users/me', { location: { lat: 52.52, lon: 13.405 } });
  await ann.ok('GET', '/users/discovery');
  await bob.ok('GET', '/users/discovery');
  const headers = { 'idempotency-key': newId() };
  await ann.call('POST', `/matches/dislike/${other.id}`, undefined, headers);
  await ann.ok('POST', `/users/block/${other.id}`);
  await request(app.url, 'POST', '/api/v1/auth/forgot-password', { body: { email: ann.email } });
  await ann.inbox();
  const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await bob.ok('POST', `/calls/${call.id}/answer`, {});
  const { reportId } = await bob.ok('POST', `/users/report/${ann.id}`, {
    reason: 'rude',
    callId: call.id,
    block: false,
  });
  await ann.ok('POST', `/users/report/${bob.id}`, { reason: 'rude as well', block: false });
  // What would need a push service, a second registrant, a day of being shown, and a mail that was sent.
  await db.query(
    `insert into push_subscriptions (endpoint, user_id, p256dh, auth) values ($1, $2, 'x', 'y')`,
    [`https://push.example/${ann.id}`, ann.id],
  );
  await db.query(
    `insert into registrations (id, user_id, first, email, password_hash, display_name, birth_date, gender, created_at)
     values ($1, $2, false, 'x@example.org', 'x', 'X', '1990-01-01', 'man', now())`,
    [newId(), ann.id],
  );
  await db.query(
    `insert into show_counts (user_id, day, shows) values ($1, current_date, 1) on conflict do nothing`,
    [ann.id],
  );
  return { ann, bob, matchId, callId: call.id, reportId };
}

export async function uploadPhoto(person: Person, seed: number): Promise<Json> {
  const response = await fetch(`${person.url}/api/v1/users/me/photos`, {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg', authorization: `Bearer ${person.token}` },
    body: new Uint8Array(await picture(seed)),
  });
  if (response.status !== 201) throw new Error(`upload: ${response.status} ${await response.text()}`);
  return response.json();
}

export function deleteAccount(person: Person, password = TEST_PASSWORD) {
  return person.call('DELETE', '/users/me', { password });
}

/** Every table of the product, partitions left out. */
export async function tablesOf(db: pg.Client): Promise<string[]> {
  const { rows } = await db.query(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
  );
  return rows.map((row) => row.name);
}

/** In which tables some row mentions `text`, in whichever column. */
export async function tablesThatMention(db: pg.Client, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const table of await tablesOf(db)) {
    const { rows } = await db.query(
      `select exists (select from ${table} t where position($1 in t::text) > 0) as found`,
      [text],
    );
    if (rows[0].found) found.push(table);
  }
  return found;
}

/** The files of photos below a folder of the embedded S3 server. */
export async function photoFiles(dataDir: string): Promise<string[]> {
  const files = await readdir(`${dataDir}/s3/buckets`, { recursive: true });
  return files.filter((file) => file.endsWith('.webp'));
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  return client;
}
