/**
 * Calls in the database: claimed by one process at a time, changed in one transaction a command.
 *
 * The lease: `owner` holds the call until `leased_until`; whoever claims it raises `epoch`, and every write says
 * `where epoch = mine`. A process that stalled and woke up can therefore change nothing, whatever it believes.
 */
import type { Database } from '../db/Database.ts';
import { nameIsFree, nameIsHeld } from '../db/HeldName.ts';
import { type Sql, sql } from '../db/sql.ts';
import { isRefusal, type Refusal } from '../errors.ts';
import { append, eventsOfCall, type InboxEvent, type StoredEvent } from '../events/outbox.ts';
import { outage } from './outage.ts';
import type { Call, CallSettings, LiveCall } from './state.ts';
import { bySystem, dueAt } from './transitions.ts';

/** How long a claim lasts without renewal. The calls of an owner that is silent can be taken over after this. */
export const LEASE_MS = 2_000;
/** How often a process renews what it holds. */
export const RENEW_EVERY_MS = 500;
/** And after this those of an owner that is gone: its name is free, and it has missed a renewal. */
export const GONE_MS = 750;
/** Whoever changes a call waits for the statement that renews it, which takes 12 to 25 µs for each of its calls. */
const RENEWED_AT_ONCE = 500;
/** A lease that lasts longer than this was written before the database's clock was set back. */
export const IMPOSSIBLE_LEASE_MS = 2 * LEASE_MS;
/**
 * SQL: whether the lease of row `call` has run out, or its owner is gone. An impossible lease says nothing: those who live
 * write another with their next renewal, and until then are known by their names.
 */
export const isUnheld = (call: string) => `(${call}.leased_until < clock_timestamp()
  or ${call}.leased_until < clock_timestamp() + interval '${LEASE_MS - GONE_MS} ms' and ${nameIsFree(`${call}.owner`)}
  or ${call}.leased_until > clock_timestamp() + interval '${IMPOSSIBLE_LEASE_MS} ms'
     and (${call}.owner is null or not ${nameIsHeld(`${call}.owner`)}))`;

/** Ids of commands that are remembered: far more than two people can have under way at once. */
export const RECENT_IDS = 32;

/** What became of a held call: another process took it, its match has ended, or its row has come to a later `version`. */
export interface Renewal {
  fate: 'lost' | 'severed' | 'changed';
  version: number;
}

/** A call that this process holds. */
export interface HeldCall {
  call: Call;
  epoch: number;
  /** Of the row: the next commit must find it as it is. */
  version: number;
  /** Ids of the last commands that were done: when one comes again, it is not done again. */
  recentIds: readonly string[];
}

export type Claim = { held: HeldCall } | { heldBy: string } | { ended: Call } | { missing: true };

export interface Commit {
  call: Call;
  epoch: number;
  /** The version that the change was decided on. */
  version: number;
  command: string;
  /** Of a command that may come again. */
  commandId?: string | undefined;
  /** The person who gave the command, or null for the server itself. */
  byId: string | null;
  dueAt: number | null;
  events: readonly InboxEvent[];
  /** For the journal alone, beside the state. */
  facts?: object | undefined;
  /**
   * Takes the locks that come before the call's in the order that everybody keeps (docs/reliability.md), and decides by
   * what it finds: a refusal, or more to write in the same transaction.
   */
  first?: (tx: Sql) => Promise<Refusal | (() => Promise<StoredEvent[]>)>;
}

interface ClaimRow {
  state: Call;
  epoch: number;
  version: number;
  held_until: number | null;
  now: number;
  owner_lives: boolean;
}

const findCall = sql<{ state: Call; owner: string | null }>(
  'call-find',
  'select state, owner from calls where id = $1',
);

const claimCall = sql<ClaimRow>(
  'call-claim',
  `update calls c set owner = $2, epoch = c.epoch + 1, leased_until = clock_timestamp() + $3 * interval '1 ms'
   from (select id, owner, leased_until from calls where id = $1 for update) before
   where c.id = before.id and c.phase <> 'ended'
     and (before.owner is null or before.owner = $2 or $4 and ${isUnheld('before')})
   returning c.state, c.epoch, c.version, clock_timestamp() as now,
     case when before.owner is null then before.leased_until
          else before.leased_until - $3 * interval '1 ms' end as held_until,
     before.owner is not null and ${nameIsHeld('before.owner')} as owner_lives`,
);

