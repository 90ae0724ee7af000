/**
 * What every room has in common: it knows who its clients are, it answers every message, and nothing that a client
 * sends reaches an uncaught frame.
 *
 * Rooms are driven by messages: no patch interval runs (`patch()` sends a change at once), so the room's clock is
 * ticked by hand, for each frame that Colyseus counts by it.
 */
import {
  type AuthContext,
  type Client,
  ClientState,
  CloseCode,
  type connectClientToRoom,
  getMessageBytes,
  Protocol,
  ResponseStatus,
  Room,
} from '@colyseus/core';
import type { z } from 'zod';
import type { Principal } from '../src/accounts/AccessTokens.ts';
import type { SeatOptions } from '../src/actors/Actors.ts';
import { dropSeats, isClosing, seatOptions } from '../src/actors/colyseus.ts';
import { isoTime, sleep } from '../src/clock.ts';
import { DuetError } from '../src/errors.ts';
import { errorToTell } from '../src/failure.ts';
import { newSecret } from '../src/ids.ts';
import { issueDetails } from '../src/shapes.ts';
import { FixedWindow } from './FixedWindow.ts';
import { bringsMessage, type Message, readMessage } from './frame.ts';
import { decodePayload } from './payload.ts';
import type { RoomServices } from './services.ts';

/** A client of a Duet room; `auth` is who it is. */
export type DuetClient = Client<{ auth: Principal; userData: ClientData }>;

interface ClientData {
  room: BaseRoom;
  messages: FixedWindow;
  media: FixedWindow;
  /** Messages refused in a row for being too many. */
  refused: number;
  /** Whether that was told, to the logs: once for each client. */
  isTold: boolean;
  /** Messages that were taken and not answered yet. */
  unanswered: number;
  /** The code that it is to be sent off with. */
  dismissal?: number;
}

type FrameTaker = (this: BaseRoom, client: DuetClient, frame: Buffer) => void;
type JoinOptions = Parameters<typeof connectClientToRoom>[3];
type ClientTaker = (
  this: BaseRoom,
  client: DuetClient,
  context: AuthContext,
  options: JoinOptions,
) => Promise<void>;

/** A message as its room takes it. */
interface Handler {
  schema: z.ZodType;
  /** The set-up of media, which comes in bursts, has an allowance of its own. */
  isMediaSetUp: boolean;
  run(room: BaseRoom, client: DuetClient, payload: unknown): Promise<unknown> | unknown;
}

/** Never: 2^31-1 ms. `null` would start a timer of 16 ms a room, and 0 one of 1 ms. */
const NEVER_MS = 2 ** 31 - 1;
/** Close codes of Duet (4000..4999 are the application's, RFC 6455 section 7.4.2). */
export const CLOSE = {
  /** The same person joined from another device. */
  takenOver: 4101,
  /** The session was revoked. */
  revoked: 4102,
  /** The room is over. */
  ended: 4103,
  /** The room moved to another process; ask for a new seat. */
  moved: 4104,
  /** Too many messages. */
  flooding: 4105,
} as const;
/** How long who is told that it is over stays: for the last messages to arrive, and late commands to be refused in words. */
export const LINGER_MS = 1_000;
/** A client that goes on sending after this many refusals is closed. */
const MAX_REFUSED = 200;
/** How often, and how soon again, a room is asked to end that cannot yet: one that is still being made. */
const END_TRIES = 5;
const END_AGAIN_MS = 50;
/** The handlers of each kind of room, by type: one table for all of its rooms. */
const HANDLERS = new WeakMap<object, Map<string, Handler>>();

export abstract class BaseRoom extends Room<{ client: DuetClient }> {
  abstract readonly services: RoomServices;
  #handlers: ReadonlyMap<string, Handler> = new Map();
  #stopListening: (() => void) | undefined;

  constructor() {
    super();
    this.patchRate = NEVER_MS;
    this.autoDispose = true;
    this.maxMessagesPerSecond = 500;
  }

