/** One batch of decisions, in one statement (`decideOrders`): what is asked of it, and what its rows mean. */
import { dayOf, secondsLeftOf } from '../days.ts';
import type { Bind } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import type { StoredEvent } from '../events/outbox.ts';
import { newCheapId } from '../ids.ts';
import type { DecidedRow, DecisionKind } from './decisionSql.ts';
import { begin, type MatchSettings } from './transitions.ts';

/** One person's decision about another. No two of a batch are of the same person. */
export interface Order {
  actorId: string;
  targetId: string;
  kind: DecisionKind;
}

export interface Decided {
  decision: DecisionKind;
  /** The active match of the two, whether this decision made it or an earlier one. */
  matchId: string | null;
}

/** `settled`: the pair had a match before, or was blocked or matched while the batch ran; to be looked at alone. */
export type Outcome = Decided | DuetError | 'settled';

export interface BatchSettings {
  match: MatchSettings;
  likesPerDay: { regular: number; premium: number };
  /** Epoch milliseconds. */
  now: number;
}

export interface BatchResult {
  /** In the order of the orders. */
  outcomes: Outcome[];
  events: StoredEvent[];
  /** Who paid for a like that was not written, or was there already. */
  unused: string[];
}

/** What `decideOrders` is given. */
export function batchValues(orders: readonly Order[], { match, likesPerDay, now }: BatchSettings): Bind[] {
  const { acceptBy, dueAt } = begin(now, match);
  const matchIds = new Map<string, string>();
  for (const order of orders) matchIds.set(pairOf(order), newCheapId(now));
  return [
    orders.map((order) => order.actorId),
    orders.map((order) => order.targetId),
    orders.map((order) => order.kind),
    orders.map((order) => matchIds.get(pairOf(order))!),
    new Date(now),
    new Date(acceptBy),
    new Date(dueAt),
    dayOf(now),
    likesPerDay.regular,
    likesPerDay.premium,
  ];
}

/** What `decideOrders` answered. */
export function readBatch(orders: readonly Order[], rows: readonly DecidedRow[], now: number): BatchResult {
  const byOrder = new Map<number, DecidedRow>();
  const events: StoredEvent[] = [];
  for (const row of rows) {
    if (row.ord !== null) byOrder.set(row.ord - 1, row);
    else events.push(eventOf(row));
  }
  const unused = [...byOrder]
    .filter(([, row]) => row.paid && (row.verdict === 'settled' || row.repeated))
    .map(([i]) => orders[i]!.actorId);
  return { outcomes: orders.map((order, i) => outcomeOf(order, byOrder.get(i), now)), events, unused };
}

function pairOf({ actorId, targetId }: Order): string {
  return actorId < targetId ? actorId + targetId : targetId + actorId;
}

function outcomeOf(order: Order, row: DecidedRow | undefined, now: number): Outcome {
  switch (row?.verdict) {
    case 'decided':
      return { decision: order.kind, matchId: row.match_id };
    case 'settled':
      return 'settled';
    case 'unverified':
      return new DuetError('EMAIL_UNVERIFIED');
    case 'absent':
      return new DuetError('NOT_FOUND');
    case 'used_up':
      return new DuetError('TOO_MANY_REQUESTS', {
        retryAfterSec: secondsLeftOf(now),
      });
    default:
      return new DuetError('ACCOUNT_SUSPENDED');
  }
}

function eventOf(row: DecidedRow): StoredEvent {
  return {
    userId: row.user_id!,
    type: 'match:created',
    payload: { matchId: row.match_id },
    seq: row.seq!,
    epoch: row.epoch!,
    at: row.at!,
  };
}
