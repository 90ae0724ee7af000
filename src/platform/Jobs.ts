import { createHash } from 'node:crypto';
import { type Db, PgBoss } from 'pg-boss';
import { inTime, SystemClock } from '../clock.ts';
import { KEEP_ALIVE } from '../db/keepAlive.ts';
import { type Bind, type Sql, sql } from '../db/sql.ts';
import type { Log } from '../log.ts';

export interface JobsOptions {
  /** postgres:// URL of the database that the facts are in too. */
  url: string;
  log: Log;
  /**
   * How long PostgreSQL may take for what the queue asks, measured by it and by the client; its connections are few.
   * Default 30,000 ms: the queue's migrations are asked in one, and wait that long for each other.
   */
  answerMs?: number;
}

export interface QueueRules {
  /** Tries after the first. */
  retries: number;
  /** Seconds to the second try; it doubles with each further one. */
  retryDelaySec: number;
  /** Seconds between two tries at most. */
  retryDelayMaxSec: number;
  /** A try that takes longer counts as failed, though what it began may still get done. */
  timeoutSec: number;
}

const ANSWER_MS = 30_000;
/** Connections of its own. */
const POOL_SIZE = 3;
/** How often a process looks for jobs that other processes made; its own it takes at once. */
const POLL_SEC = 1;
/**
 * How many jobs of a queue a process does at once, each fetched and settled by itself: of a batch, those that are done
 * would run again because of one that takes too long. As many as the connections to the mail server.
 */
const WORKERS = 3;
/** A job whose process gave no sign of life for so long is given to another. */
const SIGN_OF_LIFE_SEC = 20;
/**
 * How often one of the processes looks for such jobs, and for those that take too long. A job is also lost when a process
 * took it and never had the answer.
 */
const LOOK_FOR_LOST_SEC = 10;
/** Jobs are deleted this long after they are done: their facts are elsewhere. */
const KEEP_DONE_SEC = 3_600;
const KEEP_WAITING_SEC = 14 * 86_400;
/** How long closing waits for running jobs: others do those again whose process is gone. */
const STOP_MS = 300;

/**
 * Work that must be done, though not now: jobs in PostgreSQL, written in the transaction of the fact that asks for
 * them, done at least once by any of the processes, tried again until they work.
 */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #clock = new SystemClock();
  readonly #log: Log;
  readonly #workers = new Map<string, string[]>();
  #closed: Promise<void> | undefined;

  constructor(options: JobsOptions) {
    this.#log = options.log;
    const answerMs = options.answerMs ?? ANSWER_MS;
    // Handed on to pg, though pg-boss does not name them.
    const connection = { ...KEEP_ALIVE, query_timeout: answerMs, statement_timeout: answerMs };
    this.#boss = new PgBoss({
      connectionString: options.url,
      schema: 'jobs',
      application_name: 'duet jobs',
      max: POOL_SIZE,
      connectionTimeoutMillis: 2_000,
      ...connection,
      superviseIntervalSeconds: LOOK_FOR_LOST_SEC,
      monitorIntervalSeconds: LOOK_FOR_LOST_SEC,
      schedule: false,
    });
    this.#boss.on('error', (error) =>
      this.#log.warn({ reason: reasonOf(error) }, 'The job queue had an error'),
    );
  }

  /** Makes or migrates the queue's own schema. Call before `serve` and `add`. */
  async start(): Promise<void> {
    await this.#boss.start();
  }

  /** Declares a queue without working on it. */
  async declare(queue: string, rules: QueueRules): Promise<void> {
    const options = {
      retryLimit: rules.retries,
      retryDelay: rules.retryDelaySec,
      retryDelayMax: rules.retryDelayMaxSec,
      retryBackoff: true,
      expireInSeconds: rules.timeoutSec,
      heartbeatSeconds: SIGN_OF_LIFE_SEC,
      retentionSeconds: KEEP_WAITING_SEC,
      deleteAfterSeconds: KEEP_DONE_SEC,
    };
    await this.#boss.createQueue(queue, options);
    await this.#boss.updateQueue(queue, options);
  }

  /** Works on a declared queue. `work` throws to have the job tried again. */
  async serve<Data extends object>(
    queue: string,
    work: (data: Data, jobId: string) => Promise<void>,
  ): Promise<void> {
    const workers: string[] = [];
    this.#workers.set(queue, workers);
    for (let nth = 0; nth < WORKERS; nth++) {
      const options = { pollingIntervalSeconds: POLL_SEC };
      const worker = await this.#boss.work<Data>(queue, options, async ([job]) => {
        await this.#try(queue, job!.id, () => work(job!.data, job!.id));
        // Where one could be done there may be more.
        this.#wake(worker);
      });
      workers.push(worker);
    }
  }

  /** Adds a job in the caller's transaction. Call `wake` after the commit to have it done at once. */
  async add(tx: Sql, queue: string, data: object): Promise<void> {
    await this.#boss.send(queue, data, { db: inTransaction(tx) });
  }

  /** Looks for jobs now instead of at the next poll. */
  wake(queue: string): void {
    for (const worker of this.#workers.get(queue) ?? []) this.#wake(worker);
  }

  /** Jobs of a queue that are still to be done, for tests and metrics. */
  async waiting(queue: string): Promise<number> {
    const jobs = await this.#boss.findJobs(queue);
    return jobs.filter((job) => job.state !== 'completed').length;
  }

  /** Waits for running jobs, 0.3 s at most, then lets go of the connections. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const stopped = this.#boss
      .stop({ graceful: true, close: true, timeout: STOP_MS })
      .catch((error: unknown) => {
        this.#log.warn({ reason: reasonOf(error) }, 'The job queue did not close cleanly');
      });
    // The queue itself waits for a second at least, and for a database that stands still as long as that does.
    await inTime(this.#clock, STOP_MS, stopped);
  }

  async #try(queue: string, job: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.warn({ queue, job, reason: reasonOf(error) }, 'A job failed and will be tried again');
      // The queue's table keeps what is thrown here, and is no place for what the error says.
      throw new Error('failed');
    }
  }

  #wake(worker: string): void {
    if (this.#closed === undefined) this.#boss.notifyWorker(worker);
  }
}

function inTransaction(tx: Sql): Db {
  return {
    executeSql: async (text, values) => {
      // The queue's statements have no names; one made of the text lets PostgreSQL keep the plan all the same.
      const name = `jobs-${createHash('sha1').update(text).digest('base64url')}`;
      return { rows: await tx.query(sql<unknown>(name, text), values as Bind[]) };
    },
  };
}

/** An error's code or name. Its text may hold what must not be in a log: a mail server answers with the address. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