  /** Call first in `onCreate`. */
  protected open(): void {
    const kind = this.constructor;
    if (!HANDLERS.has(kind)) {
      HANDLERS.set(kind, new Map());
      this.takeMessages();
    }
    this.#handlers = HANDLERS.get(kind)!;
    this.#stopListening = this.services.onRevoked(({ sessionIds }) => {
      for (const client of [...this.clients]) {
        if (client.auth === undefined || !sessionIds.includes(client.auth.sessionId)) continue;
        client.send('session:revoked', { at: isoTime(this.services.clock.now()) });
        client.leave(CLOSE.revoked);
      }
    });
  }

  /** Declares the messages of this kind of room by `handle`: once, for all rooms of it. */
  protected abstract takeMessages(): void;

  /** Call last in `onDispose`. */
  protected shut(): void {
    this.#stopListening?.();
  }

  /** Every end of a room comes by here: none waits for people who have a seat and do not come. */
  override disconnect(closeCode?: number): Promise<unknown> {
    dropSeats(this);
    return super.disconnect(closeCode);
  }

  /** Colyseus asks one room after the other when the process ends: one that threw would leave the rest as they are. */
  override onBeforeShutdown(): void {
    void this.#end();
  }

  async #end(): Promise<void> {
    for (let tries = 1; tries <= END_TRIES; tries++) {
      try {
        super.onBeforeShutdown();
        return;
      } catch (error) {
        if (tries === END_TRIES) this.services.endFailed(error);
      }
      await sleep(this.services.clock, END_AGAIN_MS);
    }
    // Without what was to come before, then: its clients are sent off and what it holds is given back.
    await this.disconnect(CloseCode.SERVER_SHUTDOWN);
  }

  /**
   * The way in of every client (private in Colyseus). There a seat is used up before anybody has asked whose it is: whoever
   * tries somebody else's would keep its owner out, and whose token has just run out could not try again.
   */
  protected async comeIn(client: DuetClient, context: AuthContext, options: JoinOptions): Promise<void> {
    this.#ownerOf(seatOptions(this, client.sessionId) as SeatOptions | undefined, context);
    return joinAsColyseus.call(this, client, context, options);
  }

  /** A seat is bound to its user: the token that the client connects with must be the same user's. */
  #ownerOf(seat: SeatOptions | undefined, { token }: AuthContext): Principal {
    const principal = this.services.authenticate(token ?? '');
    if (principal.userId !== seat?.userId) throw new DuetError('UNAUTHORIZED');
    return principal;
  }

  override async onAuth(client: DuetClient, options: SeatOptions, context: AuthContext): Promise<Principal> {
    const principal = this.#ownerOf(options, context);
    const { clock, limits } = this.services;
    client.userData = {
      room: this,
      messages: new FixedWindow(clock, limits.messagesPerMin),
      media: new FixedWindow(clock, limits.mediaMessagesPerMin),
      refused: 0,
      isTold: false,
      unanswered: 0,
    };
    return principal;
  }

  /**
   * Declares a message: payload validated by `schema`, answered with what `run` resolves to, refused with
   * `{ code, message }` for what it throws. `run` is given the room: it is the same for all of them. Works alike for
   * `room.request` (the refusal rejects it) and `room.send` (the refusal comes as an `error` message naming the type).
   */
  protected handle<S extends z.ZodType>(
    type: string,
    schema: S,
    run: (room: this, client: DuetClient, payload: z.output<S>) => Promise<unknown> | unknown,
  ): void {
    const handler = { schema, isMediaSetUp: isMediaSetUp(type), run } as unknown as Handler;
    HANDLERS.get(this.constructor)!.set(type, handler);
  }

  /**
   * Call first in `onJoin`. A session that was revoked while its client came in is not told of by `onRevoked`, and nobody
   * sends off who comes into a room that is being closed.
   */
  protected admit(client: DuetClient): Principal {
    const { auth } = client;
    if (isClosing(this)) throw new DuetError('UNAVAILABLE');
    if (auth === undefined || this.services.isRevoked(auth.sessionId)) throw new DuetError('UNAUTHORIZED');
    // It opens nothing here, and Colyseus makes it of 54 bits: no reason to hand out something that could be guessed.
    client.reconnectionToken = newSecret();
    return auth;
  }

  /** Sends the change of the state to everybody now. */
  protected patch(): void {
    this.broadcastPatch();
  }

  /** Says something to everybody, or to one person's clients. */
  protected say(type: string, payload: object, userId?: string): void {
    for (const client of this.clients) {
      if (userId === undefined || client.auth?.userId === userId) client.send(type, payload);
    }
  }

  protected clientsOf(userId: string): DuetClient[] {
    return this.clients.filter((client) => client.auth?.userId === userId);
  }

  /** Sends a client off who has nothing more to expect here: once it is in, and all that it was told and asked for is sent. */
  protected dismiss(client: DuetClient, code: number): void {
    client.userData!.dismissal = code;
    this.#sendOff(client);
  }

  #sendOff(client: DuetClient): void {
    const { dismissal, unanswered } = client.userData!;
    if (dismissal !== undefined && unanswered === 0 && client.state === ClientState.JOINED)
      client.leave(dismissal);
  }

  #charge(client: DuetClient, handler: Handler | undefined): void {
    const allowances = client.userData!;
    const window = handler?.isMediaSetUp ? allowances.media : allowances.messages;
    if (window.take()) {
      allowances.refused = 0;
      return;
    }
    allowances.refused += 1;
    if (!allowances.isTold) {
      allowances.isTold = true;
      const { roomName: room, services } = this;
      services.log.warn({ room, userId: client.auth?.userId }, 'a client sends too many messages');
      if (client.auth !== undefined) services.messagesRefused(client.auth, room);
    }
    if (allowances.refused > MAX_REFUSED) client.leave(CLOSE.flooding);
    throw new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: window.endsInSec });
  }

  /** What no room of this kind knows is counted like everything else, and its type is not given back. */
  async #take(client: DuetClient, { type, requestId, payload }: Message): Promise<void> {
    const handler = this.#handlers.get(type);
    client.userData!.unanswered += 1;
    try {
      this.#charge(client, handler);
      if (handler === undefined) throw new DuetError('NOT_FOUND');
      const answer = (await handler.run(this, client, readPayload(handler.schema, payload))) ?? {};
      if (requestId !== undefined) reply(client, requestId, ResponseStatus.OK, answer);
    } catch (error) {
      this.#refuse(client, handler && type, requestId, error);
    }
    client.userData!.unanswered -= 1;
    this.#sendOff(client);
  }

  #refuse(client: DuetClient, type: string | undefined, requestId: number | undefined, error: unknown): void {
    if (!(error instanceof DuetError)) {
      this.services.log.error({ err: error, room: this.roomName, type }, 'a message could not be handled');
    }
    const { code, message, details, retryAfterSec: waitSec } = errorToTell(error);
    const retryAfter = waitSec === undefined ? {} : { retryAfterSec: Math.ceil(waitSec) };
    const refusal = { code, message, ...(details && { details }), ...retryAfter };
    if (requestId !== undefined) reply(client, requestId, ResponseStatus.REJECTED, refusal);
    else client.send('error', { ...(type !== undefined && { type }), ...refusal });
  }

  /**
   * The way in of every frame (private in Colyseus). Messages are taken here, its own frames by Colyseus: that would
   * decode whatever it is sent before anybody has counted it, and its answers have no code of ours. A frame without a type
   * costs its sender the connection.
   */
  protected receive(client: DuetClient, frame: Buffer): void {
    try {
      if (!bringsMessage(frame)) {
        // Its limit of frames a second goes by the room's clock.
        this.clock.tick();
        receiveAsColyseus.call(this, client, frame);
        this.#sendOff(client);
        return;
      }
      if (client.state === ClientState.LEAVING) return;
      const message = readMessage(frame);
      if (message === undefined) client.leave(CloseCode.WITH_ERROR);
      else void this.#take(client, message);
    } catch (error) {
      this.services.log.warn({ err: error, room: this.roomName }, 'a frame could not be decoded');
      client.leave(CloseCode.WITH_ERROR);
    }
  }
}

