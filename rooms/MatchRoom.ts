/**
 * The door to one match for those of its two people who have it open. It holds nothing of the match: commands go to
 * the use case, what happened comes back as the events of each person's inbox that concern this match. Whoever was told
 * that it has ended is sent off.
 */
import { z } from 'zod';
import type { InboxSeatOptions } from '../src/actors/Actors.ts';
import { callView } from '../src/calling/view.ts';
import type { Subscription } from '../src/events/InboxHub.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import type { MatchCommand } from '../src/matching/transitions.ts';
import { Nothing } from '../src/shapes.ts';
import { BaseRoom, CLOSE, type DuetClient, LINGER_MS } from './BaseRoom.ts';
import { InboxFeed } from './InboxFeed.ts';
import { CLIENT_MESSAGES } from './messages.ts';
import type { RoomServices } from './services.ts';

export abstract class MatchRoom extends BaseRoom {
  abstract override readonly services: RoomServices;
  readonly #subscriptions = new Map<string, Subscription>();
  #matchId!: string;

  override onCreate({ matchId }: { matchId: string }): void {
    this.#matchId = matchId;
    this.open();
  }

  protected override takeMessages(): void {
    this.#on('match:accept', { type: 'accept' });
    this.#on('match:decline', { type: 'decline' });
    this.#on('match:end', { type: 'end' });
    this.handle(
      'call:initiate',
      CLIENT_MESSAGES.match['call:initiate'].payload,
      async (room, client, { media }) => {
        const { calls, actors, clock } = room.services;
        const { userId } = client.auth!;
        const call = await calls.initiate(room.#matchId, userId, media);
        return { call: callView(call, clock.now()), seat: await actors.callSeat(call.id, userId) };
      },
    );
  }

  override onJoin(client: DuetClient, { after }: InboxSeatOptions): void {
    const { userId } = this.admit(client);
    const feed = new InboxFeed(client, this.services);
    const subscription = this.services.hub.subscribe(userId, after, {
      deliver: (event) => {
        if (!concerns(event, this.#matchId)) return;
        feed.deliver(event);
        if (event.type === 'match:ended') void feed.ready().then(() => this.#over(client));
      },
      // What cannot be told any more may have been the end: whoever asks for a new seat hears of that.
      resync: () => this.dismiss(client, CLOSE.moved),
      isBusy: () => feed.isBusy(),
      ready: () => feed.ready(),
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

  /** Sends a client off who was told that the match has ended. */
  #over(client: DuetClient): void {
    this.services.clock.after(LINGER_MS, () => this.dismiss(client, CLOSE.ended));
  }

  #on(type: string, command: MatchCommand): void {
    this.handle(type, Nothing, async (room, client) => {
      const { matches } = room.services;
      const { userId } = client.auth!;
      await matches.command(room.#matchId, command, userId);
      return { match: await matches.view(room.#matchId, userId) };
    });
  }
}

const OfMatch = z.object({ matchId: z.string() });

function concerns(event: StoredEvent, matchId: string): boolean {
  return event.type.startsWith('match:') && OfMatch.safeParse(event.payload).data?.matchId === matchId;
}
