/**
 * Calls in the database: claimed by one process at a time, changed in one transaction a command.
 *
 * The lease: `owner` holds the call until `leased_until`; whoever claims it raises `epoch`, and every write says
 * `where epoch = mine`. A process that stalled and woke up can therefore change nothing, whatever it believes.
 */
import type { Database } from '../db/Database.ts';
import { type Sql, sql } from '../db/sql.ts';
import { append, type InboxEvent, type StoredEvent } from '../events/outbox.ts';
import type { Call, LiveCall } from './state.ts';

/** How long a claim lasts without renewal. A dead owner's calls can be taken over after this. */
export const LEASE_MS = 2_000;
/** How often a process renews what it holds. */
export const RENEW_EVERY_MS = 500;

/** A call that this process holds. */
export interface HeldCall {
  call: Call;
  epoch: number;
  /** Until when somebody held it before (epoch ms): what lies between then and now was an outage. Null: new. */
  heldUntil: number | null;
}

export type Claim = { held: HeldCall } | { heldBy: string } | { ended: Call } | { missing: true };

export interface Commit {
  call: Call;
  epoch: number;
  command: string;
  /** The person who gave the command, or null for the server itself. */
  byId: string | null;
  dueAt: number | null;
  events: readonly InboxEvent[];
  /** More to write in the same transaction. */
  also?: (tx: Sql) => Promise<StoredEvent[]>;
}

interface CallRow {
  state: Call;
  epoch: number;
  owner: string | null;
  leased_until: number | null;
}

const findCall = sql<CallRow>(
  'call-find',
  'select state, epoch, owner, leased_until from calls where id = $1',
);

const claimCall = sql<CallRow & { held_until: number | null }>(
  'call-claim',
  `update calls c set owner = $2, epoch = c.epoch + 1, leased_until = clock_timestamp() + $3 * interval '1 ms'
   from (select id, owner, leased_until from calls where id = $1 for update) before
   where c.id = before.id and c.phase <> 'ended'
     and (before.owner is null or before.owner = $2 or before.leased_until < clock_timestamp())
   returning c.state, c.epoch, c.owner, c.leased_until,
     case when before.owner is null then before.leased_until
          else before.leased_until - $3 * interval '1 ms' end as held_until`,
);

const saveCall = sql<{ version: number }>(
  'call-save',
  `update calls set state = $3::jsonb, phase = $4, outcome = $5, ended_at = $6, due_at = $7, version = version + 1,
     owner = case when $4 = 'ended' then null else owner end
   where id = $1 and epoch = $2 returning version`,
);

const writeJournal = sql(
  'call-journal',
  `insert into call_journal (call_id, version, at, epoch, command, by_id, phase, state)
   values ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7::jsonb)`,
);

const leaveLive = sql('call-leave-live', 'delete from live_calls where call_id = $1');

const renewCalls = sql<{ id: string }>(
  'call-renew',
  `update calls c set leased_until = clock_timestamp() + $4 * interval '1 ms'
   from unnest($2::uuid[], $3::bigint[]) as mine (id, epoch)
   where c.id = mine.id and c.epoch = mine.epoch and c.owner = $1 returning c.id`,
);

const releaseCall = sql(
  'call-release',
  `update calls set owner = null, leased_until = clock_timestamp() where id = $1 and epoch = $2 and owner is not null`,
);

export class CallStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The call as last committed, whoever holds it. */
  async find(callId: string): Promise<Call | undefined> {
    const [row] = await this.#db.query(findCall, [callId]);
    return row?.state;
  }

  /** Tries to hold a call for `owner` (a process id). */
  async claim(callId: string, owner: string): Promise<Claim> {
    const [row] = await this.#db.query(claimCall, [callId, owner, LEASE_MS]);
    if (row !== undefined) return { held: { call: row.state, epoch: row.epoch, heldUntil: row.held_until } };
    const [other] = await this.#db.query(findCall, [callId]);
    if (other === undefined) return { missing: true };
    if (other.state.phase === 'ended') return { ended: other.state };
    return { heldBy: other.owner ?? '' };
  }

  /**
   * Writes a change: row, journal, events, all or nothing. Resolves with the events as stored, or with undefined
   * when the lease was lost to another process (nothing was written then).
   */
  async commit(change: Commit): Promise<StoredEvent[] | undefined> {
    return this.#db.transaction(async (tx) => {
      const { call, epoch } = change;
      const state = JSON.stringify(call);
      const ended = call.phase === 'ended';
      const [saved] = await tx.query(saveCall, [
        call.id,
        epoch,
        state,
        call.phase,
        ended ? call.outcome : null,
        ended ? new Date(call.endedAt) : null,
        change.dueAt === null ? null : new Date(change.dueAt),
      ]);
      if (saved === undefined) return undefined;
      await tx.query(writeJournal, [
        call.id,
        saved.version,
        epoch,
        change.command,
        change.byId,
        call.phase,
        state,
      ]);
      if (ended) await tx.query(leaveLive, [call.id]);
      const more = (await change.also?.(tx)) ?? [];
      return [...more, ...(await append(tx, change.events))];
    });
  }

  /** Renews the leases of `owner`; resolves with the ids still held. What is missing was taken by another process. */
  async renew(owner: string, held: readonly { id: string; epoch: number }[]): Promise<Set<string>> {
    const ids = held.map((one) => one.id);
    const epochs = held.map((one) => one.epoch);
    const rows = await this.#db.query(renewCalls, [owner, ids, epochs, LEASE_MS]);
    return new Set(rows.map((row) => row.id));
  }

  /** Gives a call back, so that the next process need not wait for the lease to run out. */
  async release(call: LiveCall, epoch: number): Promise<void> {
    await this.#db.query(releaseCall, [call.id, epoch]);
  }
}
