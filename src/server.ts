/** The one file that knows both doors: puts the routes and the rooms on one transport and listens. */
import { type MatchMakerDriver, matchMaker, type Presence } from '@colyseus/core';
import packageJson from '../package.json' with { type: 'json' };
import { asyncapi } from '../rooms/asyncapi.ts';
import { rooms } from '../rooms/index.ts';
import type { RoomServices } from '../rooms/services.ts';
import type { PushDevices } from './events/PushDevices.ts';
import type { Idempotency } from './http/Idempotency.ts';
import { documentationRoutes } from './http/openapi.ts';
import { type Route, route } from './http/route.ts';
import type { Router } from './http/router.ts';
import { type AccountLifeRouteDeps, accountLifeRoutes } from './http/routes/accountLife.ts';
import { type AccountRouteDeps, accountRoutes } from './http/routes/accounts.ts';
import { type AdminRoutesDeps, adminRoutes } from './http/routes/admin.ts';
import { type CallRoutesOptions, callRoutes } from './http/routes/calls.ts';
import { decisionRoutes } from './http/routes/decisions.ts';
import { deviceKeyRoutes } from './http/routes/deviceKeys.ts';
import { devMailboxRoutes } from './http/routes/devMailbox.ts';
import { devPeopleRoutes } from './http/routes/devPeople.ts';
import { healthRoutes } from './http/routes/health.ts';
import { matchRoutes } from './http/routes/matches.ts';
import { type MonitorRoutesDeps, monitorRoutes } from './http/routes/monitor.ts';
import { photoRoutes } from './http/routes/photos.ts';
import { pushRoutes } from './http/routes/push.ts';
import { realtimeRoutes } from './http/routes/realtime.ts';
import { safetyRoutes } from './http/routes/safety.ts';
import { userRoutes } from './http/routes/users.ts';
import type { HardenedTransport } from './transport/HardenedTransport.ts';

export interface ServerOptions {
  transport: HardenedTransport;
  router: Router;
  services: RoomServices;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** What processes find each other by. */
  presence: Presence;
  driver: MatchMakerDriver;
}

/** Sets Colyseus up. Rooms can be made from then on; nobody can connect yet. */
export async function prepareRooms(options: ServerOptions): Promise<void> {
  const { services } = options;
  await matchMaker.setup(
    options.presence,
    options.driver,
    services.publicAddress,
    // A room is made where it is asked for: no look around at every other process.
    async () => matchMaker.processId,
  );
  for (const [name, room] of Object.entries(rooms(services))) matchMaker.defineRoomType(name, room);
  await matchMaker.accept();
}

/** Listens. Resolves with the port; rejects when it is taken. */
export async function listen({ transport, router, host, port }: ServerOptions): Promise<number> {
  router.bind(transport.app);
  return transport.open(port, host);
}

/** Ends every room, giving back what its actors hold. Throws at last when some (`failed`) could not be in order. */
export async function closeRooms(failed: readonly unknown[]): Promise<void> {
  await matchMaker.gracefullyShutdown();
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} rooms did not end in order`);
}

const VERSION = packageJson.version;

type Deps<F extends (deps: never) => unknown> = Parameters<F>[0];

export interface RouteServices
  extends AccountRouteDeps,
    CallRoutesOptions,
    AccountLifeRouteDeps,
    AdminRoutesDeps,
    MonitorRoutesDeps,
    Deps<typeof deviceKeyRoutes>,
    Deps<typeof userRoutes>,
    Deps<typeof decisionRoutes>,
    Deps<typeof safetyRoutes>,
    Deps<typeof realtimeRoutes>,
    Deps<typeof devPeopleRoutes> {
  matches: Deps<typeof matchRoutes>['matches'];
  matchLists: Deps<typeof matchRoutes>['matchLists'];
  metrics: Deps<typeof healthRoutes>['metrics'];
  readiness: Deps<typeof healthRoutes>['readiness'];
  idempotency: Idempotency;
  /** Absent where there are no keys for push. */
  devices: PushDevices | undefined;
  pushHosts: readonly string[];
  /** Only where mails go nowhere else. */
  mailbox: Deps<typeof devMailboxRoutes>['mailbox'] | undefined;
  /** Whether the people of the demo town may be listed. */
  hasDemoTown: boolean;
}

/** Every route, documentation included. */
export function routes(services: RouteServices): Route[] {
  const declared = services.idempotency.guard([
    ...accountRoutes(services),
    ...deviceKeyRoutes(services),
    ...accountLifeRoutes(services),
    ...adminRoutes(services),
    ...monitorRoutes(services),
    ...userRoutes(services),
    ...photoRoutes(services),
    ...decisionRoutes(services),
    ...safetyRoutes(services),
    ...matchRoutes(services),
    ...callRoutes(services),
    ...realtimeRoutes(services),
    ...healthRoutes(services),
    ...(services.devices === undefined
      ? []
      : pushRoutes({ devices: services.devices, pushHosts: services.pushHosts })),
    ...(services.mailbox === undefined ? [] : devMailboxRoutes({ mailbox: services.mailbox })),
    ...(services.hasDemoTown ? devPeopleRoutes(services) : []),
    asyncapiRoute(asyncapi(VERSION)),
  ]);
  return [...declared, ...documentationRoutes(declared, VERSION)];
}

function asyncapiRoute(document: object): Route {
  const body = Buffer.from(JSON.stringify(document));
  return route({
    method: 'get',
    path: '/asyncapi.json',
    summary: 'The realtime events as an AsyncAPI document',
    tags: ['documentation'],
    who: 'anyone',
    limit: 'none',
    status: 200,
    produces: 'application/json',
    run: (ctx) => ctx.reply({ body }),
  });
}
