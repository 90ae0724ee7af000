import { join, resolve } from 'node:path';
import { SystemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { Database } from '../db/Database.ts';
import { InboxHub } from '../events/InboxHub.ts';
import type { Log } from '../log.ts';
import { MemoryBus } from '../platform/Bus.ts';
import { Cache } from '../platform/Cache.ts';
import { DataKeys } from '../platform/DataKeys.ts';
import { startEmbeddedPostgres } from '../platform/EmbeddedPostgres.ts';
import { startEmbeddedS3 } from '../platform/EmbeddedS3.ts';
import { Jobs } from '../platform/Jobs.ts';
import { Limits, limitRules } from '../platform/Limits.ts';
import { localSecrets } from '../platform/localSecrets.ts';
import { Metrics } from '../platform/Metrics.ts';
import { ObjectStore } from '../platform/ObjectStore.ts';
import { RedisBus } from '../platform/RedisBus.ts';
import { failWhileSilent, openRedis, waitUntilReady } from '../platform/redis.ts';

/** Everything below the use cases. */
export type Stores = Awaited<ReturnType<typeof openStores>>;

/** How long the start waits for Redis before it goes on without. */
const REDIS_WAIT_MS = 2_000;

/** Clock, secrets, PostgreSQL, S3, Redis and what rests on nothing else. */
export async function openStores(config: Config, log: Log, closing: AsyncDisposableStack) {
  const dataDir = resolve(config.dataDir);
  const clock = new SystemClock();
  const metrics = new Metrics();
  const given = config.secrets;
  // Production is given its own: the configuration insists.
  const local = config.mode === 'production' ? undefined : localSecrets(dataDir);
  const jwt = given.jwt ?? local!.jwt;
  const secrets = {
    jwt: { current: jwt, previous: given.jwtPrevious },
    vapid: local?.vapid,
  };

  let dbUrl = config.db.url;
  if (dbUrl === undefined) {
    const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres'), log });
    closing.defer(() => postgres.close());
    dbUrl = postgres.url;
  }
  const db = await Database.open({ url: dbUrl, poolSize: config.db.poolSize, log });
  closing.defer(() => db.close());
  await db.migrate();
  const dataKey = given.dataKey ?? local!.dataKey;
  const keys = await DataKeys.open({
    db,
    secrets: { current: dataKey, previous: given.dataKeyPrevious },
    log,
  });
  await clock.calibrate(() => db.sharedEpochMs());

  const redis = config.redisUrl === undefined ? undefined : openRedis(config.redisUrl, log);
  const redisSilence = redis && failWhileSilent(redis);
  if (redis !== undefined) {
    closing.defer(() => redis.disconnect());
    await waitUntilReady(redis, REDIS_WAIT_MS);
  }
  const bus = config.redisUrl === undefined ? new MemoryBus() : new RedisBus({ url: config.redisUrl, log });
  closing.defer(() => bus.close());
  const cache = new Cache({ clock, bus, ...(redis && { store: redis }) });
  closing.defer(() => cache.close());
  const limits = new Limits({ rules: limitRules(config.limits), clock, redis });

  const objects = await openObjects(config, dataDir, clock, closing);
  const jobs = new Jobs({ url: dbUrl, log });
  await jobs.start();
  closing.defer(() => jobs.close());
  const hub = new InboxHub({ db, bus, clock, log });
  return {
    clock,
    metrics,
    secrets,
    keys,
    db,
    redis,
    redisSilence,
    bus,
    cache,
    limits,
    objects,
    jobs,
    hub,
    log,
  };
}

async function openObjects(
  config: Config,
  dataDir: string,
  clock: SystemClock,
  closing: AsyncDisposableStack,
) {
  const { endpoint, region, bucket, accessKeyId = '', secretAccessKey = '' } = config.s3;
  let where = { endpoint, bucket, accessKeyId, secretAccessKey };
  if (endpoint === undefined) {
    const s3 = await startEmbeddedS3({ dataDir: join(dataDir, 's3'), clock });
    closing.defer(() => s3.close());
    where = s3;
  }
  const objects = new ObjectStore({ ...where, region });
  closing.defer(() => objects.close());
  await objects.ensureBucket();
  return objects;
}