// Colyseus declares them private, so TypeScript cannot override them in the class body.
const proto = BaseRoom.prototype as unknown as Record<'_onMessage' | 'receive', FrameTaker> &
  Record<'_onJoin' | 'comeIn', ClientTaker>;
const receiveAsColyseus = proto._onMessage;
proto._onMessage = proto.receive;
const joinAsColyseus = proto._onJoin;
proto._onJoin = proto.comeIn;

function reply(client: DuetClient, requestId: number, status: ResponseStatus, answer: unknown): void {
  client.enqueueRaw(getMessageBytes[Protocol.ROOM_RESPONSE](requestId, status, answer));
}

/** A payload as its schema has it. Throws VALIDATION_FAILED. */
function readPayload<S extends z.ZodType>(schema: S, bytes: Buffer): z.output<S> {
  const read = schema.safeParse(decoded(bytes));
  if (read.success) return read.data;
  throw new DuetError('VALIDATION_FAILED', { details: issueDetails(read.error) });
}

function decoded(bytes: Buffer): unknown {
  try {
    return decodePayload(bytes);
  } catch (error) {
    const details = [{ path: '', message: 'must be MessagePack as the SDK writes it' }];
    throw new DuetError('VALIDATION_FAILED', { details, cause: error });
  }
}

function isMediaSetUp(type: string): boolean {
  return type.startsWith('media:') || type.startsWith('call:sdp') || type === 'call:ice_candidate';
}
