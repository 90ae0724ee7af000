/** Matches as a use case: one of them, and the commands that people and the clock give. Lists: `MatchLists`. */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError, isRefusal, type Refusal } from '../errors.ts';
import type { StoredEvent } from '../events/outbox.ts';
import type { Card } from '../people/shapes.ts';
import { lock, MATCH_COLUMNS, type MatchRow, matchOf, save } from './matchStore.ts';
import { matchViews } from './matchView.ts';
import type { MatchView } from './shapes.ts';
import {
  byPerson,
  bySystem,
  type Match,
  type MatchChange,
  type MatchCommand,
  type MatchSettings,
  type MatchSystemCommand,
  sideOf,
} from './transitions.ts';

export interface MatchesOptions {
  db: Database;
  clock: Clock;
  settings: MatchSettings;
  /** The cards of several people as one viewer sees them. */
  cards: (viewerId: string, userIds: readonly string[]) => Promise<Map<string, Card>>;
  publish: (events: readonly StoredEvent[]) => void;
  /** Told of the two people of a match that may have changed, after the commit and before `publish`. */
  onChanged?: (userIds: readonly string[]) => void;
  /** Called after a match closed, to end a call that is live between the two. */
  onClosed: (matchId: string) => Promise<void>;
}

const findMatch = sql<MatchRow>('match-find', `select ${MATCH_COLUMNS} from matches where id = $1`);

const findBetween = sql<{ id: string }>(
  'match-between',
  `select id from matches where low_id = least($1::uuid, $2::uuid) and high_id = greatest($1::uuid, $2::uuid) and status = 'active'`,
);

const activeOf = sql<{ id: string }>(
  'match-active-of',
  `select m.id from matches m left join live_calls l on l.user_id = $1 left join calls c on c.id = l.call_id
   where m.status = 'active' and (m.low_id = $1 or m.high_id = $1)
   order by (c.match_id is not distinct from m.id) desc, m.id`,
);

export class Matches {
  readonly #options: MatchesOptions;

  constructor(options: MatchesOptions) {
    this.#options = options;
  }

  /** One match as one of its two people sees it; NOT_FOUND for everybody else. */
  async view(matchId: string, viewerId: string): Promise<MatchView> {
    const match = await this.find(matchId);
    if (match === undefined || sideOf(match, viewerId) === undefined) throw new DuetError('NOT_FOUND');
    const [view] = await matchViews([match], viewerId, this.#options.cards);
    if (view === undefined) throw new DuetError('NOT_FOUND');
    return view;
  }

  /** The same, for who wants a seat in its room: MATCH_NOT_ACTIVE when it is over. */
  async joinable(matchId: string, viewerId: string): Promise<MatchView> {
    const view = await this.view(matchId, viewerId);
    if (view.phase === 'closed') throw new DuetError('MATCH_NOT_ACTIVE');
    return view;
  }

  async find(matchId: string): Promise<Match | undefined> {
    const [row] = await this.#options.db.query(findMatch, [matchId]);
    return row && matchOf(row);
  }

  /** A person's command. Resolves with the match after it. Throws NOT_FOUND for strangers, and what the rules refuse. */
  async command(matchId: string, command: MatchCommand, userId: string): Promise<Match> {
    return this.#change(matchId, (match, now) => {
      const side = sideOf(match, userId);
      return side === undefined ? { refused: 'NOT_FOUND' } : byPerson(match, command, side, now);
    });
  }

  /** A command of the server: a deadline, or the pair was severed. */
  async system(matchId: string, command: MatchSystemCommand): Promise<Match> {
    const { settings } = this.#options;
    return this.#change(matchId, (match, now) => bySystem(match, command, now, settings));
  }

  /** Ends what is between two people (a block). */
  async sever(oneId: string, otherId: string): Promise<void> {
    const [row] = await this.#options.db.query(findBetween, [oneId, otherId]);
    if (row !== undefined) await this.system(row.id, { type: 'sever' });
  }

  /**
   * Ends all that is between a person and others: the account left. The match with the live call comes first. Throws the
   * first failure when all were tried.
   */
  async severAll(userId: string): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const { id } of await this.#options.db.query(activeOf, [userId])) {
      // One that cannot be ended now must not keep the others from ending.
      await this.system(id, { type: 'sever' }).catch((error: unknown) => {
        failure ??= { error };
      });
    }
    if (failure !== undefined) throw failure.error;
  }

  async #change(
    matchId: string,
    decide: (match: Match, now: number) => MatchChange | Refusal,
  ): Promise<Match> {
    const { db, settings, publish, onChanged, onClosed, clock } = this.#options;
    let people: string[] = [];
    const { decided, events, closed } = await db
      .transaction(async (tx) => {
        const locked = await lock(tx, matchId, clock, settings);
        if (locked === undefined) throw new DuetError('NOT_FOUND');
        const { before, due, now } = locked;
        const change = decide(due.match, now);
        const isStranger = isRefusal(change) && change.refused === 'NOT_FOUND';
        if (!isStranger) people = [before.lowId, before.highId];
        // What fell due is kept also when the command is refused because of it.
        const after = isRefusal(change) ? { match: due.match, effects: [] } : change;
        return {
          decided: change,
          events: await save(tx, locked, after, settings),
          closed: before.phase !== 'closed' && after.match.phase === 'closed',
        };
      })
      .finally(() => {
        // Also where nobody knows whether it was committed, and where it changes nothing: an earlier one, whose answer was
        // lost, may have.
        if (people.length > 0) onChanged?.(people);
      });
    publish(events);
    if (closed) await onClosed(matchId);
    if (isRefusal(decided)) throw new DuetError(decided.refused);
    return decided.match;
  }
}
