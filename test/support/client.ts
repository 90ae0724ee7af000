/** A person of a test, through the same doors as everybody: HTTP by fetch, rooms by the Colyseus SDK. */
import { Client, type Room } from '@colyseus/sdk';
import type { Seat } from '../../src/actors/Actors.ts';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** Any JSON, read field by field in assertions. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads answers whose shapes it is there to check
export type Json = any;

/** One request. */
export async function request<T = Json>(
  url: string,
  method: string,
  path: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as T,
  };
}

export class Person {
  readonly url: string;
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly #rooms: Room[] = [];

  constructor(url: string, id: string, email: string, token: string) {
    this.url = url;
    this.id = id;
    this.email = email;
    this.token = token;
  }

  /** A request of this person's to the API (`path` below /api/v1). */
  call<T = Json>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>> {
    return request<T>(this.url, method, `/api/v1${path}`, {
      token: this.token,
      body,
      ...(headers && { headers }),
    });
  }

  /** The same, expecting success; resolves with the body. */
  async ok<T = Json>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.call<T>(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Takes a seat; `token` in place of one's own for tests of stolen seats. */
  async sit(seat: Seat, token = this.token): Promise<Room> {
    const sdk = new Client(this.url);
    sdk.auth.token = token;
    const room = await sdk.consumeSeatReservation(seat as never);
    // A test that loses its room asks for a new seat itself.
    room.reconnection.enabled = false;
    this.#rooms.push(room);
    return room;
  }

  /** Joins the inbox and collects its events. */
  async inbox(): Promise<Inbox> {
    const { seat } = await this.ok<{ seat: Seat }>('POST', '/realtime/inbox');
    return new Inbox(await this.sit(seat));
  }

  async leave(): Promise<void> {
    // One that the server has closed never says that it was left.
    const open = this.#rooms.filter(({ connection }) => connection.isOpen);
    await Promise.all(open.map((room) => room.leave().catch(() => undefined)));
  }
}

/** What a room said, in order. */
export class Inbox {
  readonly room: Room;
  readonly events: { type: string; payload: Json }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(room: Room) {
    this.room = room;
    room.onMessage('*', (type, payload) => {
      this.events.push({ type: String(type), payload });
      for (const wake of this.#waiting) wake();
    });
  }

  /** The payload of the next event of a type that fits, also one that came already. Rejects after `withinMs`. */
  async next(type: string, fits: (payload: Json) => boolean = () => true, withinMs = 20_000): Promise<Json> {
    const found = () => this.events.find((event) => event.type === type && fits(event.payload));
    const end = performance.now() + withinMs;
    for (;;) {
      const event = found();
      if (event !== undefined) return event.payload;
      const leftMs = end - performance.now();
      if (leftMs <= 0)
        throw new Error(`no ${type} within ${withinMs} ms; came: ${this.events.map((e) => e.type)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, leftMs);
        const waiting = this.#waiting;
        waiting.add(done);
        function done() {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
      });
    }
  }

  ofType(type: string): Json[] {
    return this.events.filter((event) => event.type === type).map((event) => event.payload);
  }
}
