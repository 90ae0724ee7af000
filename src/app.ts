/**
 * The program put together: every `new` of a service stands here, in the order in which things need each other, and
 * each says at once how it is closed. What is above gets what is below through its constructor.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { LocalPresence } from '@colyseus/core';
import { RedisDriver } from '@colyseus/redis-driver';
import type { RoomServices } from '../rooms/services.ts';
import { AccessTokens } from './accounts/AccessTokens.ts';
import { AccountMails } from './accounts/AccountMails.ts';
import { Accounts } from './accounts/Accounts.ts';
import { Audit } from './accounts/Audit.ts';
import { addressKey } from './accounts/caller.ts';
import { Devices } from './accounts/Devices.ts';
import { EmailTokens } from './accounts/EmailTokens.ts';
import { emailKey } from './accounts/emailKey.ts';
import { Forgetting } from './accounts/Forgetting.ts';
import { PasswordChange } from './accounts/PasswordChange.ts';
import { Passwords } from './accounts/Passwords.ts';
import { RefreshTokens } from './accounts/RefreshTokens.ts';
import { Revocations } from './accounts/Revocations.ts';
import { Sessions } from './accounts/Sessions.ts';
import { SignUp } from './accounts/SignUp.ts';
import { Actors } from './actors/Actors.ts';
import { CalmPresence } from './actors/CalmPresence.ts';
import { localRoom } from './actors/colyseus.ts';
import { Keeper } from './actors/Keeper.ts';
import { RoomListings } from './actors/RoomListings.ts';
import { CallStore } from './calling/CallStore.ts';
import { Calls } from './calling/Calls.ts';
import { presentEvent } from './calling/presentEvent.ts';
import { SystemClock, sleep } from './clock.ts';
import type { Config } from './config.ts';
import { Database } from './db/Database.ts';
import { DuetError } from './errors.ts';
import { InboxHub } from './events/InboxHub.ts';
import type { StoredEvent } from './events/outbox.ts';
import { PushMirror } from './events/PushMirror.ts';
import { dropOldEvents } from './events/retention.ts';
import { Idempotency } from './http/Idempotency.ts';
import { Router } from './http/router.ts';
import { loadStaticFiles } from './http/staticFiles.ts';
import type { Log } from './log.ts';
import { Decisions } from './matching/decisions.ts';
import { Matches } from './matching/Matches.ts';
import { MatchLists } from './matching/MatchLists.ts';
import { MediaWorkers } from './media/MediaWorkers.ts';
import { Activity } from './people/Activity.ts';
import { Discovery } from './people/Discovery.ts';
import { People } from './people/People.ts';
import { PeopleUpkeep } from './people/PeopleUpkeep.ts';
import { PhotoLinks } from './people/PhotoLinks.ts';
import { Photos } from './people/Photos.ts';
import { Places } from './people/Places.ts';
import { ShowCounts } from './people/ShowCounts.ts';
import { MemoryBus } from './platform/Bus.ts';
import { Cache } from './platform/Cache.ts';
import { startEmbeddedPostgres } from './platform/EmbeddedPostgres.ts';
import { startEmbeddedS3 } from './platform/EmbeddedS3.ts';
import { Jobs } from './platform/Jobs.ts';
import { Limits, limitRules } from './platform/Limits.ts';
import { localSecrets } from './platform/localSecrets.ts';
import { Mailbox } from './platform/Mailbox.ts';
import { SmtpMailer } from './platform/Mailer.ts';
import { Metrics } from './platform/Metrics.ts';
import { ObjectStore } from './platform/ObjectStore.ts';
import { RedisBus } from './platform/RedisBus.ts';
import { openRedis, waitUntilReady } from './platform/redis.ts';
import { WebPush } from './platform/WebPush.ts';
import { Blocks } from './safety/Blocks.ts';
import { Reports } from './safety/Reports.ts';
import { seedDemoTown } from './seed/DemoTown.ts';
import { closeRooms, listen, prepareRooms, routes } from './server.ts';
import { HardenedTransport } from './transport/HardenedTransport.ts';

/** The built page. */
const PAGE_DIR = resolve(import.meta.dirname, '../web/dist');
/** Where the links in mails lead. */
const MAIL_PAGES = ['/verify-email', '/reset-password', '/forgot-password'];
/** How long the start waits for Redis before it goes on without. */
const REDIS_WAIT_MS = 2_000;
/** How long the process may wait for one check of its readiness. */
const CHECK_MS = 1_000;