// Whoever writes holds: each commit renews the lease, so that an outage is credited from the last sign of life on.
const saveCall = sql<{ version: number }>(
  'call-save',
  `update calls set state = $3::jsonb, phase = $4, outcome = $5, ended_at = $6, due_at = $7, version = version + 1,
     owner = case when $4 = 'ended' then null else owner end,
     leased_until = case when $4 = 'ended' or owner is null then leased_until
                         else clock_timestamp() + $9 * interval '1 ms' end
   where id = $1 and epoch = $2 and version = $8 returning version`,
);

const rereadCall = sql<{ state: Call; version: number }>(
  'call-reread',
  'select state, version from calls where id = $1 and epoch = $2',
);

const writeJournal = sql(
  'call-journal',
  `insert into call_journal (call_id, version, at, epoch, command, by_id, phase, state, command_id)
   values ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7::jsonb, $8)`,
);

const readRecentIds = sql<{ command_id: string }>(
  'call-recent-ids',
  `select command_id from call_journal where call_id = $1 and command_id is not null
   order by version desc limit ${RECENT_IDS}`,
);

const leaveLive = sql(
  'call-leave-live',
  'delete from live_calls where user_id = any($2::uuid[]) and call_id = $1',
);

// Whoever has a row locked keeps no other call waiting: it is being written, which renews it, or comes in the next round.
// A call that has ended has no owner; who ended it may not know yet, because that commit was not answered, and reads it again.
// Nothing comes back for a call that is as it was: a process may hold thousands, and asks twice a second.
const renewCalls = sql<Renewal & { id: string }>(
  'call-renew',
  `with held as (select * from unnest($2::uuid[], $3::bigint[], $5::bigint[]) as held (id, epoch, version)),
        free as (select c.id from calls c join held using (id)
                 where c.epoch = held.epoch and c.owner = $1 order by c.id for no key update of c skip locked),
        renewed as (update calls c set leased_until = clock_timestamp() + $4 * interval '1 ms'
                    from free where c.id = free.id)
   select held.id, coalesce(c.version, 0) as version,
     case when m.id is null then 'lost' when m.phase = 'closed' then 'severed' else 'changed' end as fate
   from held
     left join calls c on c.id = held.id and c.epoch = held.epoch and (c.owner = $1 or c.phase = 'ended')
     left join matches m on m.id = c.match_id
   where m.id is null or m.phase = 'closed' or c.version > held.version`,
);

const releaseCall = sql(
  'call-release',
  `update calls set owner = null, leased_until = clock_timestamp() where id = $1 and epoch = $2 and owner is not null`,
);

export class CallStore {
  readonly #db: Database;
  readonly #settings: CallSettings;

  constructor(db: Database, settings: CallSettings) {
    this.#db = db;
    this.#settings = settings;
  }

