/**
 * Likes and dislikes. A person's decision about another is half of their pair's one row; the mutual like is decided
 * by that row's lock, so exactly one match comes of any number of simultaneous likes, and none across a block.
 */
import type { Clock } from '../clock.ts';
import { DAY_MS, dayOf } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { retryDeadlocks } from '../db/retryDeadlocks.ts';
import { DuetError } from '../errors.ts';
import type { StoredEvent } from '../events/outbox.ts';
import { DecisionQueue } from './DecisionQueue.ts';
import { batchValues, type Decided, type Order, type Outcome, readBatch } from './decisionBatch.ts';
import {
  type DecisionKind,
  decideOrders,
  forgetPair,
  lastDislike,
  lastMatch,
  lockPair,
  returnLikes,
  undoDislike,
} from './decisionSql.ts';
import { ENDED_MATCH_DAYS, type MatchSettings } from './transitions.ts';

export interface DecisionsOptions {
  db: Database;
  clock: Clock;
  /** `config.match`. */
  match: MatchSettings;
  /** Likes of new people a UTC day. `config.likesPerDay`. */
  likesPerDay: { regular: number; premium: number };
  /** Hands events to who is connected, after the commit. */
  publish: (events: readonly StoredEvent[]) => void;
}

/** How long a dislike may be taken back. */
const UNDO_MS = DAY_MS;
const TRIES = 3;

export class Decisions {
  readonly #options: DecisionsOptions;
  readonly #queue: DecisionQueue<Order, Outcome>;

  constructor(options: DecisionsOptions) {
    this.#options = options;
    this.#queue = new DecisionQueue<Order, Outcome>({
      run: (orders) => this.#runBatch(orders),
      // One decision a person at a time: so likes are counted one by one.
      keyOf: (order) => order.actorId,
    });
  }

  /**
   * Decides. The same like again changes nothing; the same dislike counts anew: whoever comes back after it does so after
   * the last. A different decision replaces it until there is a match, then it is CONFLICT. NOT_FOUND for who is not there
   * to be decided on, for whatever reason; EMAIL_UNVERIFIED; TOO_MANY_REQUESTS when the day's likes are used up;
   * VALIDATION_FAILED about oneself.
   */
  async decide(actorId: string, targetId: string, kind: DecisionKind): Promise<Decided> {
    if (actorId === targetId) {
      throw new DuetError('VALIDATION_FAILED', {
        details: [{ path: 'userId', message: 'must be somebody else' }],
      });
    }
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const outcome = await this.#queue.add({ actorId, targetId, kind });
      if (outcome instanceof DuetError) throw outcome;
      if (outcome !== 'settled') return outcome;
      const settled = await this.#settled(actorId, targetId, kind);
      if (settled !== 'again') return settled;
    }
    throw new DuetError('CONFLICT');
  }

  /**
   * Takes the newest dislike back. Resolves with whom it was about; NOT_FOUND when there is none to take back, CONFLICT
   * when it was decided about anew or taken back in the same moment: there may be one before it. `remember` is given how
   * to find it, and may know instead whom an earlier try found.
   */
  async undo(
    actorId: string,
    remember: (find: () => Promise<string>) => Promise<string> = (find) => find(),
  ): Promise<string> {
    const { db, clock } = this.#options;
    let found = false;
    const targetId = await remember(async () => {
      const [last] = await db.query(lastDislike, [actorId, new Date(clock.now() - UNDO_MS)]);
      if (last === undefined) throw new DuetError('NOT_FOUND');
      found = true;
      return last.target_id;
    });
    const undone = await db.query(undoDislike, [actorId, targetId]);
    // The earlier try has perhaps done it.
    if (found && undone.length === 0) throw new DuetError('CONFLICT');
    return targetId;
  }

  /** Resolves when every decision that was taken in has been answered. */
  close(): Promise<void> {
    return this.#queue.drained();
  }

  async #runBatch(orders: readonly Order[]): Promise<Outcome[]> {
    const { db, clock, match, likesPerDay, publish } = this.#options;
    const settings = { match, likesPerDay, now: clock.now() };
    const values = batchValues(orders, settings);
    const rows = await retryDeadlocks(() => db.query(decideOrders, values));
    const { outcomes, events, unused } = readBatch(orders, rows, settings.now);
    publish(events);
    // Rare, and what was decided stands whether or not the like comes back.
    if (unused.length > 0) await db.query(returnLikes, [unused, dayOf(settings.now)]).catch(() => []);
    return outcomes;
  }

  /** The pair was matched before: the match stands, or lies so far back that the two may begin anew. */
  async #settled(actorId: string, targetId: string, kind: DecisionKind): Promise<Decided | 'again'> {
    const { db, clock } = this.#options;
    const [low, high] = actorId < targetId ? [actorId, targetId] : [targetId, actorId];
    const [last] = await db.query(lastMatch, [low, high]);
    if (last === undefined) return 'again';
    if (last.status === 'active') {
      if (kind === 'dislike') throw new DuetError('CONFLICT');
      return { decision: 'like', matchId: last.id };
    }
    const since = clock.now() - ENDED_MATCH_DAYS * DAY_MS;
    if (last.ended_at !== null && last.ended_at > since) throw new DuetError('CONFLICT');
    // Nothing to forget is no refusal: the other one, who likes again at this moment, has let them begin anew.
    await db.transaction(async (tx) => {
      await tx.query(lockPair, [low, high]);
      await tx.query(forgetPair, [low, high, new Date(since)]);
    });
    return 'again';
  }
}
