/**
 * Mirrors what cannot wait to the devices that are not connected: a call that comes in, is answered or declined
 * elsewhere, is cancelled, was missed. A device that is connected acknowledges within a moment; those that have not by
 * then are pushed to, whatever the others of the same person have heard: a page that is open at home does not keep the
 * phone from ringing.
 */
import { type Clock, inTime, type Timer } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import { LruMap } from '../platform/LruMap.ts';
import type { InboxHub } from './InboxHub.ts';
import { eventsOfCall, type StoredEvent } from './outbox.ts';
import type { PushDevices, PushMessage } from './PushDevices.ts';

export interface PushMirrorOptions {
  db: Database;
  devices: PushDevices;
  /** Says what all processes publish, and which of it one of them has seen to. */
  hub: Pick<InboxHub, 'onPublished' | 'onSeenTo' | 'tellSeenTo'>;
  clock: Clock;
  log: Log;
  /** How long a connected client may take to acknowledge. Default 1,500 ms. */
  graceMs?: number;
}

const GRACE_MS = 1_500;
/** A call that nobody hears of for this long is none any more. */
const TTL_SEC = 30;
/** What could not be sent is tried again: a moment later, then twice as late each time, up to this late. */
const AGAIN_FIRST_MS = 1_000;
const AGAIN_MOST_MS = 8_000;
/** Pushes that wait for their moment; beyond it they are dropped, and the inbox alone tells. */
const MAX_WAITING = 10_000;
/** Pushes that are remembered, so that none goes twice: those of the last seconds, during which a call may ring. */
const MAX_REMEMBERED = 10_000;
/** What waits when the process ends has this long of the little time that closing may take. */
const CLOSE_WITHIN_MS = 300;

/**
 * What people were told of calls at the end of all that was told lately: whoever did it may have died before it was
 * pushed. $1: lately, $2: the end of it; in seconds.
 */
const readLast = sql<StoredEvent & { user_id: string }>(
  'push-last',
  `with lately as (
     select user_id, seq, epoch, at, type, payload from outbox
     where at >= now() - make_interval(secs => $1) and at < 'infinity'
   )
   select * from lately
   where type like 'call:%' and at >= (select max(at) from lately) - make_interval(secs => $2)
   order by at`,
);

/** How a call may end that was not answered, or that could not begin then. */
const STOPPED: readonly (string | null)[] = ['cancelled', 'unavailable', 'failed'];

/** What is to be pushed in a moment. */
interface Waiting {
  event: StoredEvent;
  message: PushMessage;
  /** Whether another process has it to do, and this one only if that does not say that it has. */
  isOthers: boolean;
  /** How often that failed. */
  failures: number;
  /** When it is worth nothing any more, by the clock. */
  endsAt: number;
  timer?: Timer;
}

export class PushMirror {
  readonly #options: PushMirrorOptions;
  readonly #waiting = new Set<Waiting>();
  /** Of those, what another process has to do. */
  readonly #othersByCall = new Map<string, Waiting>();
  /** Being pushed. */
  readonly #sending = new Set<Promise<void>>();
  #closed = false;
  /** What this process has seen to, by kind and call. */
  readonly #mirrored = new LruMap<string, true>(MAX_REMEMBERED);
  /** When the calls of the last seconds began to ring, by the clock that their ends are told by as well. */
  readonly #rangAt = new LruMap<string, number>(MAX_REMEMBERED);
  constructor(options: PushMirrorOptions) {
    this.#options = options;
    options.hub.onPublished((event) => this.#overhear(event));
    options.hub.onSeenTo((callId) => this.#leave(callId));
  }

  /** Looks at committed events; returns at once and never throws. An event that comes again is not pushed again. */
  mirror(events: readonly StoredEvent[]): void {
    for (const event of events) this.#mirror(event, this.#graceMs);
  }

  /**
   * Looks once, at the start, at what was told last before: whoever was to push it may have died, with nobody there to
   * hear of it. Returns at once and never throws.
   */
  lookBack(): void {
    const { db } = this.#options;
    db.query(readLast, [TTL_SEC, this.#graceMs / 1_000]).then(
      (rows) => {
        for (const { user_id: userId, ...event } of rows) this.#overhear({ ...event, userId });
      },
      (err: unknown) => this.#failed(err),
    );
  }

  /**
   * A call rings, and whether its callee was pushed to is not known: whoever committed it may have died before, or never
   * have heard that it is committed. Returns at once and never throws. Those that another process pushes to are left
   * out where it says so in time: it is given as long again.
   */
  ring(call: { id: string; calleeId: string }): void {
    this.#ring(call, this.#options.clock.now() + TTL_SEC * 1_000, 0);
  }

  #ring(call: { id: string; calleeId: string }, endsAt: number, failures: number): void {
    if (this.#closed || this.#mirrored.get(keyOf({ type: 'call:incoming', callId: call.id }))) return;
    const told = eventsOfCall(this.#options.db, call.id, [call.calleeId]);
    told.then(
      (events) => {
        for (const event of events)
          if (event.type === 'call:incoming') this.#mirror(event, 2 * this.#graceMs);
      },
      (err: unknown) => {
        this.#failed(err);
        const { clock } = this.#options;
        const delayMs = againMs(failures + 1);
        if (clock.now() + delayMs < endsAt)
          clock.after(delayMs, () => this.#ring(call, endsAt, failures + 1));
      },
    );
  }

  /**
   * What waits to tell devices that a call is over is told at once, unless that is another process's. A call that still
   * rings is seen to by whoever takes it over.
   */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#waiting) {
      waiting.timer?.cancel();
      if (waiting.message.type !== 'call:incoming' && !waiting.isOthers) this.#send(waiting);
    }
    this.#waiting.clear();
    this.#othersByCall.clear();
    await inTime(this.#options.clock, CLOSE_WITHIN_MS, Promise.all(this.#sending));
  }

  /**
   * What any process publishes. Whoever did may die before its devices are told to stop ringing: the others give it as
   * long again, and do it one after the other, so that the first can say so. A call that rings is found by whoever takes
   * it over.
   */
  #overhear(event: StoredEvent): void {
    const message = messageOf(event);
    if (message?.type === 'call:incoming') this.#rangAt.set(message.callId, event.at);
    else this.#mirror(event, (2 + Math.random()) * this.#graceMs, true);
  }

  /** Another process has told the devices that a call is over, or goes on trying to. */
  #leave(callId: string): void {
    const waiting = this.#othersByCall.get(callId);
    if (waiting === undefined) return;
    waiting.timer?.cancel();
    this.#drop(waiting);
  }

  #mirror(event: StoredEvent, delayMs: number, isOthers = false): void {
    const message = messageOf(event);
    // What others have to do leaves room for what only this process does.
    const most = isOthers ? MAX_WAITING / 2 : MAX_WAITING;
    if (message === undefined || this.#closed || this.#waiting.size >= most) return;
    const key = keyOf(message);
    if (this.#mirrored.get(key)) return;
    this.#mirrored.set(key, true);
    if (message.type === 'call:incoming') this.#rangAt.set(message.callId, event.at);
    else if (this.#isTooSoon(event, message)) return;
    const endsAt = this.#options.clock.now() + TTL_SEC * 1_000;
    this.#wait({ event, message, isOthers, failures: 0, endsAt }, delayMs);
  }

  #wait(waiting: Waiting, delayMs: number): void {
    waiting.timer = this.#options.clock.after(delayMs, () => {
      this.#drop(waiting);
      this.#send(waiting);
    });
    this.#waiting.add(waiting);
    if (waiting.isOthers) this.#othersByCall.set(waiting.message.callId, waiting);
  }

  #drop(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    if (waiting.isOthers) this.#othersByCall.delete(waiting.message.callId);
  }

