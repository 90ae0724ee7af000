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
  /** Whether the log is still the one that was delivered from: not until it was compared, after an outage. */
  isSameLog: () => boolean;
}

/** Events of one user read from the log at a time. */
const BATCH = 200;
/** Where the log of somebody stands whom nothing was ever told. */
export const NOTHING_TOLD: Position = { epoch: 1, seq: 0, acked: 0 };
export const readPosition = sql<Position>(
  'inbox-position',
  'select epoch, seq, acked from inboxes where user_id = $1',
);
export const readFrom = sql<EventRow>(
  'inbox-read-from',
  'select user_id, seq, epoch, type, payload, at from outbox where user_id = $1 and seq >= $2 order by seq limit $3',
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
  /**
   * When that was told, as far as it is known. A log that lost its end and was filled up again has another event by that
   * number; from one told at the same millisecond it could not be told apart.
   */
  lastAt: number | undefined;
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
    const isNext = event.seq === this.last + 1 && !this.#reading && this.#options.isSameLog();
    // A client that reads slowly gets the rest from the log, as fast as it reads: nothing piles up for it here.
    if (isNext && !this.#subscriber.isBusy?.()) this.#deliver(event);
    else if (this.doubts(event)) this.catchUp();
  }

  /**
   * Whether the log may have more than was delivered, or something else: a number that was delivered stands for another
   * event. Times alone prove nothing, the database's clock may have been set: the log does.
   */
  doubts({ seq, at }: { seq: number; at: number }): boolean {
    if (seq > this.last) return true;
    if (this.lastAt === undefined) return false;
    return seq === this.last ? at !== this.lastAt : at > this.lastAt;
  }

  restart(after: number, at?: number): void {
    this.#moveTo(after);
    this.lastAt = at;
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
      const told = await this.#options.db.query(readFrom, [this.userId, from, BATCH]);
      if (this.#closed) return;
      // A replay moved the place while the log was being read, and asked for another look.
      if (from !== this.last) continue;
      // The last one delivered comes first, where retention has left it, and says whether this is still the same log.
      const known = told[0]?.seq === from ? told[0] : undefined;
      const rows = known === undefined ? told : told.slice(1);
      this.lastAt ??= known?.at;
      if (told.length === 0) await this.#resyncIfBehind(from);
      else if (known !== undefined && known.at !== this.lastAt) await this.#resync();
      else if (rows.length > 0 && rows[0]!.seq !== from + 1) await this.#resync();
      for (const row of rows) {
        if (row.seq <= this.last) continue;
        if (this.#subscriber.isBusy?.()) await this.#subscriber.ready?.();
        if (this.#closed) return;
        if (row.seq !== this.last + 1) {
          // A replay moved the place meanwhile, or the log has a hole, which the next look sees.
          this.#behind = true;
          break;
        }
        this.#deliver({ ...row, userId: row.user_id });
      }
      if (told.length === BATCH) this.#behind = true;
    }
  }

  /** The log is empty after `from`: either there was nothing to tell, or all of it was dropped meanwhile. */
  async #resyncIfBehind(from: number): Promise<void> {
    const { db } = this.#options;
    const { seq: end } = await this.#position();
    if (end === from) return;
    // Perhaps it was told between the two looks: then it is in the log by now. A place that the log has not reached is
    // of another log (it was restored, or a failover lost its end), or made up.
    const rows = end < from ? [] : await db.query(readFrom, [this.userId, from + 1, 1]);
    if (this.#closed || from !== this.last || rows.length > 0) this.#behind = true;
    else await this.#resync();
  }

  async #resync(): Promise<void> {
    const position = await this.#position();
    if (this.#closed) return;
    this.#moveTo(position.seq);
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
    this.lastAt = event.at;
  }

  #moveTo(seq: number): void {
    this.last = seq;
    this.lastAt = undefined;
  }
}
