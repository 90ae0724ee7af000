/**
 * The books of a run. After every step what was newly written is read and held against what may be: each line of the
 * journal, each lease, each event, each answer that somebody got.
 */
import { UNHELD_MS } from '../../src/calling/Calls.ts';
import type { Call, Role } from '../../src/calling/state.ts';
import { personOf, roleOf } from '../../src/calling/state.ts';
import type { PersonCommand } from '../../src/calling/transitions.ts';
import type { StoredEvent } from '../../src/events/outbox.ts';
import { wrongForCall, wrongMatchStep } from './matchRules.ts';
import { wrongStep } from './stepRules.ts';
import type { CallRow, JournalRow, OutboxRow, StoredMatch, Tables } from './tables.ts';
import type { Books, World } from './World.ts';

/** Everybody knows by then that somebody is signed out. */
const SIGNED_OUT_MS = 1_500;
/** Less than this is taken for time when the database's clock is set by it (docs/reliability.md). */
const SMALL_STEP_MS = 30_000;

interface Account {
  row: CallRow;
  last: JournalRow | undefined;
  /** Every state that was ever committed, as JSON, and of which version it was last: nobody may be shown another. */
  states: Map<string, number>;
  /** When the lease was last given, renewed or used by a holder who had credited what was before. */
  servedUntil: number;
  /** How far the database's clock was off then. */
  servedOffMs: number;
  /** The epoch whose holder has credited the outage before it. */
  creditedEpoch: number;
  /** Wishes that reached the server, by role and kind. */
  asked: Map<string, number>;
  /** Lines of the journal, likewise: a wish comes true once at most. */
  done: Map<string, number>;
}

/** A broken invariant. */
export class Broken extends Error {}

