import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { LocalPresence } from '@colyseus/core';
import type { RoomServices } from '../../rooms/services.ts';
import { addressKey } from '../accounts/client.ts';
import { isInboxRoom } from '../actors/Actors.ts';
import { CalmDriver } from '../actors/CalmDriver.ts';
import { CalmPresence } from '../actors/CalmPresence.ts';
import { listedProcesses, localRoom, processId, unlistProcess } from '../actors/colyseus.ts';
import { logThrough } from '../actors/colyseusLog.ts';
import { DeadListings } from '../actors/DeadListings.ts';
import { RoomListings } from '../actors/RoomListings.ts';
import { presentEvent } from '../calling/presentEvent.ts';
import { type Config, httpUrl } from '../config.ts';
import { DuetError } from '../errors.ts';
import type { LimitedRequester } from '../http/Pipeline.ts';
import type { RouteLimit } from '../http/route.ts';
import { Router } from '../http/router.ts';
import { loadStaticFiles } from '../http/staticFiles.ts';
import type { Limits } from '../platform/Limits.ts';
import { closeRooms, listen, prepareRooms, routes } from '../server.ts';
import { HardenedTransport } from '../transport/HardenedTransport.ts';
import type { AccountLife } from './accountLife.ts';
import type { AccountServices } from './accounts.ts';
import type { CallServices } from './calls.ts';
import type { PeopleServices } from './people.ts';
import { sharedChecks } from './readiness.ts';
import type { Stores } from './stores.ts';

/** Where the links in mails lead. */
const MAIL_PAGES = ['/verify-email', '/reset-password', '/forgot-password'];
/** The built page. */
const PAGE_DIR = resolve(import.meta.dirname, '../../web/dist');

/** The two doors, HTTP and rooms, on one transport. */
export async function openDoors(
  config: Config,
  stores: Stores,
  accounts: AccountServices & AccountLife,
  { people, matchLists, photos, discovery, decisions, activity, publish, devices }: PeopleServices,
  live: CallServices,
  site: { url: string },
  closing: AsyncDisposableStack,
) {
  const { clock, db, redis, objects, hub, log, limits, metrics } = stores;
  const { actors, calls, callStore, matches, media, keeper, ring, cards, publicAddress } = live;
  const names = ownNames(config);
  /** Whose pages may open sockets and refresh by cookie. Asked each time: the address may be known only when listening. */
  const allowedOrigins = {
    has: (origin: string) => [site.url, ...names, ...config.allowedOrigins].includes(origin),
  };
  const transport = new HardenedTransport({
    findRoom: localRoom,
    isPatient: isInboxRoom,
    allowedOrigins,
    trustedProxies: config.trustedProxies,
    socketLimits: config.socketLimits,
    maxConnections: config.maxConnections,
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
      hasEnded: ({ sessionId }) => accounts.revocations.has(sessionId),
      isStranger: (authorization) => accounts.accounts.isStranger(authorization),
      limit: (limit, requester) => (limit === 'none' ? undefined : countRequest(limits, limit, requester)),
      turnedAway: (principal, route, client) => accounts.adminDesk.turnAway(principal, route, client),
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
  const notEnded: unknown[] = [];
  const services: RoomServices = {
    authenticate: (token) => {
      const principal = accounts.accounts.authenticateToken(token);
      activity.seen(principal.userId);
      return principal;
    },
    deviceKeyOf: (sessionId) => accounts.deviceKeys.of(sessionId),
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
    ring,
    hub,
    present: (event) => presentEvent({ matches, cards }, event),
    createMedia: (options) => media.createCall(options),
    messagesRefused: ({ userId, sessionId }, room) => {
      accounts.audit
        .record(db, { action: 'messages_refused', userId, sessionId, details: { room } })
        .catch((err: unknown) =>
          log.warn({ err }, 'refused messages could not be put into the security log'),
        );
    },
    observeQuality: (heard) => metrics.callQuality(heard),
    endFailed: (err) => {
      log.error({ err }, 'a room could not be ended in order');
      notEnded.push(err);
    },
    clock,
    log,
    limits: config.limits,
    ...(publicAddress !== undefined && { publicAddress }),
  };
  logThrough(log, clock);
  const mirror = stores.redis && new CalmDriver(stores.redis);
  const driver = new RoomListings({ clock, ...(mirror && { mirror }) });
  closing.defer(() => driver.shutdown());
  const deadListings =
    mirror &&
    new DeadListings({
      db,
      clock,
      log,
      mirror,
      ownId: processId,
      processes: listedProcesses,
      exclude: unlistProcess,
    });
  closing.defer(() => deadListings?.close());
  const presence =
    stores.redis === undefined ? new LocalPresence() : new CalmPresence(stores.redis, stores.redisSilence);
  closing.defer(() => presence.shutdown());
  const server = { transport, router, services, presence, driver, host: config.host, port: config.port };
  await prepareRooms(server);
  closing.defer(() => {
    // What is given back is not taken again.
    actors.drain();
    return closeRooms(notEnded);
  });
  metrics.read({
    sockets: () => transport.socketCount,
    calls: () => keeper.heldCount,
    mediaWorkers: () => media.health.alive,
    passwordVerifications: () => accounts.passwords.verifications,
  });
  const readChecks = sharedChecks(clock, {
    database: () => db.epochMs(),
    objects: () => objects.check(),
    ...(redis && { redis: () => redis.ping() }),
    media: async () => {
      if (media.health.alive === 0) throw new DuetError('UNAVAILABLE');
    },
  });
  router.add(
    routes({
      idempotency: live.idempotency,
      devices,
      pushHosts: config.push.hosts,
      ...accounts,
      clock,
      allowedOrigins,
      me: people.me.bind(people),
      people,
      photos,
      discovery,
      decisions,
      blocks: live.blocks,
      reports: accounts.reports,
      matchView: matches.view.bind(matches),
      matches,
      matchLists,
      calls,
      callCommands: live.callCommands,
      actors,
      hub,
      metrics,
      listRooms: () => driver.query({}),
      hasDemoTown: config.seedDemo,
      readiness: async () => {
        const checks = await readChecks();
        const down = Object.values(checks).includes('down');
        return { status: actors.isDraining ? 'draining' : down ? 'down' : 'ready', checks };
      },
    }),
  );
  if (existsSync(PAGE_DIR))
    router.addFiles(loadStaticFiles(PAGE_DIR, { pages: MAIL_PAGES, imageOrigins: names }));
  // From here on others learn of the end of this process from the database, and take its calls over; and what it holds it
  // renews. Nobody is let in before.
  await db.holdName(processId(), clock);
  keeper.start();
  const port = await listen(server);
  if (config.publicUrl === undefined) site.url = httpUrl(config.host, port);
  deadListings?.start();

  const drain = (deadlineMs: number) => {
    actors.drain();
    return keeper.idle(deadlineMs);
  };
  return { drain };
}

/** In development people type `localhost` as well as the address: the page works under both names. */
function ownNames({ publicUrl, port }: Config): string[] {
  return publicUrl === undefined ? [`http://127.0.0.1:${port}`, `http://localhost:${port}`] : [];
}

function countRequest(
  limits: Limits,
  limit: Exclude<RouteLimit, 'none'>,
  requester: LimitedRequester,
): Promise<void> {
  const isOfSession = limit === 'live' || limit === 'safety';
  if (isOfSession && requester.sessionId !== undefined) return limits.consume(limit, requester.sessionId);
  // `address` is worked out when it is read, and is dear: only who is not signed in is counted by it.
  return limits.consume(limit, requester.userId ?? addressKey(requester.address));
}
