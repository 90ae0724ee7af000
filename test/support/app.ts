import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { App } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { createTestDatabase, DATA_KEY } from './database.ts';
import { TOKEN_SECRET } from './signedIn.ts';

/**
 * What a test's server is started with: limits that no test runs into by accident, a port that is free, and the secret
 * that `signedIn.ts` signs with.
 */
export const TEST_ENVIRONMENT = {
  NODE_ENV: 'test',
  HOST: '127.0.0.1',
  PORT: '0',
  JWT_SECRET: TOKEN_SECRET,
  DATA_KEY,
  LOG_LEVEL: process.env.DUET_TEST_LOG ?? 'silent',
  MEDIA_WORKERS: '1',
  LIMIT_LOGIN: '1000000',
  LIMIT_ANONYMOUS: '1000000',
  LIMIT_BROWSE: '1000000',
  LIMIT_DECIDE: '1000000',
  LIMIT_WRITE: '1000000',
  LIMIT_UPLOAD: '1000000',
  LIMIT_SAFETY: '1000000',
  LIMIT_PROFILES_PER_DAY: '1000000',
  LIMIT_MESSAGES: '100000',
  LIMIT_MEDIA_MESSAGES: '100000',
  LIMIT_SOCKETS_PER_USER: '100000',
  LIMIT_SOCKETS_PER_ADDRESS: '100000',
  LIKES_PER_DAY_REGULAR: '1000000',
};

/**
 * The whole program, in the test's own process, on a database of its own; for the file that calls this. Colyseus
 * knows one server a process, so a file has one. `reach` may put something between the program and its database: it is
 * given the URL and resolves with the one to use.
 */
export function useApp(
  environment: Record<string, string> = {},
  reach: (dbUrl: string) => Promise<string> = async (dbUrl) => dbUrl,
): {
  readonly url: string;
  readonly dbUrl: string;
  /** Where the embedded S3 server keeps its files, among others. */
  readonly dataDir: string;
} {
  let app: App | undefined;
  let cleanUp: (() => Promise<void>) | undefined;
  let dbUrl = '';
  let dataDir = '';
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'duet-test-'));
    const database = await createTestDatabase();
    dbUrl = database.url;
    const config = readConfig({
      ...TEST_ENVIRONMENT,
      ...environment,
      DATA_DIR: dataDir,
      DB_URL: await reach(database.url),
    });
    app = await App.start(config, createLog(config.logLevel));
    cleanUp = async () => {
      await app?.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    };
  });
  afterAll(async () => {
    await cleanUp?.();
  });
  return {
    get url() {
      return app!.url;
    },
    get dbUrl() {
      return dbUrl;
    },
    get dataDir() {
      return dataDir;
    },
  };
}