export class Ledger implements Books {
  readonly #world: World;
  readonly #accounts = new Map<string, Account>();
  /** As they were after the last step. */
  readonly #matches = new Map<string, StoredMatch>();
  /** When people left. */
  readonly #leftAt = new Map<string, number>();
  #changesRead = -1;
  #journalRead = 0;
  readonly #outboxRead = new Map<string, number>();
  #broken: string | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  fail(what: string): void {
    this.#broken ??= what;
  }

  asked(callId: string, userId: string, command: PersonCommand): void {
    const account = this.#accounts.get(callId);
    const role = account && roleOf(account.row.state, userId);
    if (account === undefined || role === undefined) return;
    count(account.asked, `${role} ${command.type}`);
    // Consent to video is another wish than an answer.
    if (command.type === 'answer' && command.media === 'video') count(account.asked, `${role} answer:video`);
  }

  versionOf(callId: string): number {
    return this.#accounts.get(callId)?.last?.version ?? 0;
  }

  acknowledged(call: Call, since = 0): void {
    const version = this.#accounts.get(call.id)?.states.get(JSON.stringify(call));
    if (version === undefined)
      this.fail(`somebody was shown ${this.#name(call.id)} as it never was: ${JSON.stringify(call)}`);
    else if (version < since)
      this.fail(
        `somebody was answered with v${version} of ${this.#name(call.id)}, which was at v${since} when asked`,
      );
  }

  heard(userId: string, event: StoredEvent): void {
    const { outbox, erased } = this.#world.database.tables;
    if (erased.has(userId)) return;
    const stored = outbox.get(userId)?.[event.seq - 1];
    if (stored?.type !== event.type || stored.epoch !== event.epoch) {
      this.fail(`${this.#name(userId)} heard ${event.type} as #${event.seq}, which is another`);
    }
    const { call } = event.payload as { call?: { id: string; outcome: string | null } };
    const row = call && this.#accounts.get(call.id)?.row;
    if (call?.outcome && row?.outcome !== call.outcome) {
      this.fail(`${this.#name(userId)} heard ${call.outcome}, but ${this.#name(call.id)} is ${row?.outcome}`);
    }
  }

  /** Reads what the last step wrote; throws `Broken`. */
  audit(): void {
    const { tables } = this.#world.database;
    if (this.#broken !== undefined) throw new Broken(this.#broken);
    if (this.#changesRead === tables.changes) return;
    this.#changesRead = tables.changes;
    for (; this.#journalRead < tables.journal.length; this.#journalRead++) {
      this.#journalled(tables.journal[this.#journalRead]!);
    }
    for (const row of tables.matches.values()) this.#matchChanged(row);
    for (const row of tables.calls.values()) {
      const account = this.#accounts.get(row.id);
      if (account !== undefined && account.row !== row) this.#rowChanged(account, row);
    }
    if (tables.erased.size > 0) this.#erased(tables);
    for (const user of tables.users.values())
      if (user.status === 'deleted' && !this.#leftAt.has(user.id))
        this.#leftAt.set(user.id, this.#world.time.now);
    for (const [userId, log] of tables.outbox) {
      for (let read = this.#outboxRead.get(userId) ?? 0; read < log.length; read++) {
        this.#told(userId, log[read]!, log.slice(0, read));
        this.#outboxRead.set(userId, read + 1);
      }
    }
    if (this.#broken !== undefined) throw new Broken(this.#broken);
  }

  /** What both were told of a call that is over; throws `Broken`. */
  auditEnd(): void {
    const { tables } = this.#world.database;
    // Also of those that were erased with one of the two: the other was told.
    for (const { row: call } of this.#accounts.values()) {
      const story = tables.journal.filter((line) => line.call_id === call.id);
      const answered = story.some((line) => line.command === 'answer');
      for (const role of ['caller', 'callee'] as const) {
        const userId = personOf(call.state, role);
        if (tables.erased.has(userId)) continue;
        const told = (type: string) =>
          (tables.outbox.get(userId) ?? []).filter(
            (event) => event.type === type && callOf(event) === call.id,
          ).length;
        const expected = {
          'call:incoming': role === 'callee' ? 1 : 0,
          'call:answered': answered ? 1 : 0,
          'call:rejected': call.outcome === 'rejected' ? 1 : 0,
          'call:ended': 1,
        };
        for (const [type, times] of Object.entries(expected)) {
          if (told(type) !== times) {
            this.fail(`the ${role} of ${this.#name(call.id)} was told ${type} ${told(type)} times`);
          }
        }
      }
    }
    if (this.#broken !== undefined) throw new Broken(this.#broken);
  }

  /** Nothing is left of who was erased, and nothing was under way. */
  #erased({ calls, matches, inboxes, outbox, liveCalls, erased }: Tables): void {
    for (const { row } of this.#accounts.values()) {
      if (!calls.has(row.id) && row.phase !== 'ended')
        this.fail(`${this.#name(row.id)} was erased in the middle of it`);
    }
    for (const match of this.#matches.values()) {
      if (!matches.has(match.id) && match.phase !== 'closed')
        this.fail(`${this.#name(match.id)} was erased in the middle of it`);
    }
    for (const userId of erased) {
      if (inboxes.has(userId) || outbox.has(userId) || liveCalls.has(userId))
        this.fail(`something is written about ${this.#name(userId)}, who was erased`);
    }
  }

  #journalled(line: JournalRow): void {
    const { durations, weather, time } = this.#world;
    const { now } = time;
    const row = this.#world.database.tables.calls.get(line.call_id)!;
    const account = this.#accounts.get(line.call_id) ?? this.#open(row);
    const { last } = account;
    const name = this.#name(line.call_id);
    this.#world.tell(name, () => describe(line, last?.state, (id) => this.#name(id)));
    const wrong = wrongStep(last?.state, line, {
      settings: durations.call,
      now,
      skewMs: weather.skewMs,
      asked: (role: Role, wish) => account.asked.get(`${role} ${wish}`) ?? 0,
    });
    if (wrong !== undefined) this.fail(`${name} ${wrong}`);
    if (line.command === 'initiate' || line.command === 'answer') {
      const misplaced = wrongForCall(this.#matches.get(row.match_id)!, {
        now,
        skewMs: weather.skewMs,
      });
      if (misplaced !== undefined) this.fail(`${line.command} of ${name} ${misplaced}`);
    }
    if (last !== undefined) {
      if (line.version !== last.version + 1) this.fail(`${name} skipped a version`);
      if (line.epoch < last.epoch) this.fail(`${name} was written by the old epoch ${line.epoch}`);
      if (line.epoch > 1 && line.epoch > account.creditedEpoch && line.command !== 'recover') {
        this.fail(`${name} went on in epoch ${line.epoch} before the outage was credited`);
      }
      if (line.command === 'recover') this.#credited(account, line, last.state);
      this.#wished(account, line);
    }
    if (line.epoch === 1) account.creditedEpoch = 1;
    // Whoever commits holds: an outage counts from then on, whenever the lease was renewed. Not what comes through late,
    // when it was given back.
    if (line.epoch === account.creditedEpoch && row.owner !== null) this.#served(account, now);
    // And whoever asks for a call has a moment to hold it.
    if (line.command === 'initiate') this.#served(account, now + UNHELD_MS);
    if (JSON.stringify(row.state) !== JSON.stringify(line.state) && row.version === line.version) {
      this.fail(`${name} and its journal differ`);
    }
    account.states.set(JSON.stringify(line.state), line.version);
    account.last = line;
  }

  /** What a person does was asked for, once for each time it is done. Coming and going is not asked for. */
  #wished(account: Account, line: JournalRow): void {
    if (line.by_id === null || line.command === 'dropped') return;
    const leftAt = this.#leftAt.get(line.by_id);
    const { time, calmSince } = this.#world;
    if (leftAt !== undefined && time.now - Math.max(leftAt, calmSince) > SIGNED_OUT_MS)
      this.fail(`${this.#name(line.by_id)}, who has left, does ${line.command}`);
    if (line.command === 'joined') return;
    const key = `${roleOf(line.state, line.by_id)} ${line.command}`;
    if (count(account.done, key) > (account.asked.get(key) ?? 0)) {
      this.fail(`${this.#name(line.call_id)}: ${line.command} is done more often than it was asked for`);
    }
  }

  #served(account: Account, until: number): void {
    account.servedUntil = until;
    account.servedOffMs = this.#world.databaseClock.offMs;
  }

  /**
   * The deadlines of a call move by as long as nobody held it: no second is lost or given twice. Where the database's clock
   * was set meanwhile, by the clock of who takes it over; but a step of seconds is taken for time.
   */
  #credited(account: Account, line: JournalRow, before: Call): void {
    const { time, databaseClock, weather } = this.#world;
    const outageMs = time.now - account.servedUntil;
    const movedMs = deadlineOf(line.state) - deadlineOf(before);
    const setMs = databaseClock.offMs - account.servedOffMs;
    account.creditedEpoch = line.epoch;
    this.#served(account, time.now);
    const isByOwn = Math.abs(setMs) > SMALL_STEP_MS;
    const expectedMs = Math.max(0, isByOwn ? outageMs : outageMs + setMs);
    // It read its clock when it asked.
    const errorMs = isByOwn ? weather.skewMs + weather.latencyMs.high : 0;
    if (Math.abs(movedMs - expectedMs) > errorMs) {
      this.fail(`${this.#name(line.call_id)} got ${movedMs} ms for an outage of ${outageMs} ms`);
    }
  }

  #rowChanged(account: Account, row: CallRow): void {
    const before = account.row;
    account.row = row;
    if (row.epoch < before.epoch) this.fail(`the epoch of ${this.#name(row.id)} went back`);
    if (row.epoch === 1) account.creditedEpoch = 1;
    if (row.leased_until !== before.leased_until && row.epoch === account.creditedEpoch) {
      this.#served(account, this.#world.time.now);
    }
  }

  #matchChanged(row: StoredMatch): void {
    const before = this.#matches.get(row.id);
    this.#matches.set(row.id, row);
    if (before === undefined || before === row) return;
    const { durations, weather, time } = this.#world;
    const { warningMs } = durations.match;
    const wrong = wrongMatchStep(before, row, { now: time.now, warningMs, skewMs: weather.skewMs });
    if (wrong !== undefined) this.fail(`${this.#name(row.id)} ${wrong}`);
  }

  #told(userId: string, event: OutboxRow, before: readonly OutboxRow[]): void {
    const name = this.#name(userId);
    if (event.seq !== before.length + 1) this.fail(`the log of ${name} has a gap before #${event.seq}`);
    const subject = callOf(event) ?? (event.payload as { matchId?: string }).matchId;
    const again = before.some(
      (other) =>
        other.type === event.type &&
        (callOf(other) ?? (other.payload as { matchId?: string }).matchId) === subject,
    );
    if (again) this.fail(`${name} is told ${event.type} of ${this.#name(subject ?? '')} twice`);
  }

  #open(row: CallRow): Account {
    const account: Account = {
      row,
      last: undefined,
      states: new Map(),
      servedUntil: 0,
      servedOffMs: 0,
      creditedEpoch: 0,
      asked: new Map(),
      done: new Map(),
    };
    this.#accounts.set(row.id, account);
    return account;
  }

  #name(id: string): string {
    return this.#world.nameOf(id);
  }
}

