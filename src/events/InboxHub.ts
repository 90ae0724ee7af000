/**
 * Who listens to whose inbox in this process, and the way of committed events to them.
 *
 * The bus carries a hint, the log is the truth: a subscription delivers in order of `seq`; where a hint was lost or
 * overtaken, the gap is read from the log before what comes after it is delivered.
 */
import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import { type Bus, RESUMED } from '../platform/Bus.ts';
import {
  InboxListener,
  type InboxListenerOptions,
  NOTHING_TOLD,
  type Position,
  readPosition,
  type Subscriber,
} from './InboxListener.ts';
import { LATELY, type StoredEvent } from './outbox.ts';

/** One listener: a device in an inbox room, or a match room on behalf of one of its people. */
export interface Subscription {
  /** Sends again everything after `seq`, then goes on. `at`: when that one was told, where it is known (epoch ms). */
  replay(after: number, at?: number): void;
  close(): void;
}

/** A device has acknowledged everything up to `seq`, news of a call among it. */
export interface Heard {
  userId: string;
  /** The sign-in of the device. */
  sessionId: string;
  seq: number;
  /** When the last of those news was told, for the log may lose its end. A release before this one does not say it. */
  at?: number;
}

const TOPIC = 'inbox';
const HEARD = 'inbox.heard';
const SEEN_TO = 'push.seen_to';
/** How long before its commit an event may have been given its time, as far as the frequent comparison knows. */
const COMMIT_WITHIN_SEC = 10;
/**
 * How often everybody is compared, for what took longer than that, and for a database whose clock was moved; and once when
 * the database is back, for what it may have lost.
 */
const COMPARE_ALL_EVERY_MS = 60_000;
/** Listeners compared in one statement. */
const COMPARED_AT_ONCE = 5_000;

/** Where a user's log stands, and the event that tells of the call that rings for them now, if any. */
export const readBeginning = sql<{ epoch: number; acked: number; ringing: number | null }>(
  'inbox-beginning',
  `select i.epoch, i.acked, (
     select max(o.seq) from live_calls l
     join calls c on c.id = l.call_id and c.phase = 'ringing' and c.callee_id = l.user_id
     join outbox o on o.user_id = l.user_id and o.seq > i.seq - ${LATELY} and o.type = 'call:incoming'
       and o.payload->'call'->>'id' = c.id::text
     where l.user_id = i.user_id
   ) as ringing
   from inboxes i where i.user_id = $1`,
);
export const writeAck = sql(
  'inbox-ack',
  'update inboxes set acked = greatest(acked, least($2, seq)) where user_id = $1 and acked < $2',
);
/** Who was told something in the last seconds. What it costs follows what happens, not how many are connected. */
export const readRecent = sql<{ user_id: string; seq: number; at: number }>(
  'inbox-recent',
  // The upper end tells the planner that these are few; without it a generic plan expects a third of the month.
  `select user_id, max(seq) as seq, max(at) as at from outbox
   where at >= now() - make_interval(secs => $1) and at < 'infinity'
   group by user_id`,
);
/**
 * Whose log is not where delivery stands: ahead, or behind what was delivered, after a failover that lost its end; or it
 * was filled up again since, and has nothing of that time by that number. Times are known to the millisecond; said as a
 * range of their own column, they lead to the one month that is looked in.
 */
export const readBehind = sql<{ user_id: string }>(
  'inbox-behind',
  `select distinct here.user_id
   from unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) as here (user_id, seq, at)
   left join inboxes i on i.user_id = here.user_id
   where coalesce(i.seq, 0) <> here.seq or here.at is not null and not exists (
     select from outbox o where o.user_id = here.user_id and o.seq = here.seq
       and o.at >= here.at and o.at < here.at + interval '1 ms')`,
);

export interface InboxHubOptions {
  db: Database;
  bus: Bus;
  clock: Clock;
  log: Log;
}

export class InboxHub {
  readonly #options: InboxHubOptions;
  readonly #listenerOptions: InboxListenerOptions;
  readonly #byUser = new Map<string, Set<InboxListener>>();
  /** Whose log could not be read. */
  readonly #unread = new Set<InboxListener>();
  /** Up to when nobody was told anything that the comparison has not seen; and when everybody was compared. */
  #comparedAt: number;
  #comparedAllAt: number;

