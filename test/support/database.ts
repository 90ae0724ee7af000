import pg from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';
import { Database } from '../../src/db/Database.ts';
import { createLog } from '../../src/log.ts';
import { DataKeys } from '../../src/platform/DataKeys.ts';
import { onServer, withDatabase } from './postgresServer.ts';

export interface TestDatabase {
  /** postgres:// URL of a migrated, empty database that nobody else has. */
  url: string;
  drop(): Promise<void>;
}

/** Copies the run's migrated template: some 50 ms. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, template } = inject('postgres');
  const name = `${template}_${Math.random().toString(36).slice(2, 10)}`;
  await onServer(url, `create database ${name} template ${template}`);
  return {
    url: withDatabase(url, name),
    drop: async () => {
      await onServer(url, `drop database if exists ${name} with (force)`);
    },
  };
}

/**
 * A database for the test file that calls this, opened before its tests and dropped after them. The `Database` and
 * its URL are there from the first `beforeAll` on. `prepare` is done to it before anything of the program connects.
 */
export function useDatabase(options: { poolSize?: number; prepare?: (url: string) => Promise<void> } = {}): {
  readonly db: Database;
  readonly url: string;
} {
  let made: TestDatabase | undefined;
  let opened: Database | undefined;
  beforeAll(async () => {
    made = await createTestDatabase();
    await options.prepare?.(made.url);
    opened = await openDatabase(made.url, options.poolSize);
  });
  afterAll(async () => {
    await opened?.close();
    await made?.drop();
  });
  return {
    get db() {
      return opened!;
    },
    get url() {
      return made!.url;
    },
  };
}

/** A pool on a test's database, with time-outs that a busy machine keeps. */
export function openDatabase(url: string, poolSize = 10): Promise<Database> {
  const patience = { connectionTimeoutMs: 20_000, statementTimeoutMs: 20_000 };
  return Database.open({ url, poolSize, log: createLog('silent'), ...patience });
}

/** The `DATA_KEY` of every server of the tests: several may share a database. */
export const DATA_KEY = 'a-data-key-of-tests-only-0123456789abcdef-01234567';

export function openDataKeys(db: Database): Promise<DataKeys> {
  return DataKeys.open({ db, secrets: { current: DATA_KEY }, log: createLog('silent') });
}

/**
 * From the next connection on, `clock_timestamp()` (or `now()`) in a database is what `expression` says, in terms of the
 * column `ms` of `test_clock`, which is 0 at first.
 */
export async function replaceClock(
  url: string,
  expression: string,
  clock: 'clock_timestamp' | 'now' = 'clock_timestamp',
): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`
    create table test_clock (ms float8);
    insert into test_clock values (0);
    create function public.${clock}() returns timestamptz language sql ${clock === 'now' ? 'stable' : 'volatile'}
      as $body$ select ${expression} from public.test_clock $body$;
    do $$ begin
      execute format('alter database %I set search_path = public, pg_catalog', current_database());
    end $$`);
  await client.end();
}
