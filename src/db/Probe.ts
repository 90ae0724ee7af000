/**
 * A connection for one question: is anybody there? It is kept open, so that it shares the fate of those that the work
 * runs on: a new one might be welcomed by a server whose old ones stand still.
 */
import pg from 'pg';
import { KEEP_ALIVE } from './keepAlive.ts';

/**
 * How long an answer is waited for before the question is asked on a new connection: less than `Pulse` waits where other
 * work comes back, for then it may be this connection alone that was lost.
 */
const ANSWER_MS = 1_000;

export class Probe {
  readonly #url: string;
  #client: pg.Client | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** Connects ahead of the first question. A server that cannot be had is no error here. */
  async open(): Promise<void> {
    await this.ask().catch(() => {});
  }

  /** Resolves when the server answered, with whatever it was; rejects when nobody did. */
  async ask(): Promise<void> {
    try {
      this.#client ??= await this.#connect();
      await this.#client.query('select 1');
    } catch (error) {
      this.#drop();
      // A refusal is an answer: the work that waits is told the same, at once.
      if (!isSilence(error)) return;
      throw error;
    }
  }

  close(): void {
    this.#drop();
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'duet probe',
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
      ...KEEP_ALIVE,
    });
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    return client;
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    // Whoever does not answer does not say goodbye either: not waited for.
    client?.end().catch(() => {});
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message);
}
