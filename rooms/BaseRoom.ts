/**
 * What every room has in common: it knows who its clients are, it answers every message, and nothing that a client
 * sends reaches an uncaught frame.
 *
 * Rooms are driven by messages: no patch interval runs (`patch()` sends a change at once), so the room's clock is
 * ticked by hand, on each message.
 */
import {
  type AuthContext,
  type Client,
  CloseCode,
  getMessageBytes,
  Protocol,
  ResponseStatus,
  Room,
} from '@colyseus/core';
import type { z } from 'zod';
import type { SeatOptions } from '../src/actors/Actors.ts';
import {
  dropSeats,
  type HandlerTable,
  handlersOf,
  isClosing,
  shareHandlers,
} from '../src/actors/colyseus.ts';
import { sleep } from '../src/clock.ts';
import { DuetError, ERRORS, type ErrorCode } from '../src/errors.ts';
import { isOutage } from '../src/failure.ts';
import { newSecret } from '../src/ids.ts';
import { FixedWindow } from './FixedWindow.ts';
import { bringsMessage, readHeading } from './heading.ts';
import type { Identity, RoomServices } from './services.ts';

/** A client of a Duet room; `auth` is who it is. */
export type DuetClient = Client<{ auth: Identity; userData: ClientData }>;

interface ClientData {
  room: BaseRoom;
  messages: FixedWindow;
  media: FixedWindow;
  /** Messages refused in a row for being too many. */
  refused: number;
  /** Whether that was told, to the logs: once for each client. */
  isTold: boolean;
}

/** How a request is answered otherwise than by its handler's value. */
interface Answering {
  /** Of a request; absent where nothing is waited for. */
  id?: number | undefined;
  reject(reason?: unknown): unknown;
}

type Handler = (client: DuetClient, payload: unknown, context: Answering) => Promise<unknown>;

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
/** A client that goes on sending after this many refusals is closed. */
const MAX_REFUSED = 200;
/** How often, and how soon again, a room is asked to end that cannot yet: one that is still being made. */
const END_TRIES = 5;
const END_AGAIN_MS = 50;
/** Stands for the type of a message that no room knows. */
const UNKNOWN = '';
/** The handlers of each kind of room: one table for all of its rooms, whose handlers find the room by the client. */
const HANDLERS = new WeakMap<object, HandlerTable>();

export abstract class BaseRoom extends Room<{ client: DuetClient }> {
  abstract readonly services: RoomServices;
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
    const shared = HANDLERS.get(kind);
    if (shared === undefined) {
      this.takeMessages();
      HANDLERS.set(kind, handlersOf(this));
    } else {
      shareHandlers(this, shared);
    }
    this.#stopListening = this.services.onRevoked(({ sessionIds }) => {
      for (const client of [...this.clients]) {
        if (client.auth === undefined || !sessionIds.includes(client.auth.sessionId)) continue;
        client.send('session:revoked', {});
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

  /** A seat is bound to its user: the token that the client connects with must be the same user's. */
  override async onAuth(client: DuetClient, options: SeatOptions, context: AuthContext): Promise<Identity> {
    const identity = await this.services.identify(context.token ?? '').catch(() => undefined);
    if (identity === undefined || identity.userId !== options.userId) {
      throw new DuetError('UNAUTHORIZED');
    }
    const { clock, limits } = this.services;
    client.userData = {
      room: this,
      messages: new FixedWindow(clock, limits.messagesPerMin),
      media: new FixedWindow(clock, limits.mediaMessagesPerMin),
      refused: 0,
      isTold: false,
    };
    return identity;
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
    const handler: Handler = async (client, payload, context) => {
      const room = client.userData!.room as this;
      try {
        room.#charge(client, type);
        return (await run(room, client, validate(schema, payload))) ?? {};
      } catch (error) {
        return room.#refuse(client, type, error, context);
      }
    };
    this.onMessage(type, handler as never);
  }

  /**
   * Call first in `onJoin`. A session that was revoked while its client came in is not told of by `onRevoked`, and nobody
   * sends off who comes into a room that is being closed.
   */
  protected admit(client: DuetClient): Identity {
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

  #charge(client: DuetClient, type: string): void {
    const allowances = client.userData!;
    const window = isMediaSetUp(type) ? allowances.media : allowances.messages;
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
  #refuseUnknown(client: DuetClient, id: number | undefined): void {
    let refusal = new DuetError('NOT_FOUND');
    try {
      this.#charge(client, UNKNOWN);
    } catch (error) {
      refusal = error as DuetError;
    }
    this.#refuse(client, UNKNOWN, refusal, {
      id,
      reject: (reason) =>
        client.enqueueRaw(getMessageBytes[Protocol.ROOM_RESPONSE](id!, ResponseStatus.REJECTED, reason)),
    });
  }

  #refuse(client: DuetClient, type: string, error: unknown, context: Answering): unknown {
    const code: ErrorCode =
      error instanceof DuetError ? error.code : isOutage(error) ? 'UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
    if (!(error instanceof DuetError)) {
      this.services.log.error({ err: error, room: this.roomName, type }, 'a message could not be handled');
    }
    const details = error instanceof DuetError && error.details ? { details: error.details } : {};
    const refusal = { code, message: ERRORS[code].message, ...details };
    if (context.id !== undefined) return context.reject(refusal);
    client.send('error', { ...(type !== UNKNOWN && { type }), ...refusal });
    return undefined;
  }

  /**
   * The way in of every frame (private in Colyseus, see `src/actors/colyseus.ts` for why that is watched). Here a
   * frame that cannot be decoded costs its sender the connection and nobody else anything, and a message that nobody
   * handles is answered: Colyseus' own answers have no code of ours.
   */
  protected receive(client: DuetClient, frame: Buffer, next: () => void): void {
    this.clock.tick();
    try {
      if (!bringsMessage(frame)) {
        next();
        return;
      }
      const heading = readHeading(frame);
      if (heading === undefined) client.leave(CloseCode.WITH_ERROR);
      else if (Object.hasOwn(handlersOf(this), heading.type)) next();
      else this.#refuseUnknown(client, heading.requestId);
    } catch (error) {
      this.services.log.warn({ err: error, room: this.roomName }, 'a frame could not be decoded');
      client.leave(CloseCode.WITH_ERROR);
    }
  }
}

// Colyseus declares `_onMessage` private, so TypeScript cannot override it in the class body.
const proto = BaseRoom.prototype as unknown as {
  _onMessage(client: DuetClient, frame: Buffer): void;
  receive(client: DuetClient, frame: Buffer, next: () => void): void;
};
const onMessage = proto._onMessage;
proto._onMessage = function (client, frame) {
  this.receive(client, frame, () => onMessage.call(this, client, frame));
};

function validate<S extends z.ZodType>(schema: S, payload: unknown): z.output<S> {
  const read = schema.safeParse(payload);
  if (read.success) return read.data;
  throw new DuetError('VALIDATION_FAILED', {
    details: read.error.issues.slice(0, 20).map(({ path, message }) => ({ path: path.join('.'), message })),
  });
}

function isMediaSetUp(type: string): boolean {
  return type.startsWith('media:') || type.startsWith('call:sdp') || type === 'call:ice_candidate';
}
