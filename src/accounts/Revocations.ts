import type { Clock } from '../clock.ts';
import { type Sql, sql } from '../db/sql.ts';
import type { Log } from '../log.ts';
import type { Bus } from '../platform/Bus.ts';
import { Rounds } from '../platform/Rounds.ts';
import { ACCESS_TOKEN_MS } from './AccessTokens.ts';

/** Sessions of one user that ended. */
export interface RevokedEvent {
  userId: string;
  sessionIds: string[];
}

export interface RevocationsOptions {
  db: Sql;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** How often the database is asked for what the bus may have lost. Default 500 ms. */
  pollMs?: number;
}

const TOPIC = 'sessions.revoked';
const DEFAULT_POLL_MS = 500;
/** How far back each question goes: a transaction may commit later than the time it wrote. */
const OVERLAP_MS = 10_000;
/** A token outlives its session by its own life at most; the rest is for clocks that differ. */
const REMEMBER_MS = ACCESS_TOKEN_MS + 60_000;

const recentlyRevoked = sql<{ id: string; user_id: string }>(
  'revocations-recent',
  'select id, user_id from sessions where revoked_at > $1 order by revoked_at',
);

/**
 * Which sessions ended within the life of an access token: a set in memory, so that no request asks the database.
 * Told by the bus at once, and by the database within half a second where the bus is away.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  /** Session id → when it may be forgotten. In order of insertion, which is nearly that of time. */
  readonly #revoked = new Map<string, number>();
  readonly #listeners = new Set<(event: RevokedEvent) => void>();
  #readUpToMs = 0;
  readonly #polls: Rounds;
  #unsubscribe: (() => void) | undefined;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    const { clock, log, pollMs: everyMs = DEFAULT_POLL_MS } = options;
    const failure = 'Ended sessions could not be read';
    this.#polls = new Rounds({ clock, log, everyMs, work: () => this.#read(), failure });
  }

  /** Reads what ended lately and begins to listen. Must be done before the first token is trusted. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.bus.subscribe(TOPIC, (message) => {
      const event = eventOf(message);
      if (event !== undefined) this.#learn(event);
    });
    await this.#read();
    this.#polls.start();
  }

  /** Whether a session ended. */
  has(sessionId: string): boolean {
    return this.#revoked.has(sessionId);
  }

  /** Tells every process, this one at once. Call it after the commit. */
  announce(event: RevokedEvent): void {
    if (event.sessionIds.length === 0) return;
    this.#learn(event);
    this.#options.bus.publish(TOPIC, event);
  }

  /** Calls `listener` once for each session that ended, on whichever process it was ended. Returns how to stop. */
  onRevoked(listener: (event: RevokedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#unsubscribe?.();
    this.#listeners.clear();
    return this.#polls.close();
  }

  #learn(event: RevokedEvent): void {
    const fresh = event.sessionIds.filter((id) => !this.#revoked.has(id));
    if (fresh.length === 0) return;
    const now = this.#options.clock.now();
    for (const [id, forgetAt] of this.#revoked) {
      if (forgetAt > now) break;
      this.#revoked.delete(id);
    }
    for (const id of fresh) this.#revoked.set(id, now + REMEMBER_MS);
    for (const listener of this.#listeners) {
      try {
        listener({ userId: event.userId, sessionIds: fresh });
      } catch (error) {
        // One listener's mistake must not keep the others' sockets open.
        this.#options.log.error({ err: error }, 'A listener to ended sessions failed');
      }
    }
  }

  async #read(): Promise<void> {
    const startedAt = this.#options.clock.now();
    const since = Math.max(this.#readUpToMs - OVERLAP_MS, startedAt - REMEMBER_MS);
    const rows = await this.#options.db.query(recentlyRevoked, [new Date(since)]);
    for (const row of rows) this.#learn({ userId: row.user_id, sessionIds: [row.id] });
    this.#readUpToMs = startedAt;
  }
}

function eventOf(message: unknown): RevokedEvent | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { userId, sessionIds } = message as Partial<RevokedEvent>;
  if (typeof userId !== 'string' || !Array.isArray(sessionIds)) return undefined;
  return { userId, sessionIds: sessionIds.filter((id) => typeof id === 'string') };
}
