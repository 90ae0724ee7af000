/** One listener's way through one user's log: in order of `seq`, from the bus where that is the next, else from the log. */
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { StoredEvent } from './outbox.ts';

export interface Subscriber {
  /** Called in order, without gaps; must not throw. */
  deliver(event: StoredEvent): void;
  /**
   * Events between were discarded by retention, or the log has lost what was delivered: the client must reload. `seq` is
   * where the log stands.
   */
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

export interface InboxListenerOptions {
  db: Database;
  log: Log;
}

/** Events of one user read from the log at a time. */
const BATCH = 200;
/** Where the log of somebody stands whom nothing was ever told. */
export const NOTHING_TOLD: Position = { epoch: 1, seq: 0, acked: 0 };
export const readPosition = sql<Position>(
  'inbox-position',
  'select epoch, seq, acked from inboxes where user_id = $1',
);
export const readAfter = sql<EventRow>(
  'inbox-read-after',
  'select user_id, seq, epoch, type, payload, at from outbox where user_id = $1 and seq > $2 order by seq limit $3',
);

/** One subscriber's place in one user's log. */
export class InboxListener {
  readonly #options: InboxListenerOptions;
  readonly userId: string;
  readonly #subscriber: Subscriber;
  /** Where a listener stands that could not read the log. */
  readonly #unread: Set<InboxListener>;
  /** The last `seq` delivered. */
  last: number;
  #reading = false;
  #behind = false;
  #closed = false;

  constructor(
    options: InboxListenerOptions,
    userId: string,
    after: number,
    subscriber: Subscriber,
    unread: Set<InboxListener>,
  ) {
    this.#options = options;
    this.userId = userId;
    this.last = after;
    this.#subscriber = subscriber;
    this.#unread = unread;
  }

  hint(event: StoredEvent): void {
    if (this.#closed) return;
    const isNext = event.seq === this.last + 1 && !this.#reading;
    // A client that reads slowly gets the rest from the log, as fast as it reads: nothing piles up for it here.
    if (isNext && !this.#subscriber.isBusy?.()) this.#deliver(event);
    else if (event.seq > this.last) this.catchUp();
  }

  restart(after: number): void {
    this.last = after;
    this.catchUp();
  }

  close(): void {
    this.#closed = true;
    this.#unread.delete(this);
  }

  /** Reads the log from where delivery stands until nothing is left. One reader at a time. */
  catchUp(): void {
    this.#behind = true;
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    this.#unread.delete(this);
    this.#read()
      .catch((err: unknown) => {
        this.#options.log.warn({ err }, 'an inbox could not be read, it is tried again in a moment');
        if (!this.#closed) this.#unread.add(this);
      })
      .finally(() => {
        this.#reading = false;
        // Whoever asked after the last look at the log, and before now, relied on this one.
        if (this.#behind && !this.#unread.has(this)) this.catchUp();
      });
  }

  async #read(): Promise<void> {
    while (this.#behind && !this.#closed) {
      this.#behind = false;
      const from = this.last;
      const rows = await this.#options.db.query(readAfter, [this.userId, from, BATCH]);
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
    const { seq: end } = await this.#position();
    if (end === from) return;
    // Perhaps it was told between the two looks: then it is in the log by now. A place that the log has not reached is
    // of another log (it was restored, or a failover lost its end), or made up.
    const rows = end < from ? [] : await db.query(readAfter, [this.userId, from, 1]);
    if (this.#closed || from !== this.last || rows.length > 0) this.#behind = true;
    else await this.#resync();
  }

  async #resync(): Promise<void> {
    const position = await this.#position();
    if (this.#closed) return;
    this.last = position.seq;
    this.#subscriber.resync(position);
  }

  async #position(): Promise<Position> {
    const [position] = await this.#options.db.query(readPosition, [this.userId]);
    return position ?? NOTHING_TOLD;
  }

  /** What could not be delivered is not past: it is read from the log. */
  #deliver(event: StoredEvent): void {
    this.#subscriber.deliver(event);
    this.last = event.seq;
  }
}
