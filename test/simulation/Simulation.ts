/**
 * One run: a seed, its weather, two processes (or three), three people of whom the first is matched with both
 * others, trouble for a while, then rest until all is over. `simulate(seed)` tells what broke, if anything did.
 */
import { readSharedEpoch } from '../../src/db/sharedClock.ts';
import type { Sql } from '../../src/db/sql.ts';
import type { Log } from '../../src/log.ts';
import { type Durations, drawDurations, REST_MS, START_MS } from './durations.ts';
import { Broken, Ledger } from './Ledger.ts';
import { MemoryDatabase } from './MemoryDatabase.ts';
import { Phone, type Temper } from './Phone.ts';
import { Random } from './Random.ts';
import { SimProcess } from './SimProcess.ts';
import { newMatch, type StatementModel, Writer } from './tables.ts';
import { makeTrouble } from './trouble.ts';
import { SetClock, VirtualTime } from './VirtualTime.ts';
import { Watch } from './Watch.ts';
import { calmed, drawWeather, type Weather } from './Weather.ts';
import type { World } from './World.ts';

export interface RunReport {
  seed: number;
  weather: string;
  /** What was broken, or undefined. */
  broken: string | undefined;
  /** A number that two runs share only when they went the same way. */
  digest: number;
  calls: number;
  steps: number;
  simulatedMs: number;
  /** The story, where it was asked for. */
  story: string[];
}

export interface RunOptions {
  /** Whether the story is written down. */
  story?: boolean;
  /** The one kind of trouble (`Weather.ts`). Default: drawn. */
  weather?: string | undefined;
  /** Statements of the database that are to be wrong. */
  brokenStatements?: Readonly<Record<string, StatementModel>>;
}

