import { Client, type Room } from '@colyseus/sdk';
import type { Auth } from './Auth.ts';
import type { Http } from './Http.ts';
import { localNow, type ServerClock } from './ServerClock.ts';
import type { Seat } from './types.ts';

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
  async ask<T extends { seat: Seat }>(path: string, body?: unknown, idempotencyKey?: string): Promise<T> {
    const askedAtMs = localNow();
    const answer = await this.#http.post<T>(path, body, { idempotencyKey });
    this.#clock.sample(answer.seat.serverNow, askedAtMs);
    return answer;
  }

  /**
   * Sits down. The room's own reconnection is off: whoever loses a room asks for a new seat, which may be in
   * another process. Listeners must be added in the same microtask, before the next frame arrives.
   */
  async take(seat: Seat): Promise<Room> {
    const token = await this.#auth.accessToken();
    // The room checks that the token's user is the seat's user.
    if (token !== undefined) this.#client.auth.token = token;
    const room: Room = await this.#client.consumeSeatReservation(seat);
    room.reconnection.enabled = false;
    return room;
  }
}
