/**
 * The outbox: what is told to people, written in the transaction of the fact that it tells.
 *
 * A user's events are numbered 1, 2, 3 … without gaps (`seq`, within the user's `epoch`): the number is taken by
 * updating the user's row in `inboxes`, which also puts concurrent writers for one user in order of commit. Writers
 * take users in order of id, so that two transactions that tell the same two people cannot wait for each other.
 */
import { type Sql, sql } from '../db/sql.ts';

/** The events of the contract's inbox, with their payloads. */
export type InboxEventType =
  | 'match:created'
  | 'match:ready'
  | 'match:ended'
  | 'match:timeout_warning'
  | 'call:incoming'
  | 'call:answered'
  | 'call:rejected'
  | 'call:ended';

/** One event for one user. `payload` is JSON, without `seq`, `epoch`, `at`: those are added on delivery. */
export interface InboxEvent {
  userId: string;
  type: InboxEventType;
  payload: object;
}

/** An event as it is stored and delivered. */
export interface StoredEvent extends InboxEvent {
  seq: number;
  epoch: number;
  /** Epoch milliseconds. */
  at: number;
}

/**
 * The part of a statement that writes events: those of the CTE `told (user_id, type, payload, ord)`, which comes before
 * it. What was written is in `stored (user_id, seq, epoch, at, type, payload)`.
 */
export const STORE_TOLD = `told_numbered as (
     select *, row_number() over (partition by user_id order by ord) as nth from told
   ), told_counts as (
     select user_id, count(*) as n from told group by user_id order by user_id
   ), told_numbers as (
     insert into inboxes (user_id, seq) select user_id, n from told_counts order by user_id
     on conflict (user_id) do update set seq = inboxes.seq + excluded.seq
     returning user_id, seq, epoch
   ), stored as (
     insert into outbox (user_id, seq, epoch, type, payload)
     select t.user_id, m.seq - c.n + t.nth, m.epoch, t.type, t.payload
     from told_numbered t join told_counts c using (user_id) join told_numbers m using (user_id)
     returning user_id, seq, epoch, at, type, payload
   )`;

/** While a call rings or has just ended, its people are told of fewer other things than this. */
export const LATELY = 200;

const eventsOf = sql<StoredEvent & { user_id: string }>(
  'outbox-of-call',
  `select o.user_id, o.seq, o.epoch, o.at, o.type, o.payload from inboxes i
     join outbox o on o.user_id = i.user_id and o.seq > i.seq - ${LATELY}
   where i.user_id = any ($1::uuid[]) and o.type like 'call:%' and o.payload->'call'->>'id' = $2
   order by o.user_id, o.seq`,
);

/** What some people were told of a call that is going on, or was a moment ago. */
export async function eventsOfCall(
  db: Sql,
  callId: string,
  userIds: readonly string[],
): Promise<StoredEvent[]> {
  const rows = await db.query(eventsOf, [userIds, callId]);
  return rows.map(({ user_id: userId, ...event }) => ({ ...event, userId }));
}

export const appendEvents = sql<{ user_id: string; seq: number; epoch: number; at: number; ord: number }>(
  'outbox-append',
  `with told as (
     select * from unnest($1::uuid[], $2::text[], $3::jsonb[]) with ordinality as g (user_id, type, payload, ord)
   ), ${STORE_TOLD}
   select s.user_id, s.seq, s.epoch, s.at, t.ord
   from stored s join told_numbers m using (user_id) join told_counts c using (user_id)
   join told_numbered t on t.user_id = s.user_id and m.seq - c.n + t.nth = s.seq
   order by t.ord`,
);

/**
 * Writes events in the caller's transaction. Returns them as stored, in the given order; the caller hands them to
 * the `InboxHub` after the commit (a crash between the two loses nothing: the events are replayed on join).
 */
export async function append(tx: Sql, events: readonly InboxEvent[]): Promise<StoredEvent[]> {
  if (events.length === 0) return [];
  const rows = await tx.query(appendEvents, [
    events.map((event) => event.userId),
    events.map((event) => event.type),
    events.map((event) => JSON.stringify(event.payload)),
  ]);
  return rows.map((row) => {
    const event = events[Number(row.ord) - 1]!;
    return { ...event, seq: row.seq, epoch: row.epoch, at: row.at };
  });
}
