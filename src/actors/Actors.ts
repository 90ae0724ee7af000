/**
 * Who is where. A call's actor lives in the room whose id is the call's id, in the process that holds the call's
 * lease; whoever asks for it finds it there, or holds it here when nobody does. Doors ask here for seats and give
 * commands here; they never know where an actor lives.
 */
import type { z } from 'zod';
import type { SeatTerms } from '../calling/CallSeats.ts';
import type { CallStore, HeldCall } from '../calling/CallStore.ts';
import type { Call } from '../calling/state.ts';
import type { PersonCommand, SystemCommand } from '../calling/transitions.ts';
import { type Clock, inTime, sleep } from '../clock.ts';
import { DuetError, type ErrorCode } from '../errors.ts';
import { newId, newSecret } from '../ids.ts';
import type { Log } from '../log.ts';
import * as colyseus from './colyseus.ts';
import type { SeatView } from './shapes.ts';

/** What the SDK's `consumeSeatReservation` takes. Bound to one user, used once, gone after `SEAT_SEC`. */
export type Seat = z.infer<typeof SeatView>;

/** What a seat admits: stored with the reservation, handed to the room on join. */
export interface SeatOptions {
  userId: string;
}

/** The same in an inbox, or in a match's room. */
export interface InboxSeatOptions extends SeatOptions {
  /** The event of the person's log after which all is told there. */
  after: number;
}

/** The same for a call. */
export type CallSeatOptions = SeatOptions & SeatTerms;

/** A command as it crosses processes. */
export interface PersonsCommand {
  userId: string;
  command: PersonCommand;
  id?: string;
  /** When whoever asks gives up, and it must not count any more. Epoch ms. */
  until?: number;
}
export type ActorCommand = PersonsCommand | { command: SystemCommand };
export type ActorAnswer = { ok: true; call: Call } | { ok: false; code: ErrorCode };

export interface ActorsOptions {
  calls: CallStore;
  clock: Clock;
  log: Log;
  /** `host:port` that clients reach this very process at. */
  publicAddress?: string;
  /** Where rooms live. Default: Colyseus; the simulation has its own. */
  rooms?: RoomHost;
}

/** What actors ask of Colyseus. */
export type RoomHost = Pick<
  typeof colyseus,
  'localRoom' | 'roomClosed' | 'createLocalRoom' | 'forgetListing' | 'callRoom' | 'reserveSeat' | 'processId'
>;

/** Seconds in which a seat must be taken. */
export const SEAT_SEC = 15;
/** People that one inbox room serves. */
export const INBOX_SEATS = 500;
const INBOX_ROOM = 'inbox-';
/** How long a call to another process may take, and one to a room of this process, which ends by itself. */
const REMOTE_MS = 800;
const LOCAL_MS = 60_000;
/** How long an actor is looked for: a dead owner's lease runs out within this. */
const FIND_MS = 3_000;
const FIND_AGAIN_MS = 100;

export class Actors {
  readonly #options: ActorsOptions;
  readonly #rooms: RoomHost;
  readonly #activating = new Map<string, Promise<Place>>();
  readonly #claimed = new Map<string, HeldCall>();
  /** Wakes those who wait for another process's answer about a call that has come to be held here meanwhile. */
  readonly #wakers = new Map<string, Set<() => void>>();
  #inboxRoom: { id: string; isFull: boolean } | undefined;
  #inboxRooms = 0;
  #isDraining = false;

  constructor(options: ActorsOptions) {
    this.#options = options;
    this.#rooms = options.rooms ?? colyseus;
  }

  /**
   * A seat in a live call for one of its people. The caller has checked who that is. `returns`: for a client that comes
   * back by itself; it takes the place of no other device. Throws NOT_FOUND, CALL_NOT_ACTIVE, and UNAVAILABLE when whoever
   * holds the call has not answered within `FIND_MS`.
   */
  async callSeat(callId: string, userId: string, { returns = false } = {}): Promise<Seat> {
    return this.#atCall(callId, async ({ here }) => {
      if (here && this.#rooms.localRoom(callId) === undefined) return undefined;
      const sessionId = newSecret();
      const args = [sessionId, userId, returns];
      const where = await this.#askCall<RemoteSeat>(callId, here, 'reserve', args);
      return where && { ...this.#seat('call', callId, sessionId), ...where };
    });
  }

