/**
 * A process's way to the database and back: it takes time, and either way can be lost. Whoever asked is told after a
 * time-out and cannot know whether it was done.
 */
import type { Bind, Sql, Statement } from '../../src/db/sql.ts';
import { DATABASE_TIMEOUT_MS } from './durations.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

export class ProcessLink implements Sql {
  readonly #world: World;
  readonly #process: SimProcess;

  constructor(world: World, process: SimProcess) {
    this.#world = world;
    this.#process = process;
  }

  query<Row>(statement: Statement<Row>, values: readonly Bind[] = []): Promise<Row[]> {
    return this.#trip(false, () => this.#world.database.query(statement, values));
  }

  wasAway(): boolean {
    return false;
  }

  queryAhead<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    return this.query(statement, values);
  }

  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.#trip(true, () => this.#world.transaction(this.#process, work));
  }

  #trip<T>(transaction: boolean, act: () => Promise<T>): Promise<T> {
    const world = this.#world;
    const { time, random } = world;
    const process = this.#process;
    return new Promise((resolve, reject) => {
      const giveUp = time.after(DATABASE_TIMEOUT_MS, process, () => {
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
