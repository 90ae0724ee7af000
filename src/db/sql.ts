/**
 * The hot path's SQL: named statements that PostgreSQL parses and plans once a connection, with bind parameters
 * only. `sql('name', 'select …')` declares one; a `Sql` runs it, on the pool or inside a transaction.
 *
 * Rows come back with timestamps as epoch milliseconds and `bigint` as number (Duet's counters stay below 2^53).
 */
import { types as pgTypes, type QueryConfig, type QueryResult } from 'pg';

/** What may be bound. Objects other than these never reach a query: operator objects die at the edge. */
export type Bind =
  | string
  | number
  | boolean
  | null
  | Date
  | Buffer
  | readonly string[]
  | readonly number[]
  | readonly (string | null)[];

export interface Statement<Row> {
  readonly name: string;
  readonly text: string;
  /** Only carries the row's type. */
  readonly row?: Row;
}

export interface Sql {
  query<Row>(statement: Statement<Row>, values?: readonly Bind[]): Promise<Row[]>;
}

const TIMESTAMPTZ = 1184;
const INT8 = 20;
const NUMERIC = 1700;
const DATE = 1082;

const parsers: Record<number, (text: string) => unknown> = {
  [TIMESTAMPTZ]: (text) =>
    text === 'infinity' ? Number.POSITIVE_INFINITY : Date.parse(timestampToIso(text)),
  [INT8]: Number,
  [NUMERIC]: Number,
  [DATE]: (text) => text,
};

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    parsers[oid] !== undefined && format !== 'binary'
      ? parsers[oid]
      : pgTypes.getTypeParser(oid, format as 'text'),
};

/** Declares a statement. The name is unique in the program: PostgreSQL knows the plan by it. */
export function sql<Row = Record<string, never>>(name: string, text: string): Statement<Row> {
  return { name, text };
}

/** Runs statements on one connection. */
export function sqlOn(client: { query(query: QueryConfig): Promise<QueryResult> }): Sql {
  return {
    async query<Row>(statement: Statement<Row>, values: readonly Bind[] = []): Promise<Row[]> {
      const result = await client.query({
        name: statement.name,
        text: statement.text,
        values: values as unknown[],
        types: types as never,
      });
      return result.rows as Row[];
    },
  };
}

/** Whether an error is PostgreSQL's about the statement, after which the connection is as good as before. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && error.severity === 'ERROR';
}

/** `2026-01-02 03:04:05.678+00` → `2026-01-02T03:04:05.678+00:00`, the spelling that Date.parse is specified for. */
function timestampToIso(text: string): string {
  const iso = text.replace(' ', 'T');
  return /[+-]\d\d$/.test(iso) ? `${iso}:00` : iso;
}
