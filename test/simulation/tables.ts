/**
 * The tables that matches, calls and inboxes live in, as the simulator holds them, and how they are written: every
 * write remembers what was there before, so that a transaction can be taken back.
 */
import type { Call } from '../../src/calling/state.ts';
import type { Bind } from '../../src/db/sql.ts';
import type { InboxEventType } from '../../src/events/outbox.ts';
import type { MatchRow } from '../../src/matching/matchStore.ts';
import { begin, type MatchSettings } from '../../src/matching/transitions.ts';

export interface CallRow {
  id: string;
  match_id: string;
  caller_id: string;
  callee_id: string;
  phase: Call['phase'];
  state: Call;
  outcome: string | null;
  created_at: number;
  ended_at: number | null;
  version: number;
  owner: string | null;
  epoch: number;
  leased_until: number | null;
  due_at: number | null;
}

export interface StoredMatch extends MatchRow {
  version: number;
}

/** A match of two that begins now, as the database would hold it. */
export function newMatch(
  id: string,
  [lowId, highId]: readonly [string, string],
  now: number,
  settings: MatchSettings,
): StoredMatch {
  const { acceptBy, dueAt } = begin(now, settings);
  return {
    id,
    low_id: lowId,
    high_id: highId,
    status: 'active',
    phase: 'awaiting_accept',
    low_accepted: false,
    high_accepted: false,
    warned: false,
    created_at: now,
    accept_by: acceptBy,
    ended_at: null,
    end_reason: null,
    due_at: dueAt,
    version: 1,
  };
}

export interface JournalRow {
  call_id: string;
  version: number;
  at: number;
  epoch: number;
  command: string;
  by_id: string | null;
  command_id: string | null;
  state: Call;
}

export interface InboxRow {
  user_id: string;
  epoch: number;
  seq: number;
  acked: number;
}

export interface OutboxRow {
  user_id: string;
  seq: number;
  epoch: number;
  type: InboxEventType;
  payload: object;
  at: number;
}

export interface UserRow {
  id: string;
  status: 'active' | 'deleted';
  /** When what is between this person and others is ended once more. */
  settle_at: number | null;
  erase_at: number | null;
  /** When the one session of each was ended. */
  revoked_at: number | null;
}

export class Tables {
  /** Counts every write: as long as it stands, nothing has changed. */
  changes = 0;
  readonly calls = new Map<string, CallRow>();
  readonly matches = new Map<string, StoredMatch>();
  /** Who is in which call, by user. */
  readonly liveCalls = new Map<string, string>();
  readonly journal: JournalRow[] = [];
  readonly inboxes = new Map<string, InboxRow>();
  /** By user, in order of `seq`. */
  readonly outbox = new Map<string, OutboxRow[]>();
  readonly users = new Map<string, UserRow>();
  /** Who was erased: nothing can refer to them any more. */
  readonly erased = new Set<string>();
  /** The session that holds each name of a process (`src/db/HeldName.ts`). */
  readonly names = new Map<string, object>();
  /** How far the clock of each session's process is ahead of the database's, in tenths of a second (`src/db/sharedClock.ts`). */
  readonly saidClocks = new Map<object, number>();
}

/** PostgreSQL's answer to a broken constraint. */
export class ConstraintError extends Error {
  readonly code = '23505';
}

/** Writes that can be taken back. Rows are replaced, never changed: whoever read one keeps what was read. */
export class Writer {
  readonly #tables: Tables;
  readonly #undo: (() => void)[] = [];

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  set<K, V>(table: Map<K, V>, key: K, row: V): void {
    this.#tables.changes++;
    const before = table.get(key);
    table.set(key, row);
    this.#undo.push(() => (before === undefined ? table.delete(key) : table.set(key, before)));
  }

  delete<K, V>(table: Map<K, V>, key: K): void {
    const before = table.get(key);
    if (before === undefined) return;
    this.#tables.changes++;
    table.delete(key);
    this.#undo.push(() => table.set(key, before));
  }

  add<V>(members: Set<V>, member: V): void {
    if (members.has(member)) return;
    this.#tables.changes++;
    members.add(member);
    this.#undo.push(() => members.delete(member));
  }

  append<V>(list: V[], row: V): void {
    this.#tables.changes++;
    list.push(row);
    this.#undo.push(() => list.pop());
  }

  rollBack(): void {
    for (const undo of this.#undo.reverse()) undo();
  }
}

/** What a statement finds: the tables, the way to write them, and the database's clock (epoch ms). */
export interface Running {
  tables: Tables;
  write: Writer;
  now: number;
}

export type StatementModel = (running: Running, values: readonly Bind[]) => object[];

export function rowsOf<Row extends object>(row: Row | undefined): Row[] {
  return row === undefined ? [] : [row];
}

export function timeOf(value: Bind | undefined): number | null {
  return value instanceof Date ? value.getTime() : null;
}
