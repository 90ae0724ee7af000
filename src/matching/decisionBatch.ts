/** One batch of decisions in one transaction: who may decide, what it costs, what comes of it. */
import type { Sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { append, type StoredEvent } from '../events/outbox.ts';
import { newId } from '../ids.ts';
import {
  type ContextRow,
  type DecisionKind,
  decidePairs,
  readContext,
  returnLikes,
  takeLikes,
} from './decisionSql.ts';

/** One person's decision about another. No two of a batch are of the same person about the same one. */
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
  match: { acceptMs: number; warningMs: number };
  likesPerDay: { regular: number; premium: number };
  /** Epoch milliseconds. */
  now: number;
}

const DAY_MS = 86_400_000;

/** Decides all orders in the caller's transaction. Outcomes come in the order of the orders. */
export async function decideBatch(
  tx: Sql,
  orders: readonly Order[],
  settings: BatchSettings,
): Promise<{ outcomes: Outcome[]; events: StoredEvent[] }> {
  const rows = await tx.query(readContext, [
    orders.map((order) => order.actorId),
    orders.map((order) => order.targetId),
  ]);
  const contexts = new Map(rows.map((row) => [orders[row.ord - 1]!, row]));
  const outcomes = new Map<Order, Outcome>();
  for (const order of orders) {
    const outcome = foregone(order, contexts.get(order));
    if (outcome !== undefined) outcomes.set(order, outcome);
  }
  const open = orders.filter((order) => !outcomes.has(order));
  const paid = await takeAllowance(tx, open, contexts, settings, outcomes);
  const events = await writePairs(
    tx,
    open.filter((order) => !outcomes.has(order)),
    settings,
    outcomes,
  );
  await giveBack(
    tx,
    paid.filter((order) => outcomes.get(order) === 'settled'),
    settings.now,
  );
  return { outcomes: orders.map((order) => outcomes.get(order)!), events };
}

/** What is clear before anything is written. Who may not like at all learns nothing about the other one. */
function foregone(order: Order, context: ContextRow | undefined): Outcome | undefined {
  if (context === undefined) return new DuetError('ACCOUNT_SUSPENDED');
  if (order.kind === 'like' && !context.actor_verified) return new DuetError('EMAIL_UNVERIFIED');
  if (!context.target_there) return new DuetError('NOT_FOUND');
  if (context.matched) return 'settled';
  return order.kind === 'like' && context.before === 'like' ? { decision: 'like', matchId: null } : undefined;
}

/** Takes every like from its maker's day; refuses those beyond it. Returns the likes that were paid for. */
async function takeAllowance(
  tx: Sql,
  open: readonly Order[],
  contexts: ReadonlyMap<Order, ContextRow>,
  settings: BatchSettings,
  outcomes: Map<Order, Outcome>,
): Promise<Order[]> {
  const likes = open.filter((order) => order.kind === 'like');
  if (likes.length === 0) return [];
  const wanted = countBy(likes, (order) => order.actorId);
  const rows = await tx.query(takeLikes, [[...wanted.keys()], [...wanted.values()], new Date(settings.now)]);
  const usedBefore = new Map(rows.map((row) => [row.user_id, row.used - wanted.get(row.user_id)!]));
  const refused: Order[] = [];
  for (const order of likes) {
    const used = usedBefore.get(order.actorId)!;
    if (used < settings.likesPerDay[contexts.get(order)!.tier]) {
      usedBefore.set(order.actorId, used + 1);
    } else {
      refused.push(order);
      outcomes.set(
        order,
        new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: secondsToMidnight(settings.now) }),
      );
    }
  }
  await giveBack(tx, refused, settings.now);
  return likes.filter((order) => !outcomes.has(order));
}

async function giveBack(tx: Sql, likes: readonly Order[], now: number): Promise<void> {
  if (likes.length === 0) return;
  const counts = countBy(likes, (order) => order.actorId);
  await tx.query(returnLikes, [[...counts.keys()], [...counts.values()], new Date(now)]);
}

async function writePairs(
  tx: Sql,
  orders: readonly Order[],
  settings: BatchSettings,
  outcomes: Map<Order, Outcome>,
): Promise<StoredEvent[]> {
  if (orders.length === 0) return [];
  const pairs = new Map<
    string,
    { low: string; high: string; lowKind: DecisionKind | null; highKind: DecisionKind | null }
  >();
  for (const order of orders) {
    const [low, high] = sorted(order);
    const pair = pairs.get(low + high) ?? { low, high, lowKind: null, highKind: null };
    pairs.set(low + high, pair);
    if (order.actorId === low) pair.lowKind = order.kind;
    else pair.highKind = order.kind;
  }
  const all = [...pairs.values()];
  const { now, match } = settings;
  const acceptBy = now + match.acceptMs;
  const rows = await tx.query(decidePairs, [
    all.map((pair) => pair.low),
    all.map((pair) => pair.high),
    all.map((pair) => pair.lowKind),
    all.map((pair) => pair.highKind),
    all.map(() => newId()),
    new Date(now),
    new Date(acceptBy),
    new Date(Math.max(now, acceptBy - match.warningMs)),
  ]);
  const written = new Map(rows.map((row) => [row.low_id + row.high_id, row]));
  for (const order of orders) {
    const row = written.get(sorted(order).join(''));
    outcomes.set(order, row === undefined ? 'settled' : { decision: order.kind, matchId: row.match_id });
  }
  const matches = rows.filter((row) => row.match_id !== null);
  return append(
    tx,
    matches.flatMap((row) =>
      [row.low_id, row.high_id].map((userId) => ({
        userId,
        type: 'match:created' as const,
        payload: { matchId: row.match_id },
      })),
    ),
  );
}

function sorted(order: Order): [low: string, high: string] {
  return order.actorId < order.targetId ? [order.actorId, order.targetId] : [order.targetId, order.actorId];
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

function secondsToMidnight(now: number): number {
  return Math.ceil((DAY_MS - (now % DAY_MS)) / 1000);
}
