/**
 * Frees what killed processes left in Redis: the listings of their rooms, and their line among the processes. Each
 * process looks after the others, by the names that they hold in the database.
 */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { nameIsFree } from '../db/HeldName.ts';
import { sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import { Rounds } from '../platform/Rounds.ts';

export interface DeadListingsOptions {
  db: Database;
  clock: Clock;
  log: Log;
  /** Where the listings are. */
  mirror: { cleanup(processId: string): Promise<unknown> };
  /** This process, which is not dead. */
  ownId: () => string;
  /** All that Redis knows of, the dead included. */
  processes: () => Promise<readonly string[]>;
  /** Takes one off that list. */
  exclude: (processId: string) => Promise<unknown>;
}

const SWEEP_EVERY_MS = 30_000;

const freeNames = sql<{ name: string }>(
  'free-names',
  `select name from unnest($1::text[]) as name where ${nameIsFree('name')}`,
);

export class DeadListings {
  readonly #options: DeadListingsOptions;
  readonly #rounds: Rounds;
  /** Whose name was free the last time. Once proves nothing: the living lack theirs when a connection broke. */
  #suspects = new Set<string>();

  constructor(options: DeadListingsOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#rounds = new Rounds({
      clock,
      log,
      everyMs: SWEEP_EVERY_MS,
      work: () => this.sweep(),
      failure: 'what dead processes left could not be freed',
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Frees what is of processes whose names are free, and were the last time. One that lives all the same lists its rooms anew. */
  async sweep(): Promise<void> {
    const { db, ownId, processes, mirror, exclude, log } = this.#options;
    const others = (await processes()).filter((id) => id !== ownId());
    const free = others.length === 0 ? [] : (await db.query(freeNames, [others])).map(({ name }) => name);
    const dead = free.filter((id) => this.#suspects.has(id));
    this.#suspects = new Set(free);
    for (const processId of dead) {
      await mirror.cleanup(processId);
      // Last: what is not on the list is not looked for again.
      await exclude(processId);
      log.info({ processId }, 'the listings of a dead process were freed');
    }
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }
}