  constructor(options: InboxHubOptions) {
    this.#options = options;
    const { db, clock, log } = options;
    this.#listenerOptions = { db, log, isSameLog: () => !db.wasAway(clock.now() - this.#comparedAllAt) };
    this.#comparedAt = options.clock.now();
    this.#comparedAllAt = this.#comparedAt;
    options.bus.subscribe(TOPIC, (message) => this.#receive(message));
    options.bus.subscribe(RESUMED, () => {
      this.reconcile().catch((err: unknown) => options.log.warn({ err }, 'inboxes could not be compared'));
    });
  }

  /** Hands committed events on, to every process. Never throws: what does not arrive is read from the log. */
  publish(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    this.#options.bus.publish(TOPIC, events);
  }

  /** Where a user's log stands; zeros for one that nothing was ever told. */
  async position(userId: string): Promise<Position> {
    const [row] = await this.#options.db.query(readPosition, [userId]);
    return row ?? NOTHING_TOLD;
  }

  /**
   * After which event a device that comes is to hear: after the last one that any device acknowledged, but a call that
   * still rings rings on it as well.
   */
  async beginning(userId: string): Promise<{ epoch: number; seq: number }> {
    const [row] = await this.#options.db.query(readBeginning, [userId]);
    const { epoch, acked } = row ?? NOTHING_TOLD;
    return { epoch, seq: row?.ringing == null ? acked : Math.min(acked, row.ringing - 1) };
  }

  /** Listens to a user's events after `after`. */
  subscribe(userId: string, after: number, subscriber: Subscriber): Subscription {
    const listener = new InboxListener(this.#listenerOptions, userId, after, subscriber, this.#unread);
    const listeners = this.#byUser.get(userId) ?? new Set();
    this.#byUser.set(userId, listeners.add(listener));
    listener.catchUp();
    return {
      replay: (from, at) => listener.restart(from, at),
      close: () => {
        listener.close();
        listeners.delete(listener);
        if (listeners.size === 0) this.#byUser.delete(userId);
      },
    };
  }

  /** A user's devices have seen everything up to `seq`. */
  async ack(userId: string, seq: number): Promise<void> {
    await this.#options.db.query(writeAck, [userId, seq]);
  }

  /** Says to every process that a device knows of a call. */
  tellHeard(heard: Heard): void {
    this.#options.bus.publish(HEARD, heard);
  }

  /** Calls `listener` when a device knows of a call. Some of it may be lost. */
  onHeard(listener: (heard: Heard) => void): void {
    this.#options.bus.subscribe(HEARD, (message) => {
      if (isHeard(message)) listener(message);
    });
  }

  /** Calls `listener` with what any process publishes, this one included. Some of it may be lost, some come again. */
  onPublished(listener: (event: StoredEvent) => void): void {
    this.#options.bus.subscribe(TOPIC, (message) => {
      if (!Array.isArray(message)) return;
      for (const told of message as (Partial<StoredEvent> | null)[]) if (isEvent(told)) listener(told);
    });
  }

  /** Says to every process that the devices of a call's callee were pushed to, to stop ringing. */
  tellSeenTo(callId: string): void {
    this.#options.bus.publish(SEEN_TO, { callId });
  }

  /** Calls `listener` when a process says so. Some of it may be lost. */
  onSeenTo(listener: (callId: string) => void): void {
    this.#options.bus.subscribe(SEEN_TO, (message) => {
      const { callId } = (message ?? {}) as { callId?: unknown };
      if (typeof callId === 'string') listener(callId);
    });
  }

  /** Compares what was delivered with the log, for hints that were lost; and reads again what could not be read. */
  async reconcile(): Promise<void> {
    for (const listener of this.#unread) listener.catchUp();
    const { db, clock } = this.#options;
    const now = clock.now();
    // Whoever comes later reads the log on coming.
    if (this.#byUser.size > 0) {
      const sinceSec = Math.ceil((now - this.#comparedAt) / 1_000) + COMMIT_WITHIN_SEC;
      for (const { user_id, seq, at } of await db.query(readRecent, [sinceSec])) {
        for (const listener of this.#byUser.get(user_id) ?? []) {
          if (listener.last !== seq || listener.doubts({ seq, at })) listener.catchUp();
        }
      }
    }
    this.#comparedAt = now;
    const sinceMs = now - this.#comparedAllAt;
    if (sinceMs < COMPARE_ALL_EVERY_MS && !db.wasAway(sinceMs)) return;
    await this.#compareAll();
    this.#comparedAllAt = now;
  }

  async #compareAll(): Promise<void> {
    const listeners = [...this.#byUser.values()].flatMap((ofOne) => [...ofOne]);
    for (let from = 0; from < listeners.length; from += COMPARED_AT_ONCE) {
      const some = listeners.slice(from, from + COMPARED_AT_ONCE);
      const delivered = [
        some.map(({ userId }) => userId),
        some.map(({ last }) => last),
        some.map(({ lastAt }) => isoTime(lastAt ?? null)),
      ];
      for (const { user_id } of await this.#options.db.query(readBehind, delivered)) {
        for (const listener of this.#byUser.get(user_id) ?? []) listener.catchUp();
      }
    }
  }

  #receive(message: unknown): void {
    if (!Array.isArray(message)) return;
    for (const told of message as (Partial<StoredEvent> | null)[]) {
      for (const listener of this.#byUser.get(told?.userId ?? '') ?? []) {
        if (isEvent(told)) listener.hint(told);
        else listener.catchUp();
      }
    }
  }
}

/** Others speak on the bus as well, a later release among them. What does not look like an event is read from the log. */
function isEvent(told: Partial<StoredEvent> | null): told is StoredEvent {
  return (
    told !== null &&
    typeof told.userId === 'string' &&
    isCount(told.seq) &&
    isCount(told.epoch) &&
    isCount(told.at) &&
    typeof told.type === 'string' &&
    typeof told.payload === 'object' &&
    told.payload !== null
  );
}

function isHeard(message: unknown): message is Heard {
  const { userId, sessionId, seq, at } = (message ?? {}) as Partial<Heard>;
  const isDated = at === undefined || isCount(at);
  return typeof userId === 'string' && typeof sessionId === 'string' && isCount(seq) && isDated;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value);
}
