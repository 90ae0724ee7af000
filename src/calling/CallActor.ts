/**
 * One live call: a mailbox in front of the rules. Commands run one at a time; each is decided by
 * `transitions.ts`, committed, and only then told to the room. The timer is the fast path to the call's next
 * deadline; the row's `due_at` is the truth, for whoever holds the call after us.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Sql } from '../db/sql.ts';
import { DuetError, isRefusal, type Refusal } from '../errors.ts';
import type { StoredEvent } from '../events/outbox.ts';
import type { Log } from '../log.ts';
import { accept, lock, save } from '../matching/matchStore.ts';
import type { MatchSettings } from '../matching/transitions.ts';
import type { CallStore, HeldCall } from './CallStore.ts';
import type { CallChange, CallEffect, SayEffect } from './effects.ts';
import { KnownCall } from './KnownCall.ts';
import { type Call, type CallSettings, roleOf } from './state.ts';
import { byPerson, bySystem, dueAt, type PersonCommand, type SystemCommand } from './transitions.ts';
import { inboxEvents } from './view.ts';

/** Who is told: the room. Called after the commit, in order; must not throw. */
export interface CallAudience {
  /** The call is now this. Called before the effects of the same change. */
  changed(call: Call): void;
  /** Something to say to the clients in the room. */
  say(effect: SayEffect, call: Call): void;
  /** Another process holds the call now: stop acting, send the clients there. */
  lost(): void;
}

export interface CallActorOptions {
  held: HeldCall;
  store: CallStore;
  settings: CallSettings;
  matchSettings: MatchSettings;
  clock: Clock;
  log: Log;
  audience: CallAudience;
  /** What else the journal is to hold of a call that ends. */
  factsAtEnd?: () => object;
  /** Hands committed inbox events on for delivery. */
  publish: (events: readonly StoredEvent[]) => void;
}

/** Commands that may wait; more are refused with UNAVAILABLE. A call has two people: this is never reached honestly. */
const MAX_WAITING = 64;
/** How soon a deadline is tried again when the database did not take it. */
const RETRY_MS = 500;

