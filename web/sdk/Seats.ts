import { Client, type Room } from '@colyseus/sdk';
import type { Auth } from './Auth.ts';
import { CLOSED } from './closeCodes.ts';
import { DuetApiError } from './DuetApiError.ts';
import type { Http } from './Http.ts';
import { persist, within } from './persist.ts';
import { localNow, type ServerClock } from './ServerClock.ts';
import type { Seat } from './types.ts';

/** How long a room may take to let somebody in. Another process has its calls long before. */
const JOIN_MS = 8_000;

/** Asks for seats over HTTP and takes them in rooms. */
export class Seats {
  readonly #client: Client;
  readonly #http: Http;
  readonly #auth: Auth;
  readonly #clock: ServerClock;

  constructor(http: Http, auth: Auth, clock: ServerClock) {
    this.#client = new Client(http.baseUrl);
    this.#http = http;
    this.#auth = auth;
    this.#clock = clock;
  }

  /** POSTs for an answer with a seat in it, and reads the server's clock from it. */
  ask<T extends { seat: Seat }>(path: string, body?: unknown): Promise<T> {
    return this.#sample(() => this.#http.post<T>(path, body));
  }

  /** The same where it is worth asking again: for an answer that is lost, or a server that is away for a moment. */
  insist<T extends { seat: Seat }>(path: string, body?: unknown): Promise<T> {
    const idempotencyKey = crypto.randomUUID();
    // What comes in the end may have been written for the first of the askings.
    return this.#sample(() => persist(() => this.#http.post<T>(path, body, { idempotencyKey })));
  }

  /**
   * Sits down. The room's own reconnection is off: whoever loses a room asks for a new seat, which may be in
   * another process. Listeners must be added in the same microtask, before the next frame arrives. Rejects with NETWORK
   * when nothing comes of it: a process that stands still, or a host that is gone, does not even refuse. A seat that
   * is not wanted any more (`signal`) is left alone: taking it would take the place of whoever sits there by now. Rejects
   * with CONFLICT where another device of the person's has the call since the seat was asked for.
   */
  async take(seat: Seat, signal?: AbortSignal): Promise<Room> {
    const token = await this.#auth.accessToken();
    signal?.throwIfAborted();
    // The room checks that the token's user is the seat's user.
    if (token !== undefined) this.#client.auth.token = token;
    const joining: Promise<Room> = this.#client.consumeSeatReservation(seat).catch((error) => {
      throw isTaken(error)
        ? new DuetApiError(409, { code: 'CONFLICT', message: 'This call goes on somewhere else.' })
        : error;
    });
    const room = await within(joining, JOIN_MS).catch((error) => {
      joining.then((late) => late.leave(false)).catch(() => undefined);
      throw error;
    });
    room.reconnection.enabled = false;
    return room;
  }

  async #sample<T extends { seat: Seat }>(ask: () => Promise<T>): Promise<T> {
    const askedAtMs = localNow();
    const answer = await ask();
    this.#clock.sample(answer.seat.serverNow, askedAtMs);
    return answer;
  }
}

/** Not let in, or sent off again before being in. */
function isTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message === 'CONFLICT' || ('code' in error && error.code === CLOSED.takenOver);
}