  /** A command to a live call, from a person or from the server. Throws what its actor refuses, and like `callSeat`. */
  async callCommand(callId: string, given: ActorCommand): Promise<Call> {
    // Where no answer comes it is asked again, perhaps of another process: by its id it is done once all the same.
    const command = { id: newId(), until: this.#options.clock.now() + FIND_MS, ...given };
    const answer = await this.#atCall(callId, ({ here }) =>
      this.#askCall<ActorAnswer>(callId, here, 'command', [command]),
    );
    if (!answer.ok) throw new DuetError(answer.code);
    return answer.call;
  }

  /** Holds a call here if nobody holds it, so that its deadlines are kept. Throws like `callSeat`. */
  async activateCall(callId: string): Promise<void> {
    await this.#place(callId);
  }

  /**
   * A seat in a match's room, where what happens to the match after the event `after` of the person's log is told. It holds
   * nothing but the clients in it, so every process has its own. Throws UNAVAILABLE.
   */
  async matchSeat(matchId: string, userId: string, after: number): Promise<Seat> {
    const roomId = `match-${matchId}-${this.#rooms.processId()}`;
    return this.#sharedSeat('match', roomId, { matchId }, { userId, after });
  }

  /** A seat in one of this process's inbox rooms, where all after the event `after` is told. Throws UNAVAILABLE. */
  async inboxSeat(userId: string, after: number): Promise<Seat> {
    const room = this.#roomyInbox();
    try {
      return await this.#sharedSeat('inbox', room.id, {}, { userId, after });
    } catch (error) {
      if (!(error instanceof RoomFull)) throw error;
      room.isFull = true;
      return this.inboxSeat(userId, after);
    }
  }

  /** The claim with which a room of a call begins; the room takes it in `onCreate`. */
  takeClaim(callId: string): HeldCall {
    const held = this.#claimed.get(callId);
    if (held === undefined) throw new DuetError('UNAVAILABLE');
    this.#claimed.delete(callId);
    return held;
  }

  /** Whether `drain` was called. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on no call is claimed here; those that others hold are reached as before. */
  drain(): void {
    this.#isDraining = true;
  }

  /** The inbox room that people are put into: there, being made, or to be made by who asks. */
  #roomyInbox(): { id: string; isFull: boolean } {
    const last = this.#inboxRoom;
    if (last !== undefined && !last.isFull) {
      if (this.#activating.has(last.id) || this.#rooms.localRoom(last.id) !== undefined) return last;
    }
    this.#inboxRooms += 1;
    this.#inboxRoom = { id: `${INBOX_ROOM}${this.#rooms.processId()}-${this.#inboxRooms}`, isFull: false };
    return this.#inboxRoom;
  }

