/**
 * Keeps what actors promise while nobody looks: renews the leases of the calls held here, hands overdue deadlines of
 * matches to somebody who acts on them, and has calls held that nobody holds.
 */
import type { CallActor } from '../calling/CallActor.ts';
import { type CallStore, isUnheld, LEASE_MS, RENEW_EVERY_MS } from '../calling/CallStore.ts';
import { type Clock, inTime, sleep } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { type Statement, sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { Bus } from '../platform/Bus.ts';
import { Rounds } from '../platform/Rounds.ts';
import * as colyseus from './colyseus.ts';

export interface KeeperOptions {
  db: Database;
  calls: CallStore;
  /** On which processes say what they took over. */
  bus: Bus;
  clock: Clock;
  log: Log;
  /** Acts on a match whose deadline has passed. */
  tickMatch: (matchId: string) => Promise<unknown>;
  /** Holds a call that nobody holds. */
  activateCall: (callId: string) => Promise<unknown>;
  /** Whether this process takes on calls: not while it drains. Default: it does. */
  isOpen?: () => boolean;
  /** Compares the inboxes listened to here with the log. */
  reconcileInboxes: () => Promise<void>;
  /** Deletes what is kept no longer. */
  dropOld: () => Promise<void>;
  /** Whose leases these are. Default: this process of Colyseus. */
  processId?: () => string;
}

/** How often calls are looked for that nobody holds: what one whose owner is gone waits at most until somebody sees it. */
const SWEEP_CALLS_EVERY_MS = 250;
const SWEEP_MATCHES_EVERY_MS = 500;
/** Deadlines found in one look, and acted on at once. */
const SWEEP_BATCH = 100;
/** Looks in one sweep at most, where each finds as many as that: what fell due in an outage need not wait for the next. */
const SWEEP_LOOKS = 20;
/** How often inboxes are compared with the log, for hints that were lost. */
const RECONCILE_EVERY_MS = 3_000;
const DROP_EVERY_MS = HOUR_MS;
/** How often a process that drains looks whether it is over. */
const IDLE_EVERY_MS = 200;
const TAKEN_OVER = 'calls.taken_over';

/** Said on the bus: a call that somebody held before is held in this epoch now. */
interface TakenOver {
  callId: string;
  epoch: number;
}

// `skip locked` keeps two processes that sweep at once from waiting for each other; that each deadline acts once is
// the rules' doing, which decide under the row's lock or the lease. What is due is so by the clock $1 of this process, as
// in those rules: the database's may have been set since.
export const overdueMatches = sql<{ id: string }>(
  'sweep-matches',
  `select id from matches where due_at <= $1 order by due_at limit ${SWEEP_BATCH} for update skip locked`,
);
// A call whose holder died is held again as soon as that is known, whether or not anybody asks for it: what it
// would be credited otherwise is all the time until its deadline. One that nobody has held yet is given a second to be; an
// earlier release wrote no lease for it.
export const unheldCalls = sql<{ id: string }>(
  'sweep-calls',
  `select id from calls c where due_at is not null and phase <> 'ended'
     and (${isUnheld('c')} or (owner is null and due_at <= $1))
   order by due_at limit ${SWEEP_BATCH} for update skip locked`,
);

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #held = new Map<string, CallActor>();
  readonly #rounds: Rounds[] = [];
  /**
   * What earlier looks found and is still being acted on, and whether that could be done: one that takes long holds up
   * nothing else.
   */
  readonly #acting = new Map<string, Promise<boolean>>();
  #closed = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    options.bus.subscribe(TAKEN_OVER, (message) => {
      if (isTakenOver(message)) this.#heedTakenOver(message);
    });
  }

  start(): void {
    this.#every('renew', RENEW_EVERY_MS, () => this.#renew());
    this.#every('calls', SWEEP_CALLS_EVERY_MS, () => this.#sweepCalls());
    this.#every('matches', SWEEP_MATCHES_EVERY_MS, () =>
      this.#sweep(overdueMatches, SWEEP_MATCHES_EVERY_MS, this.#options.tickMatch),
    );
    this.#every('reconcile', RECONCILE_EVERY_MS, () => this.#options.reconcileInboxes());
    this.#every('retention', DROP_EVERY_MS, () => this.#options.dropOld());
  }

  /**
   * The actor is held by this process from now on. Whoever held its call before is told: one whose way to the database is
   * cut would learn it from no renewal.
   */
  hold(actor: CallActor): void {
    const { id: callId } = actor.call;
    const { epoch } = actor;
    this.#held.set(callId, actor);
    if (epoch > 1) this.#options.bus.publish(TAKEN_OVER, { callId, epoch } satisfies TakenOver);
  }

  /** The actor is no longer held here. */
  letGo(actor: CallActor): void {
    if (this.#held.get(actor.call.id) === actor) this.#held.delete(actor.call.id);
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Resolves when nothing is held here, or after `deadlineMs`. */
  async idle(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + deadlineMs;
    while (this.heldCount > 0 && clock.now() < until)
      await sleep(clock, Math.min(IDLE_EVERY_MS, until - clock.now()));
  }

  close(): void {
    this.#closed = true;
    // Not waited for: what is under way is the database's business.
    for (const rounds of this.#rounds) void rounds.close();
  }

  async #renew(): Promise<void> {
    const actors = [...this.#held.values()].filter((actor) => actor.call.phase !== 'ended');
    if (actors.length === 0) return;
    const mine = actors.map(({ call: { id }, epoch, version }) => ({ id, epoch, version }));
    const renewals = await this.#options.calls.renew((this.#options.processId ?? colyseus.processId)(), mine);
    if (renewals.size === 0) return;
    for (const actor of actors) {
      if (actor.call.phase === 'ended' || this.#held.get(actor.call.id) !== actor) continue;
      const { fate, version } = renewals.get(actor.call.id) ?? {};
      if (fate === 'severed') void this.#attempt(() => actor.system({ type: 'sever' }));
      if (fate === 'changed') void this.#attempt(() => actor.catchUp(version!));
      if (fate === 'lost') this.#abandon(actor);
    }
  }

  /** A message that is late, or comes twice, names an epoch that is no higher. */
  #heedTakenOver({ callId, epoch }: TakenOver): void {
    const actor = this.#held.get(callId);
    if (actor !== undefined && actor.call.phase !== 'ended' && actor.epoch < epoch) this.#abandon(actor);
  }

  #abandon(actor: CallActor): void {
    this.#options.log.warn({ callId: actor.call.id }, 'another process took this call over');
    this.letGo(actor);
    actor.abandon();
  }

  async #sweepCalls(): Promise<void> {
    const { db, isOpen, activateCall } = this.#options;
    if ((isOpen?.() ?? true) && !db.wasAway(LEASE_MS))
      await this.#sweep(unheldCalls, SWEEP_CALLS_EVERY_MS, activateCall);
  }

  /** Looks again as soon as a full look is acted on, and where that takes long `everyMs` later; not where some of it failed. */
  async #sweep(
    due: Statement<{ id: string }>,
    everyMs: number,
    act: (id: string) => Promise<unknown>,
  ): Promise<void> {
    const { db, clock } = this.#options;
    for (let looks = 0; looks < SWEEP_LOOKS && !this.#closed; looks++) {
      const found = await db.query(due, [new Date(clock.now())]);
      const acted = Promise.all(found.map(({ id }) => this.#actOn(id, act)));
      if (found.length < SWEEP_BATCH) return;
      const done = await inTime(clock, everyMs, acted);
      if (done?.includes(false)) return;
    }
  }

  #actOn(id: string, act: (id: string) => Promise<unknown>): Promise<boolean> {
    const acting = this.#acting.get(id);
    if (acting !== undefined) return acting;
    if (this.#closed || this.#acting.size >= 2 * SWEEP_BATCH) return Promise.resolve(false);
    const started = this.#attempt(() => act(id)).finally(() => this.#acting.delete(id));
    this.#acting.set(id, started);
    return started;
  }

  /** Whether it could be done. */
  async #attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (err) {
      this.#options.log.warn(
        { err },
        'what the keeper found could not be acted on, its next round tries again',
      );
      return false;
    }
  }

  #every(name: string, everyMs: number, work: () => Promise<void>): void {
    const { clock, log } = this.#options;
    const rounds = new Rounds({
      clock,
      log,
      everyMs,
      work,
      failure: `a round of the keeper failed: ${name}`,
    });
    this.#rounds.push(rounds);
    rounds.start();
  }
}

function isTakenOver(message: unknown): message is TakenOver {
  const { callId, epoch } = (message ?? {}) as Partial<TakenOver>;
  return typeof callId === 'string' && Number.isSafeInteger(epoch);
}
