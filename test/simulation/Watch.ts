/** What must hold of the whole at every moment, whatever was done last. */
import { LEASE_MS } from '../../src/calling/CallStore.ts';
import { SEVERED_DUE_MS } from '../../src/matching/transitions.ts';
import { Broken } from './Ledger.ts';
import type { SimProcess } from './SimProcess.ts';
import type { CallRow } from './tables.ts';
import type { World } from './World.ts';

/**
 * How long a deadline may be overdue once no fault is felt any more and a process is up: a dead owner's lease (2 s),
 * a sweep (0.5 s), a try that came too early and the next one, and what a few slow packets take.
 */
const TAKEOVER_MS = 4_500;
/** And what is between people of whom one has left: who failed to end it leaves it alone for 30 s (`AccountDeadlines`). */
const SETTLED_MS = 32_000 + TAKEOVER_MS;
/** What can only be wrong for a while is looked at this often, all else after every write. */
const LOOK_EVERY_MS = 100;
/** How long a process that is well may act on what it lost. */
const NOTICE_MS = 1_500;

export class Watch {
  readonly #world: World;
  /** Since when something has been so that may be so for a moment only. */
  readonly #since = new Map<string, number>();
  #changesSeen = -1;
  #lookedAt = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Looks at everything; throws `Broken`. */
  look(): void {
    const { tables } = this.#world.database;
    const { now } = this.#world.time;
    if (this.#changesSeen !== tables.changes) this.#uniqueness();
    this.#changesSeen = tables.changes;
    if (now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    const someoneUp = this.#world.processes.some((process) => process.healthy && process.isOpen);
    for (const call of tables.calls.values()) {
      if (call.phase !== 'ended') this.#call(call, someoneUp);
    }
    for (const match of tables.matches.values()) {
      const name = this.#world.nameOf(match.id);
      const isSevered = match.due_at === SEVERED_DUE_MS && match.phase !== 'closed';
      // Due since it was severed, whatever its row says.
      this.#onlyBriefly(`${name} is severed and goes on`, someoneUp && isSevered, TAKEOVER_MS);
      if (someoneUp && !isSevered && this.#overdueMs(match.due_at) > TAKEOVER_MS)
        throw new Broken(`${name} is overdue`);
    }
    for (const process of this.#world.everyone) this.#rooms(process);
  }

  #uniqueness(): void {
    const { tables } = this.#world.database;
    const matches = new Set<string>();
    const people = new Set<string>();
    for (const call of tables.calls.values()) {
      if (call.phase === 'ended') continue;
      if (matches.has(call.match_id)) throw new Broken(`one match has two live calls`);
      matches.add(call.match_id);
      for (const userId of [call.caller_id, call.callee_id]) {
        if (people.has(userId)) throw new Broken(`${this.#world.nameOf(userId)} is in two live calls`);
        people.add(userId);
        if (tables.liveCalls.get(userId) !== call.id) {
          throw new Broken(`${this.#world.nameOf(call.id)} is live and not in live_calls`);
        }
      }
    }
    if (people.size !== tables.liveCalls.size) throw new Broken('live_calls holds a call that is over');
    const pairs = new Set<string>();
    for (const match of tables.matches.values()) {
      if (match.status !== 'active') continue;
      const pair = `${match.low_id} ${match.high_id}`;
      if (pairs.has(pair)) throw new Broken('one pair has two active matches');
      pairs.add(pair);
    }
  }

  #call(call: CallRow, someoneUp: boolean): void {
    const world = this.#world;
    const name = world.nameOf(call.id);
    if (someoneUp && this.#overdueMs(call.due_at) > TAKEOVER_MS) {
      throw new Broken(`${name} is overdue by ${world.time.now - call.due_at!} ms`);
    }
    const match = world.database.tables.matches.get(call.match_id)!;
    if (someoneUp && match.phase === 'closed' && this.#overdueMs(match.ended_at) > TAKEOVER_MS) {
      throw new Broken(`${name} goes on, though its match ended ${world.time.now - match.ended_at!} ms ago`);
    }
    const { users } = world.database.tables;
    const isParted = [call.caller_id, call.callee_id].some((id) => users.get(id)?.status === 'deleted');
    this.#onlyBriefly(`${name} goes on, though one of its people left`, someoneUp && isParted, SETTLED_MS);
    const owners = world.everyone.filter((process) => process.id === call.owner);
    const roomless =
      owners.some((process) => process.healthy) && !owners.some((process) => process.rooms.has(call.id));
    // Who claims it and is not told so does not know that it holds it: the lease has to run out first.
    this.#onlyBriefly(`${call.owner} holds ${name} and has no room for it`, roomless, LEASE_MS + NOTICE_MS);
  }

  #rooms(process: SimProcess): void {
    if (!process.healthy) return;
    for (const room of process.rooms.values()) {
      const row = this.#world.database.tables.calls.get(room.callId);
      const name = this.#world.nameOf(room.callId);
      const acts = room.actor.call.phase !== 'ended' && room.actor.isActing;
      this.#onlyBriefly(`${process.id} acts on ${name}, which was erased`, row === undefined && acts);
      if (row === undefined) continue;
      const lost = row.phase !== 'ended' && room.actor.epoch !== row.epoch;
      this.#onlyBriefly(`${process.id} acts on ${name}, which it lost`, lost);
      const consent = row.state.phase !== 'ended' && 'media' in row.state && row.state.media === 'video';
      this.#onlyBriefly(
        `${process.id} lets video through in ${name} without consent`,
        room.policy.video && !consent,
      );
    }
  }

  /** How long something is late by now, at the most generous: counted from the last fault that may be felt. */
  #overdueMs(dueAt: number | null): number {
    return dueAt === null ? 0 : this.#world.time.now - Math.max(dueAt, this.#world.calmSince);
  }

  #onlyBriefly(what: string, so: boolean, forMs = NOTICE_MS): void {
    if (!so) {
      this.#since.delete(what);
      return;
    }
    const since = this.#since.get(what) ?? this.#world.time.now;
    this.#since.set(what, since);
    if (this.#overdueMs(since) > forMs) throw new Broken(what);
  }
}
