import { endsSession } from './closeCodes.ts';
import { Emitter } from './Emitter.ts';
import { type LinkState, RoomLink } from './RoomLink.ts';
import type { Seats } from './Seats.ts';
import type { Match, Seat } from './types.ts';

type MatchSessionEvents = {
  state: LinkState;
  /** `match:*` as the match's room tells it. */
  event: { type: string; payload: unknown };
  closed: undefined;
};

/**
 * A seat in a match's room: accept, decline, end. What one may not do any more is refused with `MATCH_NOT_ACTIVE`; a second
 * after the match has ended the room is `closed`, and with `NETWORK` from then on.
 */
export class MatchSession extends Emitter<MatchSessionEvents> {
  readonly match: Match;
  readonly #link: RoomLink;

  private constructor(match: Match, link: RoomLink) {
    super();
    this.match = match;
    this.#link = link;
    link.on('state', (state) => this.emit('state', state));
    link.on('message', ({ type, payload }) => this.emit('event', { type, payload }));
    link.on('closed', () => this.emit('closed', undefined));
  }

  /** Joins. Errors: `NOT_FOUND`, `MATCH_NOT_ACTIVE` where it is over. */
  static async join(seats: Seats, matchId: string): Promise<MatchSession> {
    const ask = () => seats.ask<{ match: Match; seat: Seat }>(`/matches/${matchId}/join`);
    const { match, seat } = await ask();
    const link = new RoomLink({ seats, isFinal: endsSession, askForSeat: async () => (await ask()).seat });
    const session = new MatchSession(match, link);
    link.open(seat);
    return session;
  }

  accept(): Promise<unknown> {
    return this.#link.request('match:accept');
  }

  decline(): Promise<unknown> {
    return this.#link.request('match:decline');
  }

  end(): Promise<unknown> {
    return this.#link.request('match:end');
  }

  /** Leaves the room; the match goes on. */
  leave(): void {
    this.#link.close();
    this.clear();
  }
}
