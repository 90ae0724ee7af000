/**
 * The private surface of Colyseus' rooms that Duet leans on (that of its transport is in `src/transport`);
 * `test/integration/transport/surfaces.test.ts` holds both to what is expected whenever the version changes.
 */
import { matchMaker, type Room } from '@colyseus/core';
import { DuetError } from '../errors.ts';
import { CalmPresence } from './CalmPresence.ts';

/** A room of this process, by id. */
export function localRoom(roomId: string): Room | undefined {
  return matchMaker.getLocalRoomById(roomId);
}

/** Makes a room in this process under a given id. Options are copied as JSON. */
export async function createLocalRoom(name: string, roomId: string, options: object): Promise<void> {
  const listing = await matchMaker.handleCreateRoom(name, options, undefined, roomId);
  if (listing.processId !== matchMaker.processId)
    throw new Error(`room ${name} was listed by another process first`);
}

/** Reserves a seat: `sessionId` may join once within `seconds`, with `options` as its join options. */
export function reserveSeat(
  room: Room,
  sessionId: string,
  options: object,
  seconds: number,
): Promise<boolean> {
  // `_reserveSeat` is private; the public ways around it make session ids of 54 bits and ask the driver first.
  return (room as unknown as SeatReserving)._reserveSeat(sessionId, options, undefined, seconds);
}

/** A room's handlers of messages, by type. */
export type HandlerTable = Record<string, unknown[]>;

/** The table that a room's `onMessage` wrote. */
export function handlersOf(room: Room): HandlerTable {
  return (room as unknown as HandlerHolding).onMessageEvents.events;
}

/** Gives a room the table of another one of its kind; its own, some ten kilobytes, is never made. */
export function shareHandlers(room: Room, table: HandlerTable): void {
  (room as unknown as HandlerHolding).onMessageEvents.events = table;
}

/** Takes a listing away that a dead process left behind. */
export async function forgetListing(roomId: string): Promise<void> {
  await matchMaker.driver.remove(roomId);
}

/**
 * Calls a method of a room wherever it is. Arguments and answer are JSON; rejects after `timeoutMs`, and with UNAVAILABLE
 * at once for a room elsewhere while Redis is away.
 */
export async function callRoom<T>(
  roomId: string,
  method: string,
  args: readonly unknown[],
  timeoutMs: number,
): Promise<T> {
  const { presence } = matchMaker;
  if (localRoom(roomId) === undefined && presence instanceof CalmPresence && !presence.isConnected)
    throw new DuetError('UNAVAILABLE');
  return matchMaker.remoteRoomCall(roomId, method as never, args as unknown[], timeoutMs) as Promise<T>;
}

export function processId(): string {
  return matchMaker.processId;
}

interface SeatReserving {
  _reserveSeat(sessionId: string, options: object, auth: undefined, seconds: number): Promise<boolean>;
}

interface HandlerHolding {
  // Private by its type; of the class so that Colyseus' own tools can read and swap handlers.
  onMessageEvents: { events: HandlerTable };
}
