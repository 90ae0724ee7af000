/** A person's inbox as their phone has it: joined, left with its process, joined again; every number once, in order. */
import { Client } from '@colyseus/sdk';
import type { Seat } from '../src/actors/Actors.ts';

export class InboxReader {
  /** The last number delivered. */
  seq = 0;
  /** Numbers that were passed over. Must stay empty. */
  readonly gaps: string[] = [];
  /** Events that came a second time, which at-least-once allows. */
  again = 0;
  reconnections = 0;
  readonly #seat: () => Promise<{ seat: Seat; token: string }>;
  readonly #heard: (type: string, payload: unknown) => void;
  #stopped = false;
  #wake = () => {};

  constructor(
    seat: () => Promise<{ seat: Seat; token: string }>,
    heard: (type: string, payload: unknown) => void,
  ) {
    this.#seat = seat;
    this.#heard = heard;
  }

  /** Reads until `stop`. */
  async read(): Promise<void> {
    while (!this.#stopped) {
      await this.#session().catch(() => {});
      this.reconnections += 1;
      if (!this.#stopped) await new Promise((done) => setTimeout(done, 100 + Math.random() * 400));
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #session(): Promise<void> {
    const { seat, token } = await this.#seat();
    const sdk = new Client(`http://${seat.publicAddress}`);
    sdk.auth.token = token;
    const room = await sdk.consumeSeatReservation(seat as never);
    room.reconnection.enabled = false;
    const left = new Promise<void>((done) => {
      room.onLeave(() => done());
      this.#wake = done;
    });
    room.onMessage('*', (type, payload) => {
      if (typeof payload?.seq !== 'number') return;
      this.#arrived(String(type), payload);
      if (payload.seq % 10 === 0) room.send('inbox:ack', { seq: payload.seq });
    });
    if (!this.#stopped) await left;
    await Promise.race([room.leave(), new Promise((done) => setTimeout(done, 1_000))]);
  }

  #arrived(type: string, payload: { seq: number }): void {
    if (payload.seq <= this.seq) {
      this.again += 1;
      return;
    }
    if (payload.seq !== this.seq + 1) this.gaps.push(`${this.seq} then ${payload.seq}`);
    this.seq = payload.seq;
    this.#heard(type, payload);
  }
}
