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
import { type Bind, isAnswer, type Statement, sqlOn } from './sql.ts';

/** SQL: whether somebody holds the name that an expression says. Looks by a lock that lookers share, for the transaction. */
export const nameIsHeld = (name: string) => `not pg_try_advisory_xact_lock_shared(${keyOf(name)})`;

/** SQL: whether nobody does. False when PostgreSQL has just started and the living may not have theirs again. */
export const nameIsFree = (name: string) =>
  `(pg_postmaster_start_time() < clock_timestamp() - interval '5 s' and not ${nameIsHeld(name)})`;

const keyOf = (name: string) => `hashtextextended('duet process ' || ${name}, 0)`;
const CONNECT_MS = 2_000;
/** How long a statement on this connection may take, by the server and by the client. */
const QUERY_MS = 1_500;
const AGAIN_MS = 500;

export class HeldName {
  readonly #url: string;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #changed: (isHeld: boolean) => void;
  #client: pg.Client | undefined;
  #isHeld = false;
  #again: Timer | undefined;
  #closed = false;

  /** `changed` is told when the name is held, and when it is lost, or could not be had. */
  constructor(url: string, name: string, clock: Clock, changed: (isHeld: boolean) => void = () => {}) {
    this.#url = url;
    this.#name = name;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Takes the name, and takes it again whenever it is lost. Where it cannot be had at once this resolves all the same. */
  async hold(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'duet name',
      connectionTimeoutMillis: CONNECT_MS,
      statement_timeout: QUERY_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
    });
    this.#client = client;
    // Says so after every way to lose a connection, one that was never had included.
    client.once('end', () => this.#lost(client));
    client.on('error', () => this.#lost(client));
    try {
      await client.connect();
      const { rows } = await client.query(`select pg_try_advisory_lock(${keyOf('$1')}) as held`, [
        this.#name,
      ]);
      // A session of before may not be known to be gone yet.
      if (!rows[0].held) await client.end();
      else if (this.#client === client) {
        this.#isHeld = true;
        this.#changed(true);
      }
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
    this.#again?.cancel();
    // A server that stands still does not say goodbye: not waited for.
    this.#client?.end().catch(() => {});
  }

  #lost(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return;
    this.#client = undefined;
    this.#isHeld = false;
    this.#changed(false);
    client.end().catch(() => {});
    this.#again = this.#clock.after(AGAIN_MS, () => void this.hold());
  }
}