  async #sharedSeat(
    name: 'inbox' | 'match',
    roomId: string,
    options: object,
    seat: InboxSeatOptions,
  ): Promise<Seat> {
    if (this.#rooms.localRoom(roomId) === undefined)
      await this.#once(roomId, async () => {
        if (this.#rooms.localRoom(roomId) === undefined)
          await this.#rooms.createLocalRoom(name, roomId, options);
        return { here: true };
      });
    const room = this.#rooms.localRoom(roomId);
    if (room === undefined) throw new DuetError('UNAVAILABLE');
    const sessionId = newSecret();
    if (!(await this.#rooms.reserveSeat(room, sessionId, seat, SEAT_SEC))) throw new RoomFull('UNAVAILABLE');
    return this.#seat(name, roomId, sessionId);
  }

  #seat(name: Seat['name'], roomId: string, sessionId: string): Seat {
    const { clock, publicAddress } = this.#options;
    const where = {
      processId: this.#rooms.processId(),
      ...(publicAddress !== undefined && { publicAddress }),
    };
    return { name, roomId, ...where, sessionId, serverNow: clock.now() };
  }

  /** The same method here and there: what a call's room answers cannot depend on where it is. Undefined: it has no answer. */
  async #askCall<T>(
    callId: string,
    here: boolean,
    method: string,
    args: readonly unknown[],
  ): Promise<T | undefined> {
    const timeoutMs = here ? LOCAL_MS : REMOTE_MS;
    // From there nothing comes as null.
    return (await this.#rooms.callRoom<T | null | undefined>(callId, method, args, timeoutMs)) ?? undefined;
  }

  /**
   * Runs `use` where the call is. `use` answers undefined when the room is gone by then, or lost the call; then it is
   * looked for again.
   */
  async #atCall<T>(callId: string, use: (place: Place) => Promise<T | undefined>): Promise<T> {
    const giveUpAt = this.#options.clock.now() + FIND_MS;
    for (;;) {
      const place = await this.#place(callId);
      try {
        const result = await (place.here ? use(place) : this.#unlessHere(callId, use(place)));
        if (result !== undefined) return result;
      } catch (error) {
        if (error instanceof DuetError || place.here) throw error;
        // The other process did not answer: dead, or cut off. Its lease runs out if it stays so.
      }
      if (this.#options.clock.now() >= giveUpAt) throw new DuetError('UNAVAILABLE');
      const hasCome = !place.here && this.#rooms.localRoom(callId) !== undefined;
      if (!hasCome) await sleep(this.#options.clock, FIND_AGAIN_MS);
    }
  }

  /** What another process answers; undefined as soon as the call is held here, for that one is not going to answer. */
  async #unlessHere<T>(callId: string, answer: Promise<T | undefined>): Promise<T | undefined> {
    const wakers = this.#wakers.get(callId) ?? new Set();
    this.#wakers.set(callId, wakers);
    let wake = () => {};
    const here = new Promise<undefined>((resolve) => {
      wake = () => resolve(undefined);
    });
    wakers.add(wake);
    try {
      return await Promise.race([answer, here]);
    } finally {
      wakers.delete(wake);
      if (wakers.size === 0) this.#wakers.delete(callId);
    }
  }

  async #place(callId: string): Promise<Place> {
    if (this.#rooms.localRoom(callId) !== undefined) return { here: true };
    return this.#once(callId, () => this.#find(callId));
  }

  async #find(callId: string): Promise<Place> {
    const { calls, clock } = this.#options;
    // A room that lost this call may still be here: no second one beside it, and nobody asks it.
    const isClosed = this.#rooms.roomClosed(callId).then(() => true);
    if (!(await inTime(clock, FIND_MS, isClosed))) throw new DuetError('UNAVAILABLE');
    const claimed = () => calls.claim(callId, this.#rooms.processId(), clock.now());
    const claim = await (this.#isDraining ? calls.find(callId) : claimed());
    if ('missing' in claim) throw new DuetError('NOT_FOUND');
    if ('ended' in claim) throw new DuetError('CALL_NOT_ACTIVE');
    if ('heldBy' in claim) return { here: false };
    this.#claimed.set(callId, claim.held);
    try {
      // The row is ours, so whatever listing there is under this id is of a process that is gone.
      await this.#rooms.forgetListing(callId);
      await this.#rooms.createLocalRoom('call', callId, { callId });
    } catch (error) {
      // Nobody acts on what no room took.
      if (this.#claimed.delete(callId)) await this.#giveBack(claim.held);
      throw error;
    }
    for (const wake of this.#wakers.get(callId) ?? []) wake();
    return { here: true };
  }

  async #giveBack({ call, epoch }: HeldCall): Promise<void> {
    const { calls, log } = this.#options;
    if (call.phase === 'ended') return;
    await calls.release(call, epoch).catch((err: unknown) => {
      log.warn({ err, callId: call.id }, 'a call could not be given back, its lease runs out');
    });
  }

  /** Two at once for one id share one attempt. */
  #once(id: string, attempt: () => Promise<Place>): Promise<Place> {
    const running = this.#activating.get(id);
    if (running !== undefined) return running;
    const started = attempt().finally(() => this.#activating.delete(id));
    this.#activating.set(id, started);
    return started;
  }
}

/** Whether a room is one of people's inboxes, to whom it makes no difference which of the others are there. */
export function isInboxRoom(roomId: string): boolean {
  return roomId.startsWith(INBOX_ROOM);
}

interface Place {
  here: boolean;
}

interface RemoteSeat {
  processId: string;
  publicAddress?: string;
}

class RoomFull extends DuetError {}
