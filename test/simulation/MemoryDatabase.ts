/**
 * A database that keeps matches, calls and inboxes in memory and answers the program's own SQL statements, by name.
 * Everything happens at the moment it is asked for; `ProcessLink` adds the network. Transactions are serial: one is
 * over before the next begins. What PostgreSQL does with transactions that overlap is tested on PostgreSQL.
 */
import type { Bind, Sql, Statement } from '../../src/db/sql.ts';
import { STATEMENTS } from './statements.ts';
import { type StatementModel, Tables, Writer } from './tables.ts';

export class MemoryDatabase implements Sql {
  readonly tables = new Tables();
  readonly #clock: { readonly now: number };
  readonly #statements: Readonly<Record<string, StatementModel>>;
  #inTransaction = false;

  /**
   * `clock` is the database's clock: what `clock_timestamp()` says (epoch ms). `broken` are statements that do
   * something else than they should, for tests of what the simulation finds.
   */
  constructor(clock: { readonly now: number }, broken: Readonly<Record<string, StatementModel>> = {}) {
    this.#clock = clock;
    this.#statements = { ...STATEMENTS, ...broken };
  }

  async query<Row>(statement: Statement<Row>, values: readonly Bind[] = []): Promise<Row[]> {
    if (this.#inTransaction) throw new Error('the simulator ran a statement beside an open transaction');
    return this.#run(statement, values, new Writer(this.tables));
  }

  wasAway(): boolean {
    return false;
  }

  /** Nothing is waited for here. */
  queryAhead<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]> {
    return this.query(statement, values);
  }

  /** All of what `work` writes or, when it throws, nothing. `work` may await nothing but its own statements. */
  async transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    if (this.#inTransaction) throw new Error('the simulator ran two transactions at once');
    const write = new Writer(this.tables);
    this.#inTransaction = true;
    try {
      return await work({ query: async (statement, values = []) => this.#run(statement, values, write) });
    } catch (error) {
      write.rollBack();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  #run<Row>(statement: Statement<Row>, values: readonly Bind[], write: Writer): Row[] {
    const model = this.#statements[statement.name];
    if (model === undefined) {
      throw new Error(
        `no model of the statement ${statement.name}: write one in test/simulation/statements.ts`,
      );
    }
    return model({ tables: this.tables, write, now: this.#clock.now }, values) as Row[];
  }
}