function count(counts: Map<string, number>, key: string): number {
  const next = (counts.get(key) ?? 0) + 1;
  counts.set(key, next);
  return next;
}

/** The deadline that an outage moves. */
function deadlineOf(call: Call): number {
  switch (call.phase) {
    case 'ringing':
      return call.ringUntil;
    case 'connecting':
      return call.connectUntil;
    default:
      return call.endsAt ?? 0;
  }
}

function callOf(event: { payload: object }): string | undefined {
  return (event.payload as { call?: { id: string } }).call?.id;
}

/** A line of the journal in words: what changed. */
function describe(line: JournalRow, before: Call | undefined, nameOf: (id: string) => string): string {
  const was = (before ?? {}) as unknown as Record<string, unknown>;
  const changes = Object.entries(line.state)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(was[key]))
    .filter(([key]) => before !== undefined || key === 'phase' || key === 'ringUntil')
    .map(([key, value]) => `${key} ${short(value)}`);
  const by = line.by_id === null ? '' : ` by ${nameOf(line.by_id)}`;
  return `v${line.version} epoch ${line.epoch}: ${line.command}${by} → ${changes.join(', ') || 'nothing new'}`;
}

/** A value with times as seconds of the story. */
function short(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && inner > 1e12 ? `${((inner % 86_400_000) / 1000).toFixed(3)}s` : inner,
  );
}