/** Runs one seed. The same seed goes the same way, always. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<RunReport> {
  const { stackTraceLimit } = Error;
  // Refusals are errors, and most of what a run does is refused.
  Error.stackTraceLimit = 0;
  try {
    return await new Simulation(seed, options).go();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const PEOPLE = ['Ann', 'Ben', 'Cay'].map((name, index) => ({
  name,
  userId: `0000000${index}-0000-7000-8000-000000000000`,
}));
const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => QUIET };

export class Simulation implements World {
  readonly seed: number;
  readonly time = new VirtualTime(START_MS);
  readonly databaseClock = new SetClock(this.time);
  readonly random: Random;
  readonly durations: Durations;
  readonly database: MemoryDatabase;
  readonly ledger: Ledger;
  readonly processes: SimProcess[] = [];
  /** Processes whose place another has taken, under their name, though they live. */
  readonly ghosts: SimProcess[] = [];
  readonly phones: Phone[] = [];
  readonly log = QUIET;
  weather: Weather;
  resting = false;
  /** Since when no fault was made that may still be felt. */
  calmSince = START_MS;
  steps = 0;
  readonly #storyWanted: boolean;
  readonly #story: string[] = [];
  readonly #names = new Map<string, string>();
  readonly #lives: number[] = [];
  readonly #watch = new Watch(this);
  #rematches = 0;

  constructor(seed: number, options: RunOptions) {
    this.seed = seed;
    this.#storyWanted = options.story ?? false;
    this.random = new Random(seed);
    this.weather = drawWeather(this.random, options.weather);
    this.durations = drawDurations(this.random);
    this.database = new MemoryDatabase(this.databaseClock, options.brokenStatements);
    this.ledger = new Ledger(this);
  }

  async go(): Promise<RunReport> {
    let broken: string | undefined;
    // Everything from here on happens inside promises: see `settled` in VirtualTime.
    await Promise.resolve();
    try {
      await this.#populate();
      await this.#until(START_MS + this.durations.troubleMs, () => false);
      this.#rest();
      const over = await this.#until(this.time.now + REST_MS, () => this.#isOver());
      if (!over) throw new Broken(this.#whatIsStuck());
      this.ledger.auditEnd();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      broken = error.message;
      this.tell('!', () => error.message);
    }
    return {
      seed: this.seed,
      weather: this.weather.name,
      broken,
      digest: this.#digest(),
      calls: this.database.tables.calls.size,
      steps: this.steps,
      simulatedMs: this.time.now - START_MS,
      story: this.#story,
    };
  }

  latency(): number {
    const { latencyMs, slowPackets } = this.weather;
    const once = this.random.between(latencyMs.low, latencyMs.high);
    return this.random.chance(slowPackets) ? once * 10 : once;
  }

  faulted(forMs: number): void {
    this.calmSince = Math.max(this.calmSince, this.time.now + forMs);
  }

  get everyone(): SimProcess[] {
    return [...this.processes, ...this.ghosts];
  }

  kill(process: SimProcess, why: string): void {
    if (process.dead || this.#isNeeded(process)) return;
    this.tell(process.id, () => `dies ${why}`);
    process.dead = true;
    this.faulted(0);
    // What the database is cut off from says nothing to it when it dies.
    const sessions = process.cut ? [] : [...process.sessions];
    this.time.after(this.latency(), null, () => {
      for (const session of sessions) session.breaks();
    });
    for (const phone of this.phones) {
      this.time.after(this.random.between(2, 400), null, () => phone.lost(process));
    }
    const ghost = this.ghosts.indexOf(process);
    if (ghost >= 0) this.ghosts.splice(ghost, 1);
    else this.#startAgain(process.index, this.random.between(100, this.resting ? 500 : 4_000));
  }

  /** Another process of the same name comes up beside this one: a copy of its machine, say. */
  twin(process: SimProcess): void {
    this.ghosts.push(process);
    this.tell(process.id, () => 'has a twin');
    void this.startProcess(process.index, process.id);
  }

  async startProcess(index: number, id = this.#nextId(index)): Promise<void> {
    const { skewMs } = this.weather;
    const aheadMs = (await readSharedEpoch(this.database)) - this.time.now;
    const leastMs = Math.min(aheadMs, Math.max(-skewMs, aheadMs - skewMs));
    const mostMs = Math.max(aheadMs, Math.min(skewMs, aheadMs + skewMs));
    const process = new SimProcess(this, index, id, this.random.between(leastMs, mostMs));
    this.processes[index] = process;
    this.faulted(0);
    this.tell(process.id, () => `starts, its clock off by ${process.clock.now() - this.time.now} ms`);
  }

  #startAgain(index: number, inMs: number): void {
    this.time.after(inMs, null, () => {
      if (this.#isClockKnown()) void this.startProcess(index);
      else this.#startAgain(index, 500);
    });
  }

  #nextId(index: number): string {
    const life = (this.#lives[index] ?? 0) + 1;
    this.#lives[index] = life;
    return `${'PQR'[index]}${life}`;
  }

  /** Whether who starts now learns the clock of those who run: after it was set they have to say how far theirs is from it. */
  #isClockKnown(): boolean {
    const { offMs } = this.databaseClock;
    if (offMs === 0) return true;
    this.faulted(0);
    const said = [...this.database.tables.saidClocks.values()];
    return said.length > 0 && said.every((ahead) => Math.abs(ahead * 100 + offMs) < 1_000);
  }

  /** Only where all processes end is the clock lost that their deadlines are written in. */
  #isNeeded(process: SimProcess): boolean {
    return this.databaseClock.offMs !== 0 && !this.everyone.some((other) => other !== process && !other.dead);
  }

  async transaction<T>(_process: SimProcess, work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** Two whose match is over have another, as after a long time (`ENDED_MATCH_DAYS`). */
  rematch(): void {
    const { matches, users } = this.database.tables;
    const last = this.random.pick([...matches.values()]);
    const two = [last.low_id, last.high_id] as const;
    const isOn = [...matches.values()].some(
      (match) => match.low_id === two[0] && match.high_id === two[1] && match.status === 'active',
    );
    if (isOn || two.some((id) => users.get(id)?.status !== 'active')) return;
    const id = `000000${20 + this.#rematches++}-0000-7000-8000-000000000000`;
    const begun = newMatch(id, two, this.time.now, this.durations.match);
    new Writer(this.database.tables).set(matches, id, begun);
    this.tell(this.nameOf(id), () => `begins between ${two.map((one) => this.nameOf(one)).join(' and ')}`);
    for (const phone of this.phones) if (two.includes(phone.userId)) phone.matchIds.push(id);
  }

  anyProcess(): SimProcess {
    const up = this.processes.filter((process) => !process.dead);
    return this.random.pick(up.length === 0 || this.random.chance(0.05) ? this.processes : up);
  }

  tell(who: string, what: () => string): void {
    if (!this.#storyWanted) return;
    const seconds = ((this.time.now - START_MS) / 1000).toFixed(3).padStart(7);
    this.#story.push(`${seconds}  ${who.padEnd(7)} ${what()}`);
  }

  nameOf(id: string): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const kind = this.database.tables.matches.has(id) ? 'match' : 'call';
    const name = `${kind}-${[...this.#names.values()].filter((other) => other.startsWith(kind)).length + 1}`;
    this.#names.set(id, name);
    return name;
  }

  async #populate(): Promise<void> {
    const { random, durations } = this;
    this.tell('#', () => `seed ${this.seed}, ${this.weather.name}, ${JSON.stringify(durations)}`);
    const matchIds = [1, 2].map((nth) => {
      const id = `0000001${nth}-0000-7000-8000-000000000000`;
      const two = [PEOPLE[0]!.userId, PEOPLE[nth]!.userId] as const;
      this.database.tables.matches.set(id, newMatch(id, two, START_MS, durations.match));
      this.nameOf(id);
      return id;
    });
    for (const { name, userId: id } of PEOPLE) {
      this.#names.set(id, name);
      const stays = { settle_at: null, erase_at: null, revoked_at: null };
      this.database.tables.users.set(id, { id, status: 'active', ...stays });
    }
    for (let index = 0; index < random.between(2, 3); index++) await this.startProcess(index);
    const temper = drawTemper(random);
    this.phones.push(
      new Phone(this, 'Ann', PEOPLE[0]!.userId, matchIds.slice(), temper),
      new Phone(this, 'Ben', PEOPLE[1]!.userId, [matchIds[0]!], temper),
      new Phone(this, 'Cay', PEOPLE[2]!.userId, [matchIds[1]!], temper),
    );
    // Another device of hers.
    if (random.chance(0.25))
      this.phones.push(new Phone(this, 'Ann2', PEOPLE[0]!.userId, matchIds.slice(), temper));
    for (const phone of this.phones) phone.start();
    makeTrouble(this);
  }

  /** No more faults, no more wishes: what is under way comes to its end. */
  #rest(): void {
    this.tell('#', () => 'trouble is over, people rest');
    this.resting = true;
    this.weather = calmed(this.weather);
    for (const ghost of [...this.ghosts]) this.kill(ghost, 'as the twin that it is');
    for (const process of this.processes) {
      process.cut = false;
      process.deafToBus = false;
      process.muteOnBus = false;
      process.stalledUntil = 0;
    }
    // A lost packet of before may be felt until its time-out.
    this.faulted(0);
  }

  #until(untilMs: number, done: () => boolean): Promise<boolean> {
    return this.time.run(
      untilMs,
      () => {
        this.steps++;
        this.ledger.audit();
        this.#watch.look();
      },
      done,
    );
  }

  #isOver(): boolean {
    const { liveCalls, users } = this.database.tables;
    if (liveCalls.size > 0 || this.processes.some((process) => process.dead)) return false;
    if ([...users.values()].some((user) => user.status === 'deleted')) return false;
    return this.#deaf().length === 0;
  }

  /** Who has not heard everything. */
  #deaf(): Phone[] {
    const { inboxes, erased } = this.database.tables;
    return this.phones.filter(
      ({ inbox, userId }) => !erased.has(userId) && inbox.seen !== (inboxes.get(userId)?.seq ?? 0),
    );
  }

  #whatIsStuck(): string {
    const { tables } = this.database;
    const calls = [...tables.calls.values()].filter((call) => call.phase !== 'ended');
    if (calls.length > 0) return `${calls.map((call) => this.nameOf(call.id)).join(', ')} never ended`;
    const left = [...tables.users.values()].filter((user) => user.status === 'deleted');
    if (left.length > 0) return `${left.map(({ id }) => this.nameOf(id)).join(', ')} was never erased`;
    return this.#deaf()
      .map(({ name, inbox }) => `${name} never heard what came after #${inbox.seen}`)
      .join(', ');
  }

  #digest(): number {
    let hash = 0x811c9dc5;
    const add = (text: string) => {
      for (let index = 0; index < text.length; index++) {
        hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
      }
    };
    for (const line of this.database.tables.journal) {
      add(`${line.at} ${line.epoch} ${line.command} ${line.by_id} ${line.state.phase}`);
    }
    add(`${this.steps} ${this.time.now}`);
    return hash >>> 0;
  }
}

/** Some people hang up at once, some never do; some want everything. */
function drawTemper(random: Random): Temper {
  const often = () => random.pick([0.2, 1, 3]);
  return {
    join: 4,
    answer: 2 * often(),
    reject: 0.1 * often(),
    end: 0.15 * often(),
    extend: 2 * often(),
    decline_extend: 0.2 * often(),
    upgrade: 2 * often(),
    decline_upgrade: 0.2 * often(),
    downgrade: 0.4 * often(),
    leave: 0.2 * often(),
    initiate: 0.3,
    match: 0.15 * often(),
  };
}
