/** Everything that a run is made of, and what its parts ask of it. */
import type { Call } from '../../src/calling/state.ts';
import type { PersonCommand } from '../../src/calling/transitions.ts';
import type { Sql } from '../../src/db/sql.ts';
import type { StoredEvent } from '../../src/events/outbox.ts';
import type { Log } from '../../src/log.ts';
import type { Durations } from './durations.ts';
import type { MemoryDatabase } from './MemoryDatabase.ts';
import type { Random } from './Random.ts';
import type { SimProcess } from './SimProcess.ts';
import type { SetClock, VirtualTime } from './VirtualTime.ts';
import type { Weather } from './Weather.ts';

/** Who keeps the books: see `Ledger.ts`. */
export interface Books {
  /** A rule was broken: the run is over. */
  fail(what: string): void;
  /** A person's request reached the server (once more). */
  asked(callId: string, userId: string, command: PersonCommand): void;
  /** Which version of a call is the last. */
  versionOf(callId: string): number;
  /** Somebody was shown this call by the server; where they asked for something, of no version before `since`. */
  acknowledged(call: Call, since?: number): void;
  /** An event of somebody's inbox arrived. */
  heard(userId: string, event: StoredEvent): void;
}

export interface World {
  readonly time: VirtualTime;
  /** The database's clock, which may be set. */
  readonly databaseClock: SetClock;
  readonly random: Random;
  readonly weather: Weather;
  readonly durations: Durations;
  readonly database: MemoryDatabase;
  /** The processes as they are now; the dead ones are replaced when they start again. */
  readonly processes: readonly SimProcess[];
  /** And those that others have taken the place of, though they live. */
  readonly everyone: readonly SimProcess[];
  readonly ledger: Books;
  readonly log: Log;
  /** People have stopped, trouble too: what is left runs out. */
  readonly resting: boolean;
  /** Since when no fault was made that may still be felt. */
  readonly calmSince: number;
  /** One way through the network, ms. */
  latency(): number;
  /** Something goes wrong that may be felt for `forMs`: until then nothing is late. */
  faulted(forMs: number): void;
  kill(process: SimProcess, why: string): void;
  /** A transaction led by a process. */
  transaction<T>(process: SimProcess, work: (tx: Sql) => Promise<T>): Promise<T>;
  /** Where a client's next request goes: a process that is up, or thought to be. */
  anyProcess(): SimProcess;
  /** A line of the story. */
  tell(who: string, what: () => string): void;
  /** The short name of a call or match. */
  nameOf(id: string): string;
}
