/**
 * The database: one pool, of MikroORM's, which owns the model (entities, migrations). What is asked is asked by named
 * statements (`sql.ts`): a unit of work costs many times the processor time of one. Every connection has time-outs, and a
 * PostgreSQL that does not answer at all is noticed before them (`Pulse`), so that it makes errors, not waits.
 */
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import pg, { type Pool, type PoolClient } from 'pg';
import { entities } from '../../entities/index.ts';
import { type Clock, inTime, SystemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { ask } from './ask.ts';
import { HeldName } from './HeldName.ts';
import { KEEP_ALIVE } from './keepAlive.ts';
import { migrations } from './migrations.ts';
import { ensureMonths, MONTHLY_TABLES } from './months.ts';
import { Probe } from './Probe.ts';
import { Pulse } from './Pulse.ts';
import { readEpoch, readSharedEpoch } from './sharedClock.ts';
import { type Bind, isAnswer, type Sql, type Statement, sqlOn } from './sql.ts';

export interface DatabaseOptions {
  /** postgres:// URL. */
  url: string;
  /** Connections at most; requests beyond wait for one, at most `CONNECT_MS`, then fail as UNAVAILABLE. */
  poolSize: number;
  log: Log;
  /** How long a statement may run, measured by the server and, 500 ms later, by the client. Default 5,000 ms. */
  statementTimeoutMs?: number;
}

/**
 * Statements find rows by key, a batch of keys at most: one generic plan over the indexes serves every value. Left to
 * itself PostgreSQL plans a small batch of decisions anew each time, 5 ms for 0.5 ms of work over the partitions, and
 * keeps a plan with sequential scans that it made while a table was empty until the next analyze. Said once a
 * connection: said in each transaction, it was a tenth of what a batch of likes costs.
 */
export const PLANNING = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off';

/**
 * For how much of its time a statement may wait for a lock: many that wait for one row would have all connections, and
 * nobody else one.
 */
const LOCK_SHARE = 0.4;

const STATEMENT_TIMEOUT_MS = 5_000;

/** How long a request waits for a connection: a burst is worked off, not refused. */
const CONNECT_MS = 8_000;
/** How long closing waits for connections that are in use: those of a server that stands still are, for ever. */
const CLOSE_MS = 300;

export class Database implements Sql {
  readonly orm: MikroORM;
  readonly pool: Pool;
  readonly #clock = new SystemClock();
  readonly #url: string;
  readonly #log: Log;
  readonly #probe: Probe;
  readonly #pulse: Pulse;
  /** For how long a connection may say nothing to a statement. */
  readonly #answerMs: number;
  #name: HeldName | undefined;
  /** When the database stood still last. Connections of before are not used again: some may stand still for good. */
  #stalledAt = 0;
  /** When each connection was made; both in looks of the pulse. */
  readonly #bornAt = new WeakMap<PoolClient, number>();
  /** Whether the name's connection broke and is not there again. */
  #isCutOff = false;
  /** When the database was there again the last time that it had been away, by the clock. */
  #backAt = Number.NEGATIVE_INFINITY;
  #closed: Promise<void> | undefined;

  private constructor(orm: MikroORM, pool: Pool, options: DatabaseOptions, probe: Probe) {
    const { url, log, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
    this.orm = orm;
    this.pool = pool;
    pool.on('connect', (client) => this.#bornAt.set(client, this.#pulse.looks));
    this.#url = url;
    this.#log = log;
    this.#probe = probe;
    // PostgreSQL gives a statement up first, if it can.
    this.#answerMs = statementTimeoutMs + 500;
    this.#pulse = new Pulse({
      clock: this.#clock,
      probe: () => probe.ask(),
      onChange: (stalled) => {
        if (stalled) this.#stalledAt = this.#pulse.looks;
        else this.#backAt = this.#clock.now();
        if (stalled) log.error({}, 'PostgreSQL stands still: requests are refused until it answers');
        else log.warn({}, 'PostgreSQL answers again');
      },
    });
  }

  /** Connects; throws when PostgreSQL does not answer. Does not migrate: call `migrate()`. */
  static async open(options: DatabaseOptions): Promise<Database> {
    const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    const orm = await MikroORM.init({
      ...model(options.url, options.log),
      pool: { min: 0, max: options.poolSize },
      driverOptions: {
        application_name: 'duet',
        // A day of a term is 24 hours (and today that of UTC), whatever time zone the server or its database is set to.
        options: `${PLANNING} -c TimeZone=UTC`,
        connectionTimeoutMillis: CONNECT_MS,
        statement_timeout: statementTimeoutMs,
        lock_timeout: LOCK_SHARE * statementTimeoutMs,
        idle_in_transaction_session_timeout: 10_000,
        ...KEEP_ALIVE,
        // What need not wait for an answer is sent at once.
        pipeline: true,
      },
    });
    const pool = (await orm.em.getConnection().getNativeClient()) as Pool;
    const probe = new Probe(options.url);
    await probe.open();
    return new Database(orm, pool, options, probe);
  }

  /**
   * Brings the schema up to date, the months to come included. Processes that start at once do so one after the other;
   * a migration may take its time, whatever requests may.
   */
  async migrate(): Promise<void> {
    const turn = new pg.Client({
      connectionString: this.#url,
      application_name: 'duet migrations',
      connectionTimeoutMillis: CONNECT_MS,
      ...KEEP_ALIVE,
    });
    // What waits on it is told as well.
    turn.on('error', () => {});
    await turn.connect();
    try {
      await turn.query(`select pg_advisory_lock(hashtextextended('duet migrations', 0))`);
      if ((await this.orm.migrator.getPending()).length > 0) await this.#migratePatiently();
      const now = await this.epochMs();
      for (const table of MONTHLY_TABLES) await ensureMonths(this, table, now);
    } finally {
      await turn.end();
    }
  }

  /** Without the time-outs of requests. */
  async #migratePatiently(): Promise<void> {
    const orm = await MikroORM.init({
      ...model(this.#url, this.#log),
      pool: { min: 0, max: 2 },
      driverOptions: { application_name: 'duet migrations', ...KEEP_ALIVE },
    });
    try {
      await orm.migrator.up();
    } finally {
      await orm.close(true);
    }
  }

  query<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    return this.#onConnection((client) => this.#sqlOn(client).query(statement, values));
  }

  /**
   * A short statement that keeps this process alive for the others, and so must not wait behind a burst of requests: on
   * the connection of the name, where there is one. When that gives no answer the pool is asked at once; what is asked
   * may be done twice.
   */
  async queryAhead<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    const name = this.#name;
    if (!name?.isHeld) return this.query(statement, values);
    try {
      return await this.#pulse.watch(() => name.query(statement, values));
    } catch (error) {
      if (isAnswer(error)) throw error;
      return this.query(statement, values);
    }
  }

  async #onConnection<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let usable = true;
    try {
      return await this.#pulse.watch(() => work(client), this.#bornAt.get(client));
    } catch (error) {
      usable = isAnswer(error);
      throw error;
    } finally {
      client.release(!usable);
    }
  }

  /** Runs `work` in one transaction on one connection: committed when it resolves, rolled back when it throws. */
  async transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    const watch = <R>(step: () => Promise<R>) => this.#pulse.watch(step, this.#bornAt.get(client));
    const onClient = this.#sqlOn(client);
    let broken = false;
    try {
      let isBeginning = false;
      const begun = watch(() => {
        isBeginning = true;
        return ask(client, 'begin', this.#answerMs);
      });
      begun.catch(() => {});
      // Not waited for once it is sent: the first statement follows at once, and fails if it did. Never without it.
      if (!isBeginning) await begun;
      const result = await work({
        query: (statement, values) => watch(() => onClient.query(statement, values)),
      });
      await begun;
      await watch(() => ask(client, 'commit', this.#answerMs));
      return result;
    } catch (error) {
      await watch(() => ask(client, 'rollback', this.#answerMs)).catch(() => {
        // The connection itself is gone: PostgreSQL rolls back by itself, the pool drops the client.
        broken = true;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  #sqlOn(client: PoolClient): Sql {
    return sqlOn({ query: (query) => ask(client, query, this.#answerMs) });
  }

  /** A connection of the pool's, for the caller to release. */
  async #connect(): Promise<PoolClient> {
    for (;;) {
      const connecting = this.pool.connect();
      try {
        // No sign of life: an idle connection is had without a word from PostgreSQL.
        const client = await this.#pulse.watch(() => connecting, Number.POSITIVE_INFINITY);
        if ((this.#bornAt.get(client) ?? 0) >= this.#stalledAt) return client;
        client.release(true);
      } catch (error) {
        // It may still come, to nobody.
        connecting.then(
          (client) => client.release(),
          () => {},
        );
        throw error;
      }
    }
  }

  /**
   * Holds a name, and lets who starts know the process's clock, from now on until this is closed or the process dies,
   * whichever comes first; once.
   */
  async holdName(name: string, clock: Clock): Promise<void> {
    this.#name = new HeldName(this.#url, name, clock, {
      reached: (isReached) => {
        if (isReached && this.#isCutOff) this.#backAt = this.#clock.now();
        this.#isCutOff = !isReached;
      },
      leftoverEnded: () =>
        this.#log.warn({}, 'a session that this process had given up held its name: ended'),
    });
    await this.#name.hold();
  }

  /**
   * Whether the database was away for this process, which holds a name, less than `withinMs` ago. Others may not have been
   * able to renew what they hold either: that they did not says nothing about them.
   */
  wasAway(withinMs: number): boolean {
    return this.#isCutOff || this.#pulse.stalled || this.#clock.now() - this.#backAt < withinMs;
  }

  /** The database's clock in epoch milliseconds. */
  epochMs(): Promise<number> {
    return readEpoch(this);
  }

  /** The clock of the processes that run on this database, in epoch milliseconds; the database's where none does. */
  sharedEpochMs(): Promise<number> {
    return readSharedEpoch(this);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#pulse.close();
    this.#probe.close();
    this.#name?.close();
    await inTime(this.#clock, CLOSE_MS, this.orm.close(true));
  }
}

/** What there is, and how it came about. */
function model(url: string, log: Log) {
  return {
    clientUrl: url,
    entities,
    extensions: [Migrator],
    migrations: { migrationsList: migrations, snapshot: false },
    timezone: 'UTC',
    debug: false,
    logger: (message: string) => log.debug({}, message),
  };
}
