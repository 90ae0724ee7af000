import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { SystemClock } from '../../src/clock.ts';
import type { Database } from '../../src/db/Database.ts';
import { sql } from '../../src/db/sql.ts';
import type { StoredEvent } from '../../src/events/outbox.ts';
import { newId } from '../../src/ids.ts';
import { createLog } from '../../src/log.ts';
import { Decisions } from '../../src/matching/decisions.ts';
import { Discovery } from '../../src/people/Discovery.ts';
import { People } from '../../src/people/People.ts';
import { PhotoLinks } from '../../src/people/PhotoLinks.ts';
import { Photos } from '../../src/people/Photos.ts';
import { Places } from '../../src/people/Places.ts';
import { ShowCounts } from '../../src/people/ShowCounts.ts';
import { MemoryBus } from '../../src/platform/Bus.ts';
import { Cache } from '../../src/platform/Cache.ts';
import type { DataKeys } from '../../src/platform/DataKeys.ts';
import { type EmbeddedS3, startEmbeddedS3 } from '../../src/platform/EmbeddedS3.ts';
import { ObjectStore } from '../../src/platform/ObjectStore.ts';
import { Blocks } from '../../src/safety/Blocks.ts';
import { Reports } from '../../src/safety/Reports.ts';
import { openDataKeys, useDatabase } from './database.ts';

/** The use cases of people over a real database and a real S3 protocol, and ways to make people. */

export interface NewPerson {
  displayName?: string;
  gender?: 'woman' | 'man' | 'nonbinary';
  birthDate?: string;
  verified?: boolean;
  status?: 'active' | 'suspended' | 'banned' | 'deleted';
  tier?: 'regular' | 'premium';
  interests?: string[];
}

export type PeopleWorld = ReturnType<typeof construct>;

const insertPerson = sql(
  'test-insert-person',
  `insert into users (id, email, email_key, email_verified_at, password_hash, display_name, birth_date, gender, status, tier, interests)
   values ($1, $2, $2, $3, 'none', $4, $5, $6, $7, $8, $9)`,
);

export const SECRET = 'a secret of the tests that is long enough';

/** A world for the test file that calls this. */
export function usePeople(
  options: { poolSize?: number; likesPerDay?: number; prepare?: (url: string) => Promise<void> } = {},
): {
  readonly world: PeopleWorld;
} {
  const database = useDatabase({ poolSize: options.poolSize ?? 10, prepare: options.prepare });
  let world: PeopleWorld | undefined;
  let s3: TestS3 | undefined;
  beforeAll(async () => {
    s3 = await startTestS3();
    const keys = await openDataKeys(database.db);
    world = construct(database.db, s3.openStore(), options.likesPerDay ?? 100_000, keys);
  });
  afterAll(async () => {
    await world?.close();
    await s3?.stop();
  });
  return {
    get world() {
      return world!;
    },
  };
}

function construct(db: Database, store: ObjectStore, likesPerDay: number, keys: DataKeys) {
  const clock = new SystemClock();
  const log = createLog('silent');
  const bus = new MemoryBus();
  const cache = new Cache({ clock, bus });
  const links = new PhotoLinks({ clock, secret: SECRET, publicUrl: () => 'http://duet.test' });
  const places = new Places({ secret: SECRET, movesPerDay: 20 });
  const photos = new Photos({
    db,
    store,
    links,
    clock,
    onChange: (userId) => cache.forget('person', [userId]),
  });
  const open = keys.open.bind(keys);
  const people = new People({ db, clock, cache, photos, places, open });
  const shows = new ShowCounts({ db, clock, log });
  const discovery = new Discovery({ db, clock, cache, people, shows });
  const published: StoredEvent[] = [];
  const decisionOptions = {
    db,
    clock,
    match: { acceptMs: 86_400_000, warningMs: 3_600_000 },
    likesPerDay: { regular: likesPerDay, premium: likesPerDay * 10 },
    publish: (events: readonly StoredEvent[]) => void published.push(...events),
  };
  const decisions = new Decisions(decisionOptions);
  const severed: [string, string][] = [];
  const blocks = new Blocks({
    db,
    clock,
    pairSevered: async (one, other) => {
      severed.push([one, other]);
    },
    forgetCandidates: (ids) => cache.forget('candidates', ids),
  });
  const reports = new Reports({ db, clock, keys, blocks, onReport: async () => {} });
  return {
    db,
    clock,
    log,
    bus,
    cache,
    store,
    links,
    places,
    photos,
    keys,
    open,
    people,
    shows,
    discovery,
    decisions,
    /** For another process's decisions on the same database. */
    decisionOptions,
    blocks,
    reports,
    published,
    severed,
    person: (person: NewPerson = {}) => makePerson(db, person),
    persons: async (count: number, person: NewPerson = {}) => {
      const ids: string[] = [];
      // A few at a time: a thousand inserts at once would wait too long for a connection.
      while (ids.length < count) {
        const some = Math.min(count - ids.length, 8);
        ids.push(...(await Promise.all(Array.from({ length: some }, () => makePerson(db, person)))));
      }
      return ids;
    },
    async close() {
      await decisions.close();
      await shows.close();
      cache.close();
      store.close();
    },
  };
}

/** An S3 server on a free port with a folder of its own. */
export interface TestS3 {
  server: EmbeddedS3;
  openStore(options?: { timeoutMs?: number }): ObjectStore;
  stop(): Promise<void>;
}

export async function startTestS3(): Promise<TestS3> {
  const dataDir = await mkdtemp(join(tmpdir(), 'duet-test-s3-'));
  const server = await startEmbeddedS3({ dataDir });
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  return {
    server,
    openStore: (options = {}) =>
      new ObjectStore({
        endpoint,
        region: 'us-east-1',
        bucket,
        accessKeyId,
        secretAccessKey,
        timeoutMs: 4_000,
        ...options,
      }),
    async stop() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A verified, active person of 30, unless told otherwise. */
export async function makePerson(db: Database, person: NewPerson = {}): Promise<string> {
  const id = newId();
  await db.query(insertPerson, [
    id,
    `${id}@duet.test`,
    person.verified === false ? null : new Date(),
    person.displayName ?? 'Robin',
    person.birthDate ?? `${new Date().getUTCFullYear() - 30}-01-01`,
    person.gender ?? 'woman',
    person.status ?? 'active',
    person.tier ?? 'regular',
    person.interests ?? [],
  ]);
  return id;
}
