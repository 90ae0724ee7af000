/** The one file that knows both doors: puts the routes and the rooms on one transport and listens. */
import { LocalDriver, LocalPresence, matchMaker, type MatchMakerDriver, type Presence, setTransport } from '@colyseus/core';
import { rooms } from '../rooms/index.ts';
import type { RoomServices } from '../rooms/services.ts';
import type { Router } from './http/router.ts';
import type { HardenedTransport } from './transport/HardenedTransport.ts';

export interface ServerOptions {
  transport: HardenedTransport;
  router: Router;
  services: RoomServices;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** What processes find each other by; absent: one process. */
  presence?: Presence;
  driver?: MatchMakerDriver;
}

/** Sets Colyseus up under the transport. Rooms can be made from then on; nobody can connect yet. */
export async function prepareRooms(options: ServerOptions): Promise<void> {
  const { transport, services } = options;
  setTransport(transport);
  await matchMaker.setup(
    options.presence ?? new LocalPresence(),
    options.driver ?? new LocalDriver(),
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

/** Ends every room, giving back what its actors hold. */
export async function closeRooms(): Promise<void> {
  await matchMaker.gracefullyShutdown();
}