/** Everything below the doors. */
type Stores = Awaited<ReturnType<typeof openStores>>;
type AccountServices = Awaited<ReturnType<typeof openAccounts>>;
type PeopleServices = ReturnType<typeof openPeople>;

export class App {
  readonly url: string;
  readonly #closing: AsyncDisposableStack;
  readonly #drain: (deadlineMs: number) => Promise<void>;

  private constructor(
    url: string,
    closing: AsyncDisposableStack,
    drain: (deadlineMs: number) => Promise<void>,
  ) {
    this.url = url;
    this.#closing = closing;
    this.#drain = drain;
  }

  /** Starts everything and listens. Throws when something cannot be had; what was started by then is closed. */
  static async start(config: Config, log: Log): Promise<App> {
    await using closing = new AsyncDisposableStack();
    const site = { url: config.publicUrl ?? `http://${config.host}:${config.port}` };
    const stores = await openStores(config, log, closing);
    const accounts = await openAccounts(config, stores, site, closing);
    const people = openPeople(config, stores, site, closing);
    if (config.seedDemo)
      await seedDemoTown({
        ...stores,
        ...people,
        hashPassword: accounts.passwords.hash.bind(accounts.passwords),
        emailKey,
      });
    const app = await openDoors(config, stores, accounts, people, site, closing);
    return new App(site.url, closing.move(), app.drain);
  }

