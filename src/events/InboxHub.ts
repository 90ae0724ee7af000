/**
 * Who listens to whose inbox in this process, and the way of committed events to them.
 *
 * The bus carries a hint, the log is the truth: a subscription delivers in order of `seq`; where a hint was lost or
 * overtaken, the gap is read from the log before what comes after it is delivered.
 */
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { Bus } from '../platform/Bus.ts';
import type { StoredEvent } from './outbox.ts';

/** One listener: a device in an inbox room, or a match room on behalf of one of its people. */
export interface Subscription {
  /** Sends again everything after `seq`, then goes on. */
  replay(after: number): void;
  close(): void;
}

export interface Subscriber {
  /** Called in order, without gaps; must not throw. */
  deliver(event: StoredEvent): void;
  /** Events between were discarded by retention: the client must reload. `seq` is where the log stands. */
  resync(position: Position): void;
  /** Whether what was delivered is still on its way. Absent: everything is taken at once. */
  isBusy?(): boolean;
  /** Resolves when more can be taken, or when nothing ever will be. */
  ready?(): Promise<void>;
}

export interface Position {
  epoch: number;
  seq: number;
  acked: number;
}

interface EventRow {
  user_id: string;
  seq: number;
  epoch: number;
  type: StoredEvent['type'];
  payload: object;
  at: number;
}

const TOPIC = 'inbox';
/** Events of one user read from the log at a time. */
const BATCH = 200;

export const readPosition = sql<Position>(
  'inbox-position',
  'select epoch, seq, acked from inboxes where user_id = $1',
);
export const readAfter = sql<EventRow>(
  'inbox-read-after',
  'select user_id, seq, epoch, type, payload, at from outbox where user_id = $1 and seq > $2 order by seq limit $3',
);
export const writeAck = sql(
  'inbox-ack',
  'update inboxes set acked = greatest(acked, least($2, seq)) where user_id = $1 and acked < $2',
);
export const readPositions = sql<{ user_id: string; seq: number }>(
  'inbox-positions',
  'select user_id, seq from inboxes where user_id = any($1::uuid[])',
);

export interface InboxHubOptions {
  db: Database;
  bus: Bus;
  log: Log;
}

export class InboxHub {
  readonly #options: InboxHubOptions;
  readonly #byUser = new Map<string, Set<Listener>>();

  constructor(options: InboxHubOptions) {
    this.#options = options;
    options.bus.subscribe(TOPIC, (message) => this.#receive(message as StoredEvent[]));
  }

  /** Hands committed events on, to every process. Never throws: what does not arrive is read from the log. */
  publish(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    this.#options.bus.publish(TOPIC, events);
  }

  /** Where a user's log stands; zeros for one that nothing was ever told. */
  async position(userId: string): Promise<Position> {
    const [row] = await this.#options.db.query(readPosition, [userId]);
    return row ?? { epoch: 1, seq: 0, acked: 0 };
  }

  /** Listens to a user's events after `after`. */
  subscribe(userId: string, after: number, subscriber: Subscriber): Subscription {
    const listener = new Listener(this.#options, userId, after, subscriber);
    const listeners = this.#byUser.get(userId) ?? new Set();
    this.#byUser.set(userId, listeners.add(listener));
    listener.catchUp();
    return {
      replay: (from) => listener.restart(from),
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

  /** Whether the user listens on this process. */
  has(userId: string): boolean {
    return this.#byUser.has(userId);
  }

  /** Compares what was delivered with the log, for hints that were lost. */
  async reconcile(): Promise<void> {
    const userIds = [...this.#byUser.keys()];
    for (let from = 0; from < userIds.length; from += 5_000) {
      const rows = await this.#options.db.query(readPositions, [userIds.slice(from, from + 5_000)]);
      for (const row of rows) {
        for (const listener of this.#byUser.get(row.user_id) ?? []) {
          if (listener.last < row.seq) listener.catchUp();
        }
      }
    }
  }

  #receive(events: StoredEvent[]): void {
    for (const event of events) {
      for (const listener of this.#byUser.get(event.userId) ?? []) listener.hint(event);
    }
  }
}

/** One subscriber's place in one user's log. */
class Listener {
  readonly #options: InboxHubOptions;
  readonly #userId: string;
  readonly #subscriber: Subscriber;
  /** The last `seq` delivered. */
  last: number;
  #reading = false;
  #behind = false;
  #closed = false;

  constructor(options: InboxHubOptions, userId: string, after: number, subscriber: Subscriber) {
    this.#options = options;
    this.#userId = userId;
    this.last = after;
    this.#subscriber = subscriber;
  }

  hint(event: StoredEvent): void {
    if (this.#closed || event.seq <= this.last) return;
    const isNext = event.seq === this.last + 1 && !this.#reading;
    // A client that reads slowly gets the rest from the log, as fast as it reads: nothing piles up for it here.
    if (isNext && !this.#subscriber.isBusy?.()) this.#deliver(event);
    else this.catchUp();
  }

  restart(after: number): void {
    this.last = after;
    this.catchUp();
  }

  close(): void {
    this.#closed = true;
  }

  /** Reads the log from where delivery stands until nothing is left. One reader at a time. */
  catchUp(): void {
    this.#behind = true;
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.#read()
      .catch((err: unknown) =>
        this.#options.log.warn({ err }, 'an inbox could not be read, the next event tries again'),
      )
      .finally(() => {
        this.#reading = false;
      });
  }

  async #read(): Promise<void> {
    while (this.#behind && !this.#closed) {
      this.#behind = false;
      const from = this.last;
      const rows = await this.#options.db.query(readAfter, [this.#userId, from, BATCH]);
      if (this.#closed) return;
      if (from !== this.last) {
        // A replay moved the place while the log was being read.
        this.#behind = true;
        continue;
      }
      const first = rows[0];
      if (first === undefined) await this.#resyncIfBehind(from);
      else if (first.seq !== from + 1) await this.#resync();
      for (const row of rows) {
        if (row.seq <= this.last) continue;
        if (this.#subscriber.isBusy?.()) await this.#subscriber.ready?.();
        if (this.#closed) return;
        if (row.seq !== this.last + 1) {
          // A replay moved the place meanwhile.
          this.#behind = true;
          break;
        }
        this.#deliver({ ...row, userId: row.user_id });
      }
      if (rows.length === BATCH) this.#behind = true;
    }
  }

  /** The log is empty after `from`: either there was nothing to tell, or all of it was dropped meanwhile. */
  async #resyncIfBehind(from: number): Promise<void> {
    const { db } = this.#options;
    const [position] = await db.query(readPosition, [this.#userId]);
    if (position === undefined || position.seq <= from) return;
    // Perhaps it was told between the two looks: then it is in the log by now.
    const rows = await db.query(readAfter, [this.#userId, from, 1]);
    if (this.#closed || from !== this.last || rows.length > 0) this.#behind = true;
    else await this.#resync();
  }

  async #resync(): Promise<void> {
    const [position] = await this.#options.db.query(readPosition, [this.#userId]);
    if (position === undefined || this.#closed) return;
    this.last = position.seq;
    this.#subscriber.resync(position);
  }

  #deliver(event: StoredEvent): void {
    this.last = event.seq;
    this.#subscriber.deliver(event);
  }
}