export class CallActor {
  readonly #options: CallActorOptions;
  readonly #known: KnownCall;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: CallActorOptions) {
    this.#options = options;
    this.#known = new KnownCall(options.store, options.held);
    this.#schedule();
  }

  get call(): Call {
    return this.#known.call;
  }

  get epoch(): number {
    return this.#known.epoch;
  }

  /** Of the row, as far as it is known here. */
  get version(): number {
    return this.#known.version;
  }

  /** Whether what it says of the call still counts: not once it gave it back, or lost it. */
  get isActing(): boolean {
    return !this.#closed;
  }

  /**
   * A person's command. Resolves with the call after it. Throws NOT_FOUND for strangers, what the rules refuse, and
   * UNAVAILABLE where too many wait or the database does not take it. Under the same `id` it is done once, however often
   * it comes; again it is answered with the call as it is.
   */
  async command(command: PersonCommand, userId: string, id?: string): Promise<Call> {
    const role = roleOf(this.call, userId);
    if (role === undefined) throw new DuetError('NOT_FOUND');
    const { settings, clock } = this.#options;
    let isChange = false;
    const decide = (call: Call) => {
      const change = byPerson(call, command, role, clock.now(), settings);
      isChange = !isRefusal(change) && change.call !== call;
      return change;
    };
    const answer = this.#enqueue(command.type, userId, decide, id);
    await answer.catch(() => {});
    // A change of before that was given up on has come through since: the row is what it is decided on.
    if (!isChange && !(await this.#isUpToDate())) return this.command(command, userId, id);
    return answer;
  }

  /** What the rules would make of the call if a person's command were done now; the call as it is where they refuse. */
  after(command: PersonCommand, userId: string): Call {
    const role = roleOf(this.call, userId);
    if (role === undefined) return this.call;
    const { settings, clock } = this.#options;
    const change = byPerson(this.call, command, role, clock.now(), settings);
    return isRefusal(change) ? this.call : change.call;
  }

  /** A command of the server itself. */
  async system(command: SystemCommand): Promise<Call> {
    const { settings, clock } = this.#options;
    return this.#enqueue(command.type, null, (call) => bySystem(call, command, clock.now(), settings));
  }

  /**
   * Gives a command that tells of something nobody will tell again: that a connection is gone, or media flows. What the
   * database does not take is tried again, for as long as it `holds` and this actor acts.
   */
  async insist(tell: () => Promise<Call>, holds: () => boolean = () => true): Promise<void> {
    try {
      await tell();
    } catch (err) {
      const isRefused = err instanceof DuetError && err.code !== 'UNAVAILABLE';
      if (isRefused || this.#closed) return;
      const { clock, log } = this.#options;
      log.warn({ err, callId: this.call.id }, 'a call could not be told what has happened, trying again');
      clock.after(RETRY_MS, () => {
        if (!this.#closed && holds()) void this.insist(tell, holds);
      });
    }
  }

  /** The row was seen at `version`: a change that was given up on may have come through, and brought a deadline. */
  async catchUp(version: number): Promise<void> {
    if (!this.#known.knows(version)) await this.system({ type: 'tick' });
  }

  /** Stops acting and gives the lease back, after the command under way; those that wait are refused. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#queue.catch(() => {});
    if (this.call.phase !== 'ended') await this.#options.store.release(this.call, this.epoch);
  }

  /** Stops acting at once: the lease is lost. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#options.audience.lost();
  }

  #enqueue(
    name: string,
    byId: string | null,
    decide: (call: Call) => CallChange | Refusal,
    id?: string,
  ): Promise<Call> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(new DuetError('UNAVAILABLE'));
    this.#waiting++;
    const result = this.#queue.then(async () => {
      try {
        // What it knows of the call may be of long ago: not even a refusal is its to say.
        if (this.#closed) throw new DuetError('UNAVAILABLE');
        await this.#resolveDoubt();
        await this.#settle();
        if (id !== undefined && this.#known.hasDone(id)) return this.call;
        const call = await this.#apply(name, byId, decide(this.call), id);
        // Also where it changed nothing: later it might.
        if (id !== undefined) this.#known.remember([id]);
        return call;
      } finally {
        this.#waiting--;
        this.#schedule();
      }
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  /**
   * What changes something is written, which only the holder can. What a person is told without that (a refusal, or that it
   * is so already) holds as long as the call is held here, and this process may have stood still. What has ended stays so.
   * Beside the queue: nothing that ends the call waits for those who are refused.
   */
  async #isUpToDate(): Promise<boolean> {
    if (this.call.phase === 'ended') return true;
    const version = this.#closed ? undefined : await this.#known.rowVersion();
    if (version === undefined) return this.#lost();
    return this.#known.knows(version);
  }

  /** Finds out what became of a commit that failed. */
  async #resolveDoubt(): Promise<void> {
    const found = await this.#known.reread();
    if (found === undefined) return;
    if (found === 'lost') return this.#lost();
    this.#tellAudience(this.call, found);
    this.#publishAgain();
  }

  #lost(): never {
    this.abandon();
    throw new DuetError('UNAVAILABLE');
  }

  /** What was committed without an answer: an inbox or a device that was told already knows it by its number. */
  #publishAgain(): void {
    const { store, publish, log } = this.#options;
    store.told(this.call).then(publish, (err: unknown) => {
      log.warn(
        { err, callId: this.call.id },
        'what became of a call was not published: it stands in the logs',
      );
    });
  }

  /** Deadlines that have passed come before any command. */
  async #settle(): Promise<void> {
    const { settings, clock } = this.#options;
    for (;;) {
      const due = dueAt(this.call, settings);
      if (due === null || due > clock.now()) return;
      await this.#apply('tick', null, bySystem(this.call, { type: 'tick' }, clock.now(), settings));
    }
  }

  async #apply(
    command: string,
    byId: string | null,
    change: CallChange | Refusal,
    commandId?: string,
  ): Promise<Call> {
    if (isRefusal(change)) throw new DuetError(change.refused);
    if (change.call === this.call) return this.call;
    if (this.#closed) throw new DuetError('UNAVAILABLE');
    const { settings, clock, publish } = this.#options;
    const { call, effects } = change;
    const events = await this.#known.commit(change, {
      command,
      commandId,
      byId,
      dueAt: dueAt(call, settings),
      ...(call.phase === 'ended' && { facts: this.#options.factsAtEnd?.() }),
      events: inboxEvents(call, effects, clock.now()),
      ...(command === 'answer' && { first: (tx: Sql) => this.#acceptMatch(tx, call) }),
    });
    if (events === undefined) {
      await this.#resolveDoubt();
      throw new DuetError('UNAVAILABLE');
    }
    if (isRefusal(events)) throw new DuetError(events.refused);
    publish(events);
    this.#tellAudience(call, effects);
    return call;
  }

  /** Answering is the callee's acceptance of the match: of one that is over, severed or expired nothing is answered. */
  async #acceptMatch(
    tx: Sql,
    { matchId, calleeId }: Call,
  ): Promise<Refusal | (() => Promise<StoredEvent[]>)> {
    const { clock, matchSettings } = this.#options;
    const match = await lock(tx, matchId, clock, matchSettings);
    if (match === undefined) return { refused: 'MATCH_NOT_ACTIVE' };
    const accepted = accept(match, calleeId);
    return isRefusal(accepted) ? accepted : () => save(tx, match, accepted, matchSettings);
  }

  /** What is committed has happened: a failure to show it is logged, and refuses nobody's command. */
  #tellAudience(call: Call, effects: readonly CallEffect[]): void {
    const { audience, log } = this.#options;
    try {
      audience.changed(call);
      for (const effect of effects) {
        if (effect.kind === 'say') audience.say(effect, call);
      }
    } catch (err) {
      log.error({ err, callId: call.id }, 'a change of a call could not be shown');
    }
  }

  #schedule(delayAtLeastMs = 0): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closed) return;
    const { settings, clock } = this.#options;
    const due = this.#known.isInDoubt ? clock.now() + RETRY_MS : dueAt(this.call, settings);
    if (due === null) return;
    this.#timer = clock.after(Math.max(due - clock.now(), delayAtLeastMs), () => {
      this.system({ type: 'tick' }).catch((err: unknown) => {
        if (this.#closed) return;
        this.#options.log.warn(
          { err, callId: this.call.id },
          'a deadline of a call could not be committed, trying again',
        );
        this.#schedule(RETRY_MS);
      });
    });
  }
}
