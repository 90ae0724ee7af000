/** COPY … FROM STDIN over `pg`, which speaks the protocol but has no method for it (PostgreSQL, "Copy Operations"). */
import type { Client } from 'pg';

interface CopyConnection {
  stream: { once(event: 'drain', fn: () => void): void; writableNeedDrain: boolean };
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** Copies rows of tab-separated text (`\N` for null) into a table. Resolves when the server has them all. */
export function copyRows(client: Client, into: string, rows: Iterable<string>): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query({
      submit: (connection: CopyConnection) => connection.query(`copy ${into} from stdin`),
      handleCopyInResponse: (connection: CopyConnection) => {
        send(connection, rows).catch((error: unknown) => connection.sendCopyFail(String(error)));
      },
      handleCommandComplete: () => {},
      handleReadyForQuery: () => resolve(),
      handleError: (error: Error) => reject(error),
    } as never);
  });
}

async function send(connection: CopyConnection, rows: Iterable<string>): Promise<void> {
  let lines: string[] = [];
  for (const row of rows) {
    lines.push(row);
    if (lines.length < 2_000) continue;
    connection.sendCopyFromChunk(Buffer.from(`${lines.join('\n')}\n`));
    lines = [];
    if (connection.stream.writableNeedDrain)
      await new Promise<void>((resume) => connection.stream.once('drain', resume));
  }
  if (lines.length > 0) connection.sendCopyFromChunk(Buffer.from(`${lines.join('\n')}\n`));
  connection.endCopyFrom();
}
