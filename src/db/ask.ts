import type { ClientBase, QueryConfig, QueryResult } from 'pg';

/**
 * Runs a statement on a connection. When nothing comes back within `answerMs` it rejects, and so does whatever else waits
 * on the connection, which is cut.
 *
 * With `query_timeout`, or asked for a promise, the driver itself writes `query.callback = (…) => …`. V8 makes a function
 * that is written where it is assigned to a property among the old objects at once; dead as it is, it keeps the query, who
 * waits for it, and the requests behind them until the next major collection: minor ones took 5 to 8 ms in place of
 * 0.7, measured with batches of likes. One that is passed as an argument is young.
 */
export async function ask(
  client: ClientBase,
  query: string | QueryConfig,
  answerMs: number,
): Promise<QueryResult> {
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error('Query read timeout'));
        socketOf(client).destroy();
      }, answerMs);
      client.query(query as QueryConfig, (error: Error | null, result: QueryResult) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(result);
      });
    });
  } catch (error) {
    // Made where the socket is read: from here on it leads to who asked.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  }
}

/** The driver has no public way to give a connection up that does not wait for what was sent on it. */
function socketOf(client: ClientBase): { destroy(): void } {
  return (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
}
