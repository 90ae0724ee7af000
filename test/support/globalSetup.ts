import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { Database } from '../../src/db/Database.ts';
import { createLog } from '../../src/log.ts';
import { startEmbeddedPostgres } from '../../src/platform/EmbeddedPostgres.ts';
import { Jobs } from '../../src/platform/Jobs.ts';
import { onServer, withDatabase } from './postgresServer.ts';

/**
 * One PostgreSQL a run: that of DUET_TEST_PG (a postgres:// URL of a superuser), or one of its own in a folder that
 * is deleted afterwards. In it a migrated template, of which each test file gets a copy (`database.ts`).
 */

declare module 'vitest' {
  interface ProvidedContext {
    postgres: { url: string; template: string };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server =
    process.env.DUET_TEST_PG === undefined
      ? await ownServer()
      : { url: process.env.DUET_TEST_PG, close: async () => {} };
  const template = `duet_test_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  await onServer(server.url, `create database ${template}`);
  await migrate(withDatabase(server.url, template));
  project.provide('postgres', { url: server.url, template });
  return async () => {
    await onServer(server.url, `drop database if exists ${template} with (force)`);
    await server.close();
  };
}

async function ownServer(): Promise<{ url: string; close: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'duet-test-pg-'));
  // Nothing of a test has to survive a power cut.
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: 300 };
  const postgres = await startEmbeddedPostgres({ dataDir, log: createLog('silent'), settings });
  return {
    url: postgres.url,
    close: async () => {
      await postgres.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function migrate(url: string): Promise<void> {
  const log = createLog('silent');
  const db = await Database.open({ url, poolSize: 2, log });
  await db.migrate();
  await db.close();
  // The job queue keeps its own schema; it too is made once and copied.
  const jobs = new Jobs({ url, log });
  await jobs.start();
  await jobs.close();
}
