/**
 * The door to people's inboxes: a room that hundreds share, each of whom hears only what is addressed to them.
 * Events come in order and without gaps from the last acknowledged one on; a client that cannot keep up is closed by
 * the transport and finds the rest when it returns.
 */

import { INBOX_SEATS } from '../src/actors/Actors.ts';
import { isoTime } from '../src/clock.ts';
import type { Position, Subscription } from '../src/events/InboxHub.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import { BaseRoom, type DuetClient } from './BaseRoom.ts';
import { CLIENT_MESSAGES } from './messages.ts';
import type { RoomServices } from './services.ts';

export abstract class InboxRoom extends BaseRoom {
  abstract override readonly services: RoomServices;
  readonly #subscriptions = new Map<string, Subscription>();

  override onCreate(): void {
    this.maxClients = INBOX_SEATS;
    this.open();
    const messages = CLIENT_MESSAGES.inbox;
    this.handle('inbox:ack', messages['inbox:ack'].payload, async (client, { seq }) => {
      await this.services.hub.ack(client.auth!.userId, seq);
    });
    this.handle('inbox:replay', messages['inbox:replay'].payload, (client, { after }) => {
      this.#subscriptions.get(client.sessionId)?.replay(after);
    });
  }

  override async onJoin(client: DuetClient): Promise<void> {
    const { hub } = this.services;
    const { userId } = client.auth!;
    const { acked } = await hub.position(userId);
    // Presenting may wait for the database, so one chain a client keeps the order.
    let last: Promise<void> = Promise.resolve();
    const inOrder = (send: () => Promise<void> | void) => {
      last = last.then(send).catch((err: unknown) => {
        this.services.log.warn(
          { err },
          'an inbox event could not be shown, its client is closed and comes back',
        );
        client.leave();
      });
    };
    const subscription = hub.subscribe(userId, acked, {
      deliver: (event) => inOrder(() => this.#send(client, event)),
      resync: ({ epoch, seq }: Position) => inOrder(() => client.send('inbox:resync', { epoch, seq })),
    });
    this.#subscriptions.set(client.sessionId, subscription);
  }

  override onLeave(client: DuetClient): void {
    this.#subscriptions.get(client.sessionId)?.close();
    this.#subscriptions.delete(client.sessionId);
  }

  override onDispose(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.shut();
  }

  async #send(client: DuetClient, event: StoredEvent): Promise<void> {
    const payload = await this.services.present(event);
    client.send(event.type, { ...payload, seq: event.seq, epoch: event.epoch, at: isoTime(event.at) });
  }
}
