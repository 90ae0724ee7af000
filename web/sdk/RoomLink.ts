import type { Room } from '@colyseus/sdk';
import { backoffMs, pause } from './backoff.ts';
import { DuetApiError } from './DuetApiError.ts';
import { Emitter } from './Emitter.ts';
import { page } from './page.ts';
import type { Seats } from './Seats.ts';
import type { Seat } from './types.ts';

export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'closed';

type LinkEvents = {
  state: LinkState;
  /** Sat down in a room, for the first time or again. Its messages come as `message` from here on. */
  up: Room;
  message: { type: string; payload: unknown };
  /** The room's state changed. */
  patch: unknown;
  /** It is over: by `close()`, by the server's word (`code`), or because no seat is to be had (`error`). */
  closed: { code?: number; error?: DuetApiError };
};

type LinkOptions = {
  seats: Seats;
  /** Asks for a new seat; a refusal that is not temporary closes the link. */
  askForSeat: () => Promise<Seat>;
  /** Whether a room that closed the socket with this code meant it for good. */
  isFinal?: (code: number) => boolean;
};

const REQUEST_TIMEOUT_MS = 10_000;
/**
 * How often a connection is asked whether it lives, and how long it may take to answer. A browser does not say that the
 * other end is gone without a word (a host without power, a NAT that forgot); the server looks once a minute as well.
 */
const PING_EVERY_MS = 45_000;
const PONG_WITHIN_MS = 5_000;
/** A room that is left within this time of joining counts as a failed try, so that the delays go on doubling. */
const STABLE_AFTER_MS = 5_000;

/** A place in a room that is kept: when the socket is lost, a new seat is asked for with jittered backoff. */
export class RoomLink extends Emitter<LinkEvents> {
  readonly #options: LinkOptions;
  #room: Room | undefined;
  #state: LinkState = 'connecting';
  #attempt = 0;
  /** The last try to sit down: what comes of those before is not wanted any more. */
  #turn = 0;
  #joinedAt = 0;
  readonly #closing = new AbortController();
  #nextPing: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    page.addEventListener?.('offline', this.#onOffline);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Sits down, with a seat that is already there or one asked for now. Does not wait for it. */
  open(seat?: Seat): void {
    void this.#connect(seat);
  }

  /** Asks the room. Rejects with a `DuetApiError`; at once while there is no connection. */
  async request<T>(type: string, payload: object = {}): Promise<T> {
    if (!this.#room || this.#state !== 'connected') throw DuetApiError.network();
    try {
      return await this.#room.request<unknown, T>(type, payload, { timeout: REQUEST_TIMEOUT_MS });
    } catch (error) {
      throw DuetApiError.fromRoom(error);
    }
  }

  send(type: string, payload: object = {}): void {
    if (this.#state === 'connected') this.#room?.send(type, payload);
  }

  /** Sits down by this seat, in the place of the present one or of what is on its way. */
  sit(seat: Seat): void {
    if (this.#state === 'closed') return;
    this.#dropRoom();
    if (this.#state === 'connected') this.#become('reconnecting');
    void this.#connect(seat);
  }

  /** Gives the present room up and asks for a new seat, as if the socket had been lost. */
  renew(): void {
    if (this.#state !== 'connected') return;
    this.#dropRoom();
    this.#forgetFailures();
    this.#retry();
  }

  /** Leaves for good. */
  close(): void {
    this.#end({});
  }

  async #connect(given?: Seat): Promise<void> {
    const turn = ++this.#turn;
    const isWanted = () => turn === this.#turn && this.#state !== 'closed';
    try {
      const seat = given ?? (await this.#options.askForSeat());
      if (!isWanted()) return;
      const room = await this.#options.seats.take(seat, this.#closing.signal);
      if (!isWanted()) return void room.leave(this.#state === 'closed');
      this.#bind(room);
    } catch (error) {
      if (!isWanted()) return;
      const isRefused = error instanceof DuetApiError && !error.isTemporary;
      // A seat that could not be taken (it ran out, or its process died) is not the end: ask for another. So it is with
      // one that was given, where this client itself sat down by a later one meanwhile.
      if (isRefused && given === undefined) return this.#end({ error });
      this.#retry();
    }
  }

  #dropRoom(): void {
    const room = this.#room;
    this.#room = undefined;
    room?.leave(false);
  }

  #bind(room: Room): void {
    this.#joinedAt = performance.now();
    this.#room = room;
    room.onMessage('*', (type, payload) => {
      if (this.#room === room) this.emit('message', { type: String(type), payload });
    });
    room.onStateChange((state) => {
      if (this.#room === room) this.emit('patch', state);
    });
    room.onLeave((code) => {
      if (this.#room !== room) return;
      this.#room = undefined;
      this.#forgetFailures();
      if (this.#options.isFinal?.(code)) this.#end({ code });
      else this.#retry();
    });
    this.#become('connected');
    this.#pingLater(room);
    this.emit('up', room);
  }

  #pingLater(room: Room): void {
    clearTimeout(this.#nextPing);
    if (this.#room !== room) return;
    this.#nextPing = setTimeout(() => {
      this.#nextPing = setTimeout(() => {
        if (this.#room === room) this.renew();
      }, PONG_WITHIN_MS);
      room.ping(() => this.#pingLater(room));
    }, PING_EVERY_MS);
  }

  #forgetFailures(): void {
    if (performance.now() - this.#joinedAt > STABLE_AFTER_MS) this.#attempt = 0;
  }

  #retry(): void {
    this.#become('reconnecting');
    const turn = this.#turn;
    void pause(backoffMs(this.#attempt++)).then(() => {
      if (this.#state === 'reconnecting' && turn === this.#turn) void this.#connect();
    });
  }

  #end(how: LinkEvents['closed']): void {
    if (this.#state === 'closed') return;
    const room = this.#room;
    this.#room = undefined;
    this.#closing.abort();
    page.removeEventListener?.('offline', this.#onOffline);
    clearTimeout(this.#nextPing);
    this.#become('closed');
    room?.leave();
    this.emit('closed', how);
  }

  /** The SDK of Colyseus closes its sockets then as well, but skips every second one. */
  readonly #onOffline = (): void => this.renew();

  #become(state: LinkState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.emit('state', state);
  }
}