  #send(waiting: Waiting): void {
    const sending = this.#options.devices
      .tell(waiting.event, waiting.message, TTL_SEC)
      .catch((err: unknown) => {
        this.#failed(err);
        this.#tryAgain(waiting);
      })
      .finally(() => {
        this.#sending.delete(sending);
        // From the first time on, whatever came of it: whoever fails tries again.
        if (waiting.message.type !== 'call:incoming' && waiting.failures <= 1)
          this.#options.hub.tellSeenTo(waiting.message.callId);
      });
    this.#sending.add(sending);
  }

  /** Those that were told are left out then, and nothing rings that is over by then. */
  #tryAgain(waiting: Waiting): void {
    waiting.failures += 1;
    waiting.isOthers = false;
    const delayMs = againMs(waiting.failures);
    const isWorthIt = this.#options.clock.now() + delayMs < waiting.endsAt;
    const hasRoom = this.#waiting.size < MAX_WAITING;
    if (isWorthIt && hasRoom && !this.#closed) this.#wait(waiting, delayMs);
    else this.#mirrored.delete(keyOf(waiting.message));
  }

  #failed(err: unknown): void {
    this.#options.log.warn(
      { err },
      'a push could not be sent: it is tried again while it is worth it; the inbox has the event',
    );
  }

  /**
   * So soon after it began, no device was pushed to that would have to stop ringing. Towards the end of that time one may
   * have been, and where it is not known when it began, or the database's clock was set since.
   */
  #isTooSoon({ at }: StoredEvent, { callId }: PushMessage): boolean {
    const rangMs = at - (this.#rangAt.get(callId) ?? Number.NEGATIVE_INFINITY);
    return rangMs >= 0 && rangMs < this.#graceMs / 2;
  }

  get #graceMs(): number {
    return this.#options.graceMs ?? GRACE_MS;
  }
}

interface CallFacts {
  id: string;
  calleeId: string;
  outcome: string | null;
  startedAt?: string | null;
}

/** A call rings once, and is over once, whatever else becomes of it: that it failed after it was answered is no news. */
function keyOf({ type, callId }: PushMessage): string {
  return `${type === 'call:incoming' ? 'rings' : 'is over'} ${callId}`;
}

/** Half of it by chance, so that what failed together does not come again together. */
function againMs(failures: number): number {
  const mostMs = Math.min(AGAIN_FIRST_MS * 2 ** (failures - 1), AGAIN_MOST_MS);
  return (mostMs / 2) * (1 + Math.random());
}

function messageOf(event: StoredEvent): PushMessage | undefined {
  if (!event.type.startsWith('call:')) return undefined;
  // Of a release that is not this one it may look otherwise.
  const { call } = event.payload as { call?: CallFacts | null };
  if (!call || call.calleeId !== event.userId) return undefined;
  const of = (type: PushMessage['type']): PushMessage => ({ type, callId: call.id });
  switch (event.type) {
    case 'call:incoming':
    case 'call:answered':
    case 'call:rejected':
      return of(event.type);
    case 'call:ended':
      if (call.outcome === 'missed') return of('call:missed');
      // Whatever ends it while it rings: the caller, a pair that is severed, a failure. Nothing rings of one that began.
      return STOPPED.includes(call.outcome) && !call.startedAt ? of('call:cancelled') : undefined;
    default:
      return undefined;
  }
}
