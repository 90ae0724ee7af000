/**
 * The door to one match for those of its two people who have it open. It holds nothing of the match: commands go to
 * the use case, what happened comes back as the events of each person's inbox that concern this match.
 */
import { z } from 'zod';
import { callView } from '../src/calling/view.ts';
import type { Subscription } from '../src/events/InboxHub.ts';
import type { StoredEvent } from '../src/events/outbox.ts';
import type { MatchCommand } from '../src/matching/transitions.ts';
import { Nothing } from '../src/shapes.ts';
import { BaseRoom, type DuetClient } from './BaseRoom.ts';
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

  override async onJoin(client: DuetClient): Promise<void> {
    const { hub, log } = this.services;
    const { userId } = this.admit(client);
    const { seq } = await hub.position(userId);
    const subscription = hub.subscribe(userId, seq, {
      deliver: (event) => {
        if (!concerns(event, this.#matchId)) return;
        Promise.resolve(this.services.present(event))
          .then((payload) => client.send(event.type, payload))
          .catch((err: unknown) => log.warn({ err }, 'a match event could not be shown'));
      },
      // Told in the person's inbox, which hears the same events: here nothing is kept that could be out of date.
      resync: () => {},
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
