/**
 * A name that a process holds in the database for as long as it lives: an advisory lock of a session's (PostgreSQL's
 * documentation, 13.3.5), on a connection of its own. PostgreSQL lets go of it when the connection closes,
 * and the kernel closes that the moment the process is gone, so others need not wait for a lease to hear of a death.
 *
 * That a name is free proves nothing by itself: a living process lacks its name for a moment when the connection broke.
 * Behind a pooler that shares connections between transactions a name never gets free.
 */
import pg from 'pg';
import type { Clock, Timer } from '../clock.ts';
import { KEEP_ALIVE } from './keepAlive.ts';
import { sayClock } from './sharedClock.ts';
import { type Bind, isAnswer, type Statement, sql, sqlOn } from './sql.ts';

/** SQL: whether somebody holds the name that an expression says. Looks by a lock that lookers share, for the transaction. */
export const nameIsHeld = (name: string) => `not pg_try_advisory_xact_lock_shared(${keyOf(name)})`;

/** SQL: whether nobody does. False when PostgreSQL has just started and the living may not have theirs again. */
export const nameIsFree = (name: string) =>
  `(pg_postmaster_start_time() < clock_timestamp() - interval '5 s' and not ${nameIsHeld(name)})`;

const keyOf = (name: string) => `hashtextextended('duet process ' || ${name}, 0)`;
const CONNECT_MS = 2_000;
/**
 * How long a statement on this connection may take, by the server and by the client. What is renewed over it must still
 * be renewed in another way when it was silent for so long.
 */
export const SILENT_MS = 1_000;
const AGAIN_MS = 500;
/**
 * How often the connection is used at least: what lies between may have forgotten it, or lost its other end, and who
 * starts after the database's clock was set has to know how far this process's is from it.
 */
const ASK_EVERY_MS = 2_000;

/**
 * After so long without a word PostgreSQL ends the session: a machine that lost its power says no goodbye, and left to the
 * system its name, and what it said of its clock, would be there for two hours.
 */
export const FORGOTTEN_MS = 30_000;

const takeName = sql<{ held: boolean }>(
  'name-take',
  `select pg_try_advisory_lock(${keyOf('$1')}) as held, set_config('idle_session_timeout', '${FORGOTTEN_MS}', false)`,
);

/**
 * Ends the session that has the name, and waits for its end. Names are a process's own, so it can only be one that this
 * process has given up. Lookers share their lock, and are none.
 */
const endLeftover = sql<{ ended: boolean }>(
  'name-end-leftover',
  `select pg_terminate_backend(pid, ${SILENT_MS / 2}) as ended
   from pg_locks join pg_stat_activity using (pid), ${keyOf('$1')} as key
   where locktype = 'advisory' and mode = 'ExclusiveLock' and granted and objsubid = 1
     and (classid::int8 << 32) | objid::int8 = key
     and datname = current_database() and datid = database and usename = current_user and pid <> pg_backend_pid()`,
);

export interface NameListener {
  /** Told when the database answers over the name's connection, and when the connection is lost or could not be had. */
  reached?: (isReached: boolean) => void;
  /** Told when a session of before still had the name, and was ended. */
  leftoverEnded?: () => void;
}

/** Makes a connection, which is not open yet. Default: one to PostgreSQL; the simulation has its own. */
export type MakeClient = (config: pg.ClientConfig) => pg.Client;

export class HeldName {
  readonly #url: string;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #told: NameListener;
  readonly #makeClient: MakeClient;
  #client: pg.Client | undefined;
  #isHeld = false;
  /** The next try where the name is not held, the next question where it is. */
  #next: Timer | undefined;
  #closed = false;

  constructor(
    url: string,
    name: string,
    clock: Clock,
    told: NameListener = {},
    makeClient: MakeClient = (config) => new pg.Client(config),
  ) {
    this.#url = url;
    this.#name = name;
    this.#clock = clock;
    this.#told = told;
    this.#makeClient = makeClient;
  }

  /** Takes the name, and takes it again whenever it is lost. Where it cannot be had at once this resolves all the same. */
  async hold(): Promise<void> {
    const client = this.#makeClient({
      connectionString: this.#url,
      application_name: 'duet name',
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: SILENT_MS,
      query_timeout: SILENT_MS,
      ...KEEP_ALIVE,
    });
    this.#client = client;
    // Says so after every way to lose a connection, one that was never had included.
    client.once('end', () => this.#lost(client));
    client.on('error', () => this.#lost(client));
    try {
      await client.connect();
      await this.#take(client);
    } catch {
      this.#lost(client);
    }
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Runs a statement on the name's connection, where it waits for nobody else's. A connection that gives no answer is lost. */
  async query<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    const client = this.#client!;
    try {
      return await sqlOn(client).query(statement, values);
    } catch (error) {
      if (!isAnswer(error)) this.#lost(client);
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#next?.cancel();
    // A server that stands still does not say goodbye: not waited for.
    this.#client?.end().catch(() => {});
  }

  async #take(client: pg.Client): Promise<void> {
    const session = sqlOn(client);
    const [taken] = await session.query(takeName, [this.#name]);
    if (this.#closed || this.#client !== client) return;
    this.#told.reached?.(true);
    if (taken!.held) {
      this.#isHeld = true;
      return this.#ask(client);
    }
    const leftovers = await session.query(endLeftover, [this.#name]);
    if (leftovers.some(({ ended }) => ended)) {
      this.#told.leftoverEnded?.();
      return this.#take(client);
    }
    this.#after(AGAIN_MS, client, () => this.#take(client));
  }

  async #ask(client: pg.Client, said?: number): Promise<void> {
    const saidNow = await sayClock(sqlOn(client), this.#clock, said);
    this.#after(ASK_EVERY_MS, client, () => this.#ask(client, saidNow));
  }

  #after(delayMs: number, client: pg.Client, work: () => Promise<void>): void {
    if (this.#closed || this.#client !== client) return;
    this.#next = this.#clock.after(delayMs, () => void work().catch(() => this.#lost(client)));
  }

  #lost(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#isHeld = false;
    this.#told.reached?.(false);
    client.end().catch(() => {});
    this.#next?.cancel();
    this.#next = this.#clock.after(AGAIN_MS, () => void this.hold());
  }
}
