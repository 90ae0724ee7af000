import type { Room } from '@colyseus/sdk';
import type { Seats } from '../../../web/sdk/Seats.ts';

/** A room as the SDK of Colyseus gives one, as far as Duet's SDK uses it. */
export class FakeRoom {
  isAlive = true;
  hasLeft = false;
  readonly sent: { type: string; payload: unknown }[] = [];
  /** What requests are answered with, by type; those without an answer never get one. */
  readonly answers: Record<string, () => unknown> = {};
  #hear: (type: string, payload: unknown) => void = () => undefined;
  #patched: (state: unknown) => void = () => undefined;
  #left: (code: number) => void = () => undefined;

  onMessage(_: '*', hear: (type: string, payload: unknown) => void): void {
    this.#hear = hear;
  }
  onStateChange(patched: (state: unknown) => void): void {
    this.#patched = patched;
  }
  onLeave(left: (code: number) => void): void {
    this.#left = left;
  }
  send(type: string, payload: unknown): void {
    this.sent.push({ type, payload });
  }
  async request(type: string, payload: unknown): Promise<unknown> {
    this.sent.push({ type, payload });
    return await (this.answers[type]?.() ?? new Promise(() => {}));
  }
  leave(): void {
    this.hasLeft = true;
  }
  ping(answer: () => void): void {
    if (this.isAlive) answer();
  }

  /** The server says something. */
  hear(type: string, payload: unknown): void {
    this.#hear(type, payload);
  }
  /** The state changes. */
  patch(state: unknown): void {
    this.#patched(state);
  }
  /** The socket is gone. */
  drop(code: number): void {
    this.#left(code);
  }
}

/** Seats that are always to be had, each in a room of its own; `rooms` are those that somebody sat down in. */
export function fakeSeats(answer: (path: string, body?: unknown) => unknown = () => ({})): {
  seats: Seats;
  rooms: FakeRoom[];
} {
  const rooms: FakeRoom[] = [];
  const ask = async <T>(path: string, body?: unknown) =>
    ({ ...((await answer(path, body)) as object), seat: {} }) as T;
  const seats: Pick<Seats, 'ask' | 'insist' | 'take'> = {
    ask,
    insist: ask,
    take: async () => {
      const room = new FakeRoom();
      rooms.push(room);
      return room as unknown as Room;
    },
  };
  return { seats: seats as Seats, rooms };
}
