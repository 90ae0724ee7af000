/**
 * A process's way to the database and back: it takes time, and either way can be lost. Whoever asked is told after a
 * time-out and cannot know whether it was done.
 */
import type pg from 'pg';
import { LEASE_MS } from '../../src/calling/CallStore.ts';
import type { Clock } from '../../src/clock.ts';
import { HeldName } from '../../src/db/HeldName.ts';
import type { Bind, Sql, Statement } from '../../src/db/sql.ts';
import { DATABASE_TIMEOUT_MS } from './durations.ts';
import type { SimProcess } from './SimProcess.ts';
import { SimSession } from './SimSession.ts';
import type { World } from './World.ts';

export class ProcessLink implements Sql {
  readonly #world: World;
  readonly #process: SimProcess;
  #name: HeldName | undefined;
  /** As in `src/db/Database.ts`. */
  #isCutOff = false;
  #backAt = Number.NEGATIVE_INFINITY;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
  }

  /** What `Database` does with it. */
  async holdName(clock: Clock): Promise<void> {
    const reached = (isReached: boolean) => {
      if (isReached !== this.#isCutOff) return;
      this.#isCutOff = !isReached;
      if (isReached) this.#backAt = this.#world.time.now;
      // Until it may take calls over again.
      this.#world.faulted(LEASE_MS);
    };
    const open = ({ connectionTimeoutMillis, query_timeout }: pg.ClientConfig) =>
      new SimSession(this.#world, this.#process, {
        connectMs: connectionTimeoutMillis!,
        queryMs: query_timeout!,
      }) as unknown as pg.Client;
    this.#name = new HeldName('', this.#process.id, clock, { reached }, open);
    await this.#name.hold();
  }

  query<Row>(statement: Statement<Row>, values: readonly Bind[] = []): Promise<Row[]> {
    return this.reach(() => this.#world.database.query(statement, values));
  }

  /** Only the name's connection is looked at: what notices a database that stands still is tested on one. */
  wasAway(withinMs: number): boolean {
    return this.#isCutOff || this.#world.time.now - this.#backAt < withinMs;
  }

  async queryAhead<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    if (!this.#name?.isHeld) return this.query(statement, values);
    return this.#name.query(statement, values).catch(() => this.query(statement, values));
  }

  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.#trip(true, () => this.#world.transaction(this.#process, work), DATABASE_TIMEOUT_MS);
  }

  /** Has something done at the database, and hears of it within `timeoutMs`. */
  reach<T>(act: () => Promise<T>, timeoutMs = DATABASE_TIMEOUT_MS): Promise<T> {
    return this.#trip(false, act, timeoutMs);
  }

  #trip<T>(transaction: boolean, act: () => Promise<T>, timeoutMs: number): Promise<T> {
    const world = this.#world;
    const { time, random } = world;
    const process = this.#process;
    return new Promise((resolve, reject) => {
      const giveUp = time.after(timeoutMs, process, () => {
        reject(new Error('the database did not answer in time'));
      });
      if (transaction && random.chance(world.weather.late)) {
        const lateMs = DATABASE_TIMEOUT_MS + random.between(1, 2_000);
        world.faulted(lateMs + DATABASE_TIMEOUT_MS);
        time.after(lateMs, null, () => void act().catch(() => {}));
        return;
      }
      const lost = process.cut || random.chance(world.weather.requestLost);
      if (lost) {
        world.faulted(DATABASE_TIMEOUT_MS);
        return;
      }
      // One statement is in the network and arrives whatever becomes of its process. A transaction is led by its
      // process: it waits while that is stalled and never commits when that is dead.
      time.after(world.latency(), transaction ? process : null, () => {
        act().then(
          (result) => answer(() => resolve(result)),
          (error: unknown) => answer(() => reject(error)),
        );
      });
      const answer = (settle: () => void) => {
        if (process.cut || random.chance(world.weather.answerLost)) {
          world.faulted(DATABASE_TIMEOUT_MS);
          return;
        }
        if (transaction && random.chance(world.weather.diesAfterCommit)) {
          world.kill(process, 'right after a commit');
          return;
        }
        time.after(world.latency(), process, () => {
          giveUp.cancel();
          settle();
        });
      };
    });
  }
}
