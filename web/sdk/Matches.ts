import type { Http } from './Http.ts';
import { query } from './People.ts';
import type { Card, Match, Page } from './types.ts';

export type Decision = { decision: 'like' | 'dislike'; match: Match | null };

/** Deciding on people, and the matches that come of it. */
export class Matches {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Likes; `match` is set when it is mutual. Errors: `EMAIL_UNVERIFIED`, `NOT_FOUND`. */
  like(userId: string): Promise<Decision> {
    return this.#decide('like', userId);
  }

  pass(userId: string): Promise<Decision> {
    return this.#decide('dislike', userId);
  }

  /**
   * Takes the last pass of the day back; resolves with whom it was about. Errors: `NOT_FOUND` when there is none, `CONFLICT`
   * when another call took it back in the same moment.
   */
  async undo(): Promise<Card> {
    const { undone } = await this.#http.post<{ undone: Card }>('/matches/undo');
    return undone;
  }

  active(options: { limit?: number; cursor?: string } = {}): Promise<Page<Match>> {
    return this.#http.get(`/matches/active${query(options)}`);
  }

  history(options: { limit?: number; cursor?: string } = {}): Promise<Page<Match>> {
    return this.#http.get(`/matches/history${query(options)}`);
  }

  /** Ends the match. The other is not told who did. */
  end(matchId: string): Promise<Match> {
    return this.#http.post(`/matches/${matchId}/end`);
  }

  #decide(what: 'like' | 'dislike', userId: string): Promise<Decision> {
    return this.#http.post(`/matches/${what}/${userId}`, undefined, { idempotencyKey: crypto.randomUUID() });
  }
}