  /** Takes no new calls and resolves when the running ones are over, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    return this.#drain(deadlineMs);
  }

  async close(): Promise<void> {
    await this.#closing.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Clock, secrets, PostgreSQL, S3, Redis and what rests on nothing else. */
async function openStores(config: Config, log: Log, closing: AsyncDisposableStack) {
  const dataDir = resolve(config.dataDir);
  const clock = new SystemClock();
  const metrics = new Metrics();
  const given = config.secrets;
  // Production is given its own: the configuration insists.
  const local = config.mode === 'production' ? undefined : localSecrets(dataDir);
  const jwt = given.jwt ?? local!.jwt;
  const secrets = {
    jwt: { current: jwt, previous: given.jwtPrevious },
    dataKey: given.dataKey ?? local!.dataKey,
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
  await clock.calibrate(() => db.epochMs());

  const redis = config.redisUrl === undefined ? undefined : openRedis(config.redisUrl, log);
  if (redis !== undefined) {
    closing.defer(() => redis.disconnect());
    await waitUntilReady(redis, REDIS_WAIT_MS);
  }
  const bus = config.redisUrl === undefined ? new MemoryBus() : new RedisBus({ url: config.redisUrl, log });
  closing.defer(() => bus.close());
  const cache = new Cache({ clock, bus, ...(redis && { store: redis }) });
  closing.defer(() => cache.close());
  const limits = new Limits({ rules: limitRules(config.limits), redis });

  const objects = await openObjects(config, dataDir, clock, closing);
  const jobs = new Jobs({ url: dbUrl, log });
  await jobs.start();
  closing.defer(() => jobs.close());
  const hub = new InboxHub({ db, bus, log });
  return { clock, metrics, secrets, db, redis, bus, cache, limits, objects, jobs, hub, log };
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

/** Who people are: sign-up, sign-in, sessions. */
async function openAccounts(
  config: Config,
  stores: Stores,
  site: { url: string },
  closing: AsyncDisposableStack,
) {
  const { clock, db, bus, limits, jobs, log } = stores;
  const secrets = stores.secrets.jwt;
  const passwords = await Passwords.open();
  closing.defer(() => passwords.close());
  const accessTokens = new AccessTokens({ clock, secrets });
  const refreshTokens = new RefreshTokens(secrets);
  const revocations = new Revocations({ db, bus, clock, log });
  await revocations.start();
  closing.defer(() => revocations.close());
  const audit = new Audit({ clock, secrets });
  const devices = new Devices(secrets);
  const emailTokens = new EmailTokens({ clock });
  const mailbox =
    config.mail.smtpUrl === undefined ? new Mailbox({ db, clock, secrets, keyOf: emailKey }) : undefined;
  const mailer = mailbox ?? new SmtpMailer({ url: config.mail.smtpUrl!, from: config.mail.from });
  closing.defer(() => mailer.close());
  const mails = new AccountMails({ db, jobs, mailer, emailTokens, publicUrl: () => site.url });
  await mails.start();
  const sessions = new Sessions({ db, clock, accessTokens, refreshTokens, revocations, audit, mails });
  const accounts = new Accounts({
    db,
    clock,
    limits,
    passwords,
    accessTokens,
    sessions,
    revocations,
    devices,
    mails,
    audit,
  });
  const signUp = new SignUp({ db, clock, limits, passwords, sessions, emailTokens, mails, audit });
  const passwordChange = new PasswordChange({
    db,
    clock,
    limits,
    accounts,
    passwords,
    sessions,
    emailTokens,
    mails,
    audit,
  });
  const forgetting = new Forgetting({ db, clock, log, sessions, emailTokens, devices });
  forgetting.start();
  closing.defer(() => forgetting.close());
  return { accounts, signUp, passwordChange, refreshTokens, revocations, mailbox, passwords };
}

/** Who people are to each other: profiles, photos, discovery. */
function openPeople(config: Config, stores: Stores, site: { url: string }, closing: AsyncDisposableStack) {
  const { clock, db, cache, objects, secrets, log, hub } = stores;
  const secret = secrets.dataKey;
  const places = new Places({ secret });
  const links = new PhotoLinks({ clock, secret, publicUrl: () => site.url });
  const photos: Photos = new Photos({
    db,
    store: objects,
    links,
    clock,
    onChange: (userId) => people.changed(userId, { candidates: true }),
  });
  const people: People = new People({ db, clock, cache, photos, places });
  const shows = new ShowCounts({ db, clock, log });
  closing.defer(() => shows.close());
  const activity = new Activity({ db, clock, log });
  closing.defer(() => activity.close());
  const upkeep = new PeopleUpkeep({ db, store: objects, clock, log });
  upkeep.start();
  closing.defer(() => upkeep.close());
  const discovery = new Discovery({ db, clock, cache, people, shows });
  const matchLists = new MatchLists({ db, cache, cards: people.cards.bind(people) });
  const decisions = new Decisions({
    db,
    clock,
    match: config.match,
    likesPerDay: config.likesPerDay,
    publish: (events) => {
      matchLists.heed(events);
      hub.publish(events);
    },
  });
  closing.defer(() => decisions.close());
  return { people, matchLists, photos, discovery, decisions, places, activity };
}

/** Matches, calls, their actors and media, and the two doors. */
async function openDoors(
  config: Config,
  stores: Stores,
  accounts: AccountServices,
  { people, matchLists, photos, discovery, decisions, activity }: PeopleServices,
  site: { url: string },
  closing: AsyncDisposableStack,
) {
  const { clock, db, hub, log, limits, metrics, cache } = stores;
  const push = openPush(config, stores);
  const publish = (events: readonly StoredEvent[]) => {
    matchLists.heed(events);
    hub.publish(events);
    push?.mirror(events);
  };
  const cards = people.cards.bind(people);
  const media = await MediaWorkers.start({
    count: config.media.workers ?? availableParallelism(),
    listenIp: config.media.listenAddress,
    announcedAddress: config.media.announcedAddress,
    basePort: config.media.port,
    onWorkerLost: ({ cause }) => metrics.workerLost(cause),
    log,
    clock,
  });
  closing.defer(() => media.close());

  const callStore = new CallStore(db, config.call);
  const publicAddress = config.processAddress ?? (config.publicUrl && new URL(config.publicUrl).host);
  const actors = new Actors({
    calls: callStore,
    clock,
    log,
    ...(publicAddress !== undefined && { publicAddress }),
  });
  const calls = new Calls({
    db,
    clock,
    settings: config.call,
    matchSettings: config.match,
    turn: config.turn,
    publish,
  });
  const matches: Matches = new Matches({
    db,
    clock,
    settings: config.match,
    cards,
    publish,
    onChanged: (userIds) => matchLists.changed(userIds),
    onClosed: async (matchId) => {
      const call = await calls.liveOf(matchId);
      if (call !== undefined) await actors.callCommand(call.id, { command: { type: 'sever' } });
    },
  });
  const blocks = new Blocks({
    db,
    clock,
    pairSevered: (oneId, otherId) => matches.sever(oneId, otherId),
    forgetCandidates: (userIds) => cache.forget('candidates', [...userIds]),
  });
  const reports = new Reports({ db, clock, blocks });
  const idempotency = new Idempotency(db);
  const keeper = new Keeper({
    db,
    calls: callStore,
    clock,
    log,
    tickMatch: (matchId) => matches.system(matchId, { type: 'tick' }),
    activateCall: (callId) => actors.activateCall(callId),
    reconcileInboxes: () => hub.reconcile(),
    dropOld: async () => {
      await Promise.all([dropOldEvents(db), idempotency.dropOld()]);
    },
  });
  closing.defer(() => keeper.close());

  const names = ownNames(config);
  const allowedOrigins = () => new Set([site.url, ...names, ...config.allowedOrigins]);
  const transport = new HardenedTransport({
    findRoom: localRoom,
    allowedOrigins: { has: (origin) => allowedOrigins().has(origin) },
    trustedProxies: config.trustedProxies,
    socketLimits: config.socketLimits,
    userOf: (token) => {
      try {
        return accounts.accounts.authenticateToken(token).userId;
      } catch {
        // The room refuses the token, with words; here it only counts for nobody.
        return undefined;
      }
    },
    addressKey,
    log,
    clock,
  });
  closing.defer(() => transport.close());
  const router = new Router(
    {
      authenticate: (authorization) => {
        const principal = accounts.accounts.authenticate(authorization);
        activity.seen(principal.userId);
        return principal;
      },
      limit: (limit, caller) =>
        limit === 'none' || limit === 'login' ? undefined : countRequest(limits, limit, caller),
      observe: (route, status, durationMs) => metrics.request(route, status, durationMs),
      log,
      clock,
    },
    {
      allowedOrigins: config.allowedOrigins,
      trustedProxies: config.trustedProxies,
      bodyCapBytes: 64 * 1024,
      slowBodyMs: 10_000,
      checkResponses: config.mode !== 'production',
      hsts: config.mode === 'production',
    },
  );
  closing.defer(() => router.close());
  let draining = false;
  const services: RoomServices = {
    identify: async (token) => {
      const principal = accounts.accounts.authenticateToken(token);
      activity.seen(principal.userId);
      return principal;
    },
    isRevoked: (sessionId) => accounts.revocations.has(sessionId),
    onRevoked: (listener) => accounts.revocations.onRevoked(listener),
    actors,
    keeper,
    calls,
    callStore,
    callSettings: config.call,
    matches,
    matchSettings: config.match,
    publish,
    hub,
    present: (event) => presentEvent({ matches, cards }, event),
    createMedia: (options) => media.createCall(options),
    observeQuality: (heard) => metrics.callQuality(heard),
    clock,
    log,
    limits: config.limits,
    ...(publicAddress !== undefined && { publicAddress }),
  };
  const mirror = stores.redis && new RedisDriver(stores.redis);
  const driver = new RoomListings({ clock, ...(mirror && { mirror }) });
  closing.defer(() => driver.shutdown());
  const presence = stores.redis === undefined ? new LocalPresence() : new CalmPresence(stores.redis);
  closing.defer(() => presence.shutdown());
  const server = { transport, router, services, presence, driver, host: config.host, port: config.port };
  await prepareRooms(server);
  closing.defer(() => closeRooms());
  metrics.gauges({
    sockets: () => transport.socketCount,
    calls: () => keeper.heldCount,
    mediaWorkers: () => media.health.alive,
    passwordVerifications: () => accounts.passwords.verifications,
  });
  router.add(
    routes({
      idempotency,
      push,
      pushHosts: config.push.hosts,
      ...accounts,
      clock,
      allowedOrigins: config.allowedOrigins,
      me: people.me.bind(people),
      people,
      photos,
      discovery,
      decisions,
      blocks,
      reports,
      matchView: matches.view.bind(matches),
      matches,
      matchLists,
      calls,
      actors,
      metrics,
      hasDemoTown: config.seedDemo,
      assertAcceptingCalls: () => {
        if (draining) throw new DuetError('UNAVAILABLE');
      },
      readiness: async () => {
        const checks = await readinessChecks(stores, media);
        const down = Object.values(checks).includes('down');
        return { status: draining ? 'draining' : down ? 'down' : 'ready', checks };
      },
    }),
  );
  if (existsSync(PAGE_DIR))
    router.addFiles(loadStaticFiles(PAGE_DIR, { pages: MAIL_PAGES, imageOrigins: names }));
  const port = await listen(server);
  if (config.publicUrl === undefined) site.url = `http://${config.host}:${port}`;
  keeper.start();

  const drain = async (deadlineMs: number) => {
    draining = true;
    actors.drain();
    const until = clock.now() + deadlineMs;
    while (keeper.heldCount > 0 && clock.now() < until) await sleep(clock, 200);
  };
  return { drain };
}

/** In development people type `localhost` as well as the address: the page works under both names. */
function ownNames({ publicUrl, port }: Config): string[] {
  return publicUrl === undefined ? [`http://127.0.0.1:${port}`, `http://localhost:${port}`] : [];
}

/** Push, where there are keys for it: made in development, given in production or left out. */
function openPush(config: Config, { db, clock, log, secrets }: Stores): PushMirror | undefined {
  const { publicKey, privateKey, subject } = config.push;
  const vapid = publicKey && privateKey ? { publicKey, privateKey } : secrets.vapid;
  return vapid && new PushMirror({ db, clock, log, push: new WebPush({ vapid, subject }) });
}

function countRequest(
  limits: Limits,
  limit: 'anonymous' | 'browse' | 'decide' | 'write' | 'upload',
  caller: { userId: string | undefined; address: string },
): Promise<void> {
  // `address` is worked out when it is read, and is dear: only who is not signed in is counted by it.
  return limits.consume(limit, caller.userId ?? addressKey(caller.address));
}

async function readinessChecks({ db, redis, objects }: Stores, media: MediaWorkers) {
  const check = async (ask: () => Promise<unknown>): Promise<'up' | 'down'> => {
    const late = new Promise<'down'>((resolve) => setTimeout(resolve, CHECK_MS, 'down').unref());
    return Promise.race([
      ask().then(
        () => 'up' as const,
        () => 'down' as const,
      ),
      late,
    ]);
  };
  const [database, store, bus] = await Promise.all([
    check(() => db.epochMs()),
    check(() => objects.check()),
    check(async () => redis?.ping()),
  ]);
  const mediaUp = media.health.alive > 0 ? ('up' as const) : ('down' as const);
  return { database, objects: store, ...(redis && { redis: bus }), media: mediaUp };
}
