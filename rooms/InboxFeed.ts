/**
 * One device's part of its person's inbox: events put into words and sent in order, as fast as the client reads. One
 * that reads slowly is waited for; one that does not read is closed, and finds the rest when it returns.
 */
import { ClientState } from '@colyseus/core';
import { isoTime, sleep } from '../src/clock.ts';
import type { Position, Subscriber } from '../src/events/InboxListener.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import { waitingBytes } from '../src/transport/RoomSocket.ts';
import type { DuetClient } from './BaseRoom.ts';
import type { RoomServices } from './services.ts';

/** While more than this waits nothing is added. Well below the limit at which the transport closes the socket. */
const BUSY_BYTES = 128 * 1024;
/** Events being put into words, each of some kilobytes: together below that limit too. */
const BUSY_EVENTS = 8;
const LOOK_EVERY_MS = 25;
/** A client that took nothing for so long does not read. */
const STALLED_MS = 4_000;

export class InboxFeed implements Subscriber {
  readonly #client: DuetClient;
  readonly #services: RoomServices;
  // Putting into words may wait for the database, so one chain a client keeps the order.
  #last: Promise<void> | undefined;
  #unsent = 0;
  /** The last news of a call that was sent and not acknowledged. */
  #callNews: { seq: number; at: number } | undefined;

  constructor(client: DuetClient, services: RoomServices) {
    this.#client = client;
    this.#services = services;
  }

  /** What acknowledging `seq` says this device knows of a call, the first time that it says so. */
  hearsOfCall(seq: number): { seq: number; at: number } | undefined {
    const news = this.#callNews;
    if (news === undefined || seq < news.seq) return undefined;
    this.#callNews = undefined;
    return news;
  }

  deliver(event: StoredEvent): void {
    if (event.type.startsWith('call:')) this.#callNews = { seq: event.seq, at: event.at };
    const { present } = this.#services;
    if (this.#last !== undefined) {
      this.#inOrder(async () => this.#send(event, await present(event)));
      return;
    }
    // Most events need nothing looked up, and nothing is on its way before them.
    try {
      const payload = present(event);
      if (payload instanceof Promise) this.#inOrder(async () => this.#send(event, await payload));
      else this.#send(event, payload);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Whoever is told to reload is not told so again on coming back, whether or not their client acknowledges it. */
  resync({ epoch, seq }: Position): void {
    const { clock, hub } = this.#services;
    this.#inOrder(async () => {
      this.#client.send('inbox:resync', { epoch, seq, at: isoTime(clock.now()) });
      await hub.ack(this.#client.auth!.userId, seq);
    });
  }

  isBusy(): boolean {
    return this.#unsent >= BUSY_EVENTS || waitingBytes(this.#client) > BUSY_BYTES;
  }

  /** Resolves when more can be sent, or when there is nobody left to send it to. */
  async ready(): Promise<void> {
    await this.#last;
    const { clock } = this.#services;
    let leastBytes = waitingBytes(this.#client);
    let movedAt = clock.now();
    while (waitingBytes(this.#client) > BUSY_BYTES) {
      await sleep(clock, LOOK_EVERY_MS);
      const bytes = waitingBytes(this.#client);
      // How long joining may take is for the transport to say.
      if (bytes < leastBytes || this.#client.state === ClientState.JOINING) {
        leastBytes = bytes;
        movedAt = clock.now();
      } else if (clock.now() - movedAt >= STALLED_MS) {
        // Without a code: whoever does not read would not read that either.
        this.#client.leave();
        return;
      }
    }
  }

  #send({ type, seq, epoch, at }: StoredEvent, payload: object): void {
    this.#client.send(type, { ...payload, seq, epoch, at: isoTime(at) });
  }

  #inOrder(send: () => Promise<void>): void {
    this.#unsent += 1;
    const sent: Promise<void> = (this.#last ?? Promise.resolve())
      .then(send)
      .catch((error: unknown) => this.#giveUp(error))
      .finally(() => {
        this.#unsent -= 1;
        // Nothing is kept for a client that nothing is due to.
        if (this.#last === sent) this.#last = undefined;
      });
    this.#last = sent;
  }

  #giveUp(err: unknown): void {
    this.#services.log.warn(
      { err },
      'an inbox event could not be shown, its client is closed and comes back',
    );
    this.#client.leave();
  }
}
