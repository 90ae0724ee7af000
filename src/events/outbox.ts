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
  | 'call:ended'
  | 'session:revoked';

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

export const appendEvents = sql<{ user_id: string; seq: number; epoch: number; at: number; ord: number }>(
  'outbox-append',
  `with given as (
     select user_id, type, payload, ord, row_number() over (partition by user_id order by ord) as nth
     from unnest($1::uuid[], $2::text[], $3::jsonb[]) with ordinality as g (user_id, type, payload, ord)
   ), counted as (
     select user_id, count(*) as n from given group by user_id order by user_id
   ), taken as (
     insert into inboxes (user_id, seq) select user_id, n from counted order by user_id
     on conflict (user_id) do update set seq = inboxes.seq + excluded.seq
     returning user_id, seq, epoch
   ), written as (
     insert into outbox (user_id, seq, epoch, type, payload)
     select g.user_id, t.seq - c.n + g.nth, t.epoch, g.type, g.payload
     from given g join counted c using (user_id) join taken t using (user_id)
     returning user_id, seq, epoch, at
   )
   select w.user_id, w.seq, w.epoch, w.at, g.ord
   from written w
   join taken t using (user_id) join counted c using (user_id)
   join given g on g.user_id = w.user_id and t.seq - c.n + g.nth = w.seq
   order by g.ord`,
);

/**
 * Writes events in the caller's transaction. Returns them as stored, in the given order; the caller hands them to
 * the `Publisher` after the commit (a crash between the two loses nothing: the events are replayed on join).
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
