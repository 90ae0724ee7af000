/**
 * The door to people's inboxes: a room that hundreds share, each of whom hears only what is addressed to them.
 * Events come in order and without gaps from the last acknowledged one on, or from the call on that still rings, as fast
 * as the client reads; one that does not read is closed and finds the rest when it returns.
 */

import { INBOX_SEATS, type InboxSeatOptions } from '../src/actors/Actors.ts';
import type { Subscription } from '../src/events/InboxHub.ts';
import { BaseRoom, type DuetClient } from './BaseRoom.ts';
import { InboxFeed } from './InboxFeed.ts';
import { CLIENT_MESSAGES } from './messages.ts';
import type { RoomServices } from './services.ts';

export abstract class InboxRoom extends BaseRoom {
  abstract override readonly services: RoomServices;
  readonly #subscriptions = new Map<string, { feed: InboxFeed; subscription: Subscription }>();

  override onCreate(): void {
    this.maxClients = INBOX_SEATS;
    this.open();
  }

  protected override takeMessages(): void {
    const messages = CLIENT_MESSAGES.inbox;
    this.handle('inbox:ack', messages['inbox:ack'].payload, async (room, client, { seq }) => {
      const { hub } = room.services;
      const { userId, sessionId } = client.auth!;
      const news = room.#subscriptions.get(client.sessionId)?.feed.hearsOfCall(seq);
      if (news !== undefined) hub.tellHeard({ userId, sessionId, seq: news.seq, at: news.at });
      await hub.ack(userId, seq);
    });
    this.handle('inbox:replay', messages['inbox:replay'].payload, (room, client, { after, at }) => {
      const toldAt = at === undefined ? undefined : Date.parse(at);
      room.#subscriptions.get(client.sessionId)?.subscription.replay(after, toldAt);
    });
  }

  override onJoin(client: DuetClient, { after }: InboxSeatOptions): void {
    const { userId } = this.admit(client);
    const feed = new InboxFeed(client, this.services);
    const subscription = this.services.hub.subscribe(userId, after, feed);
    this.#subscriptions.set(client.sessionId, { feed, subscription });
  }

  override onLeave(client: DuetClient): void {
    this.#subscriptions.get(client.sessionId)?.subscription.close();
    this.#subscriptions.delete(client.sessionId);
  }

  override onDispose(): void {
    for (const { subscription } of this.#subscriptions.values()) subscription.close();
    this.shut();
  }
}
