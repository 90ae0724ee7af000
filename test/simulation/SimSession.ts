/**
 * A connection that a process keeps to the database (`src/db/HeldName.ts`): what it holds there is held for as long as the
 * database believes in it, which may be longer than the process does.
 */
import { EventEmitter } from 'node:events';
import type { Bind } from '../../src/db/sql.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

interface Query {
  name: string;
  text: string;
  values: readonly Bind[];
}

/** The part of `pg.Client` that is used. */
export class SimSession extends EventEmitter {
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #timeouts: { connectMs: number; queryMs: number };
  /** At the database's end. */
  #isOpen = false;

  constructor(world: World, process: SimProcess, timeouts: { connectMs: number; queryMs: number }) {
    super();
    this.#world = world;
    this.#process = process;
    this.#timeouts = timeouts;
  }

  connect(): Promise<void> {
    return this.#process.link.reach(async () => {
      this.#isOpen = true;
      this.#process.sessions.add(this);
    }, this.#timeouts.connectMs);
  }

  query({ name, text, values }: Query): Promise<{ rows: object[] }> {
    return this.#process.link.reach(async () => {
      if (!this.#isOpen) throw new Error('the connection is closed');
      const rows = this.#ofSession(name, values);
      return { rows: rows ?? (await this.#world.database.query<object>({ name, text }, values)) };
    }, this.#timeouts.queryMs);
  }

  /** The client says goodbye, which a database that it is cut off from does not hear. */
  async end(): Promise<void> {
    if (!this.#process.cut) this.#world.time.after(this.#world.latency(), null, () => this.breaks());
  }

  /** The database ends it, and lets go of what it held. The client hears of it, unless it is cut off. */
  breaks(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#process.sessions.delete(this);
    const { names, saidClocks } = this.#world.database.tables;
    for (const [name, holder] of names) if (holder === this) names.delete(name);
    saidClocks.delete(this);
    if (!this.#process.cut)
      this.#world.time.after(this.#world.latency(), this.#process, () => this.emit('end'));
  }

  /** Advisory locks. */
  #ofSession(statement: string, [what]: readonly Bind[]): object[] | undefined {
    const { names, saidClocks } = this.#world.database.tables;
    const holder = names.get(what as string);
    switch (statement) {
      case 'name-take':
        if (holder === undefined) names.set(what as string, this);
        return [{ held: (holder ?? this) === this }];
      case 'name-end-leftover':
        if (!(holder instanceof SimSession) || holder === this) return [];
        this.#world.tell(this.#process.id, () => 'ends a session that has its name');
        holder.breaks();
        return [{ ended: true }];
      case 'say-clock':
        saidClocks.set(this, what as number);
        return [{}];
      // What it says now it has said before it takes back what it said.
      case 'take-back-clock':
        return [{}];
      default:
        return undefined;
    }
  }
}