  /**
   * Tries to hold a call for `owner` (a process id), whose clock says `ownNow`. The time in which nobody held it is
   * credited in the same transaction: whoever holds a call has its deadlines right, whatever befalls them next.
   */
  async claim(callId: string, owner: string, ownNow: number): Promise<Claim> {
    const held = await this.#db.transaction(async (tx): Promise<HeldCall | undefined> => {
      // Nobody has had the time to renew since the database is back.
      const mayTakeOver = !this.#db.wasAway(LEASE_MS);
      const [row] = await tx.query(claimCall, [callId, owner, LEASE_MS, mayTakeOver]);
      if (row === undefined) return undefined;
      const { state, epoch, version, held_until: until, now: dbNow, owner_lives: ownerLives } = row;
      const recentIds = await this.#recentIds(tx, callId);
      if (until === null) return { call: state, epoch, version, recentIds };
      const { heldUntil, now } = outage({
        heldUntil: until,
        dbNow,
        ownNow,
        ownerLives,
        createdAt: state.createdAt,
      });
      // Nobody held it before, and nobody had to yet.
      if (epoch === 1 && heldUntil === now) return { call: state, epoch, version, recentIds };
      const change = bySystem(state, { type: 'recover', heldUntil }, now, this.#settings);
      const recovered = await this.#write(tx, {
        call: change.call,
        epoch,
        version,
        command: 'recover',
        byId: null,
        dueAt: dueAt(change.call, this.#settings),
      });
      return recovered && { call: change.call, epoch, version: recovered.version, recentIds };
    });
    return held === undefined ? this.find(callId) : { held };
  }

  /** Who holds a call; `heldBy` is empty where nobody does. */
  async find(callId: string): Promise<Exclude<Claim, { held: HeldCall }>> {
    const [other] = await this.#db.query(findCall, [callId]);
    if (other === undefined) return { missing: true };
    if (other.state.phase === 'ended') return { ended: other.state };
    return { heldBy: other.owner ?? '' };
  }

  /**
   * Writes a change: row, journal, events, all or nothing. Resolves with the row's new version and the events as
   * stored, with the refusal of `first`, or with undefined when the lease was lost to another process (in both cases
   * nothing was written). When it throws nobody knows whether it was written: `reread` before deciding anything else.
   */
  async commit(change: Commit): Promise<{ version: number; events: StoredEvent[] } | Refusal | undefined> {
    return this.#db.transaction(async (tx) => {
      const also = await change.first?.(tx);
      if (also !== undefined && isRefusal(also)) return also;
      const written = await this.#write(tx, change);
      if (written === undefined) return undefined;
      const { id, phase, callerId, calleeId } = change.call;
      if (phase === 'ended') await tx.query(leaveLive, [id, [callerId, calleeId]]);
      const more = (await also?.()) ?? [];
      return { version: written.version, events: [...more, ...(await append(tx, change.events))] };
    });
  }

  /** The call as it is in the row, for its holder; undefined when the lease was lost to another process. */
  async reread(callId: string, epoch: number): Promise<HeldCall | undefined> {
    const [row] = await this.#db.query(rereadCall, [callId, epoch]);
    if (row === undefined) return undefined;
    const recentIds = await this.#recentIds(this.#db, callId);
    return { call: row.state, epoch, version: row.version, recentIds };
  }

  /** The version of a call, for its holder; undefined when the lease was lost to another process. */
  async heldVersion(callId: string, epoch: number): Promise<number | undefined> {
    const [row] = await this.#db.query(rereadCall, [callId, epoch]);
    return row?.version;
  }

  /** What the two were told of the call. */
  told({ id, callerId, calleeId }: Call): Promise<StoredEvent[]> {
    return eventsOfCall(this.#db, id, [callerId, calleeId]);
  }

  async #recentIds(sql: Sql, callId: string): Promise<string[]> {
    const rows = await sql.query(readRecentIds, [callId]);
    return rows.map((row) => row.command_id);
  }

  /** The row and its line in the journal. Undefined: the row is not as the change was decided on. */
  async #write(tx: Sql, change: Omit<Commit, 'events' | 'first'>): Promise<{ version: number } | undefined> {
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
      change.version,
      LEASE_MS,
    ]);
    if (saved === undefined) return undefined;
    await tx.query(writeJournal, [
      call.id,
      saved.version,
      epoch,
      change.command,
      change.byId,
      call.phase,
      change.facts === undefined ? state : JSON.stringify({ ...call, ...change.facts }),
      change.commandId ?? null,
    ]);
    return saved;
  }

  /** Renews the leases of `owner`; resolves with those of `held` that it does not hold as before, by id. */
  async renew(
    owner: string,
    held: readonly { id: string; epoch: number; version: number }[],
  ): Promise<Map<string, Renewal>> {
    const renewals = new Map<string, Renewal>();
    for (let from = 0; from < held.length; from += RENEWED_AT_ONCE) {
      const some = held.slice(from, from + RENEWED_AT_ONCE);
      const ids = some.map((one) => one.id);
      const epochs = some.map((one) => one.epoch);
      const versions = some.map((one) => one.version);
      const rows = await this.#db.queryAhead(renewCalls, [owner, ids, epochs, LEASE_MS, versions]);
      for (const { id, ...renewal } of rows) renewals.set(id, renewal);
    }
    return renewals;
  }

  /** Gives a call back, so that the next process need not wait for the lease to run out. */
  async release(call: LiveCall, epoch: number): Promise<void> {
    await this.#db.query(releaseCall, [call.id, epoch]);
  }
}
