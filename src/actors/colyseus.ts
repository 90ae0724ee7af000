/**
 * The private surface of Colyseus' rooms that Duet leans on (that of its transport is in `src/transport`);
 * `test/integration/transport/surfaces.test.ts` holds both to what is expected whenever the version changes.
 */
import { matchMaker, type Room, RoomInternalState } from '@colyseus/core';
import { DuetError } from '../errors.ts';
import { CalmPresence } from './CalmPresence.ts';

/** A room of this process, by id: one that takes people. One that is being closed is as good as gone. */
export function localRoom(roomId: string): Room | undefined {
  const room = matchMaker.getLocalRoomById(roomId);
  return room === undefined || isClosing(room) ? undefined : room;
}

/** Whether a room is being closed: it takes nobody any more, and its clients are being sent off. */
export function isClosing(room: Room): boolean {
  return (room as unknown as RoomInside)._internalState === RoomInternalState.DISPOSING;
}

/** Resolves once a room of this process with this id that is being closed is gone, what it held given back; at once if there is none. */
export async function roomClosed(roomId: string): Promise<void> {
  const room = matchMaker.getLocalRoomById(roomId);
  if (room === undefined || !isClosing(room)) return;
  await new Promise<void>((resolve) => (room as unknown as RoomInside)._events.once('disconnect', resolve));
}

/** What a seat that was reserved says of it: its join options. */
export function seatOptions(room: Room, sessionId: string): unknown {
  return (room as unknown as RoomInside)._reservedSeats[sessionId]?.[0];
}

/**
 * Gives up the seats of a room that nobody took, before it is closed: Colyseus keeps a room for as long as one of its
 * seats may still be taken. Whoever is just coming in does not keep it either; `onJoin` has to turn them away.
 */
export function dropSeats(room: Room): void {
  const inside = room as unknown as RoomInside;
  for (const timeout of Object.values(inside._reservedSeatTimeouts)) clearTimeout(timeout);
  inside._reservedSeatTimeouts = {};
  // Counted is what can be enumerated; Colyseus deletes a taken seat itself, when its join has ended.
  for (const [sessionId, seat] of Object.entries(inside._reservedSeats)) {
    if (seat[2]) Object.defineProperty(inside._reservedSeats, sessionId, { enumerable: false });
    else delete inside._reservedSeats[sessionId];
  }
  clearTimeout(inside._autoDisposeTimeout);
  inside._autoDisposeTimeout = undefined;
}

/**
 * Makes a room in this process under a given id, of which there must be none. Options are copied as JSON. Throws
 * UNAVAILABLE when the process ends.
 */
export async function createLocalRoom(name: string, roomId: string, options: object): Promise<void> {
  const isEnding = () => matchMaker.state === matchMaker.MatchMakerState.SHUTTING_DOWN;
  if (isEnding()) throw new DuetError('UNAVAILABLE');
  const listing = await matchMaker.handleCreateRoom(name, options, undefined, roomId).catch((error) => {
    throw isEnding() ? new DuetError('UNAVAILABLE', { cause: error }) : error;
  });
  if (listing.processId !== matchMaker.processId)
    throw new Error(`room ${name} was listed by another process first`);
}

/**
 * Reserves a seat: `sessionId` may join once within `seconds`, with `options` as its join options. False where there is
 * none: the room is full, or being closed.
 */
export async function reserveSeat(
  room: Room,
  sessionId: string,
  options: object,
  seconds: number,
): Promise<boolean> {
  if (isClosing(room)) return false;
  // `_reserveSeat` is private; the public ways around it make session ids of 54 bits and ask the driver first.
  return (room as unknown as SeatReserving)._reserveSeat(sessionId, options, undefined, seconds);
}

/** Takes a listing away that a dead process left behind. */
export async function forgetListing(roomId: string): Promise<void> {
  await matchMaker.driver.remove(roomId);
}

/**
 * Calls a method of a room wherever it is. Arguments and answer are JSON; rejects after `timeoutMs`, and with UNAVAILABLE
 * for a room elsewhere while Redis is away, or as soon as it is noticed that it stands still.
 */
export async function callRoom<T>(
  roomId: string,
  method: string,
  args: readonly unknown[],
  timeoutMs: number,
): Promise<T> {
  const { presence } = matchMaker;
  const ask = () =>
    matchMaker.remoteRoomCall(roomId, method as never, args as unknown[], timeoutMs) as Promise<T>;
  if (localRoom(roomId) !== undefined || !(presence instanceof CalmPresence)) return ask();
  if (!presence.isConnected) throw new DuetError('UNAVAILABLE');
  return presence.unlessSilent(ask());
}

/** Processes that were seen and have not said goodbye, this one included. */
export async function listedProcesses(): Promise<string[]> {
  return (await matchMaker.stats.fetchAll()).map((process) => process.processId);
}

/** Takes a process off that list. */
export async function unlistProcess(processId: string): Promise<void> {
  await matchMaker.stats.excludeProcess(processId);
}

export function processId(): string {
  return matchMaker.processId;
}

/** Private by its type. */
interface RoomInside {
  _internalState: number;
  _events: { once(event: 'disconnect', listener: () => void): void };
  /** By session: join options, what is known of who it is, whether it was taken. */
  _reservedSeats: Record<string, [unknown, unknown, boolean?]>;
  _reservedSeatTimeouts: Record<string, NodeJS.Timeout>;
  _autoDisposeTimeout: NodeJS.Timeout | undefined;
}

interface SeatReserving {
  _reserveSeat(sessionId: string, options: object, auth: undefined, seconds: number): Promise<boolean>;
}
