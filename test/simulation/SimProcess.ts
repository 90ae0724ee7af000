/**
 * One life of one process of the server: the program's own use cases, actors, keeper and inbox hub, over the
 * simulated database, bus and rooms. Starting it again is another life, under another id (or, see `World.twin`, the same).
 */
import { Actors, type RoomHost } from '../../src/actors/Actors.ts';
import { CallCommands } from '../../src/actors/CallCommands.ts';
import { Keeper } from '../../src/actors/Keeper.ts';
import { CallStore } from '../../src/calling/CallStore.ts';
import { Calls } from '../../src/calling/Calls.ts';
import type { Call } from '../../src/calling/state.ts';
import type { PersonCommand } from '../../src/calling/transitions.ts';
import type { Database } from '../../src/db/Database.ts';
import { InboxHub } from '../../src/events/InboxHub.ts';
import type { StoredEvent } from '../../src/events/outbox.ts';
import { Matches } from '../../src/matching/Matches.ts';
import { severPair } from '../../src/safety/safetySql.ts';
import { ProcessLink } from './ProcessLink.ts';
import { SimAccounts } from './SimAccounts.ts';
import { SimBus } from './SimBus.ts';
import { SimRoom } from './SimRoom.ts';
import type { SimSession } from './SimSession.ts';
import { type Host, HostClock } from './VirtualTime.ts';
import type { World } from './World.ts';

export class SimProcess implements Host {
  readonly id: string;
  /** Which of the server's processes this is a life of. */
  readonly index: number;
  dead = false;
  stalledUntil = 0;
  /** It and the database do not hear each other. */
  cut = false;
  /** It does not hear the bus, or the bus does not hear it, or neither. */
  deafToBus = false;
  muteOnBus = false;
  readonly clock: HostClock;
  readonly link: ProcessLink;
  /** At the database, that it keeps. */
  readonly sessions = new Set<SimSession>();
  readonly bus: SimBus;
  readonly hub: InboxHub;
  readonly calls: Calls;
  readonly matches: Matches;
  readonly callStore: CallStore;
  readonly actors: Actors;
  readonly keeper: Keeper;
  readonly rooms = new Map<string, SimRoom>();
  /** Absent where nobody leaves. */
  readonly accounts: SimAccounts | undefined;
  readonly #callCommands: CallCommands;
  readonly #db: Database;
  readonly #world: World;

  constructor(world: World, index: number, id: string, aheadMs: number) {
    this.#world = world;
    this.index = index;
    this.id = id;
    const { log, durations } = world;
    this.link = new ProcessLink(world, this);
    const db = this.link as unknown as Database;
    this.#db = db;
    const clock = new HostClock(world.time, this, aheadMs);
    this.clock = clock;
    this.bus = new SimBus(world, this);
    this.hub = new InboxHub({ db, bus: this.bus, clock, log });
    const publish = (events: readonly StoredEvent[]) => this.hub.publish(events);
    this.callStore = new CallStore(db, durations.call);
    this.actors = new Actors({ calls: this.callStore, clock, log, rooms: this.#roomHost() });
    this.calls = new Calls({
      db,
      clock,
      settings: durations.call,
      matchSettings: durations.match,
      turn: { secret: undefined, urls: [] },
      maxUnanswered: 3,
      isOpen: () => this.isOpen,
      publish,
    });
    this.#callCommands = new CallCommands({ calls: this.calls, actors: this.actors, log });
    this.matches = new Matches({
      db,
      clock,
      settings: durations.match,
      cards: () => Promise.resolve(new Map()),
      publish,
      onClosed: (matchId) => this.#callCommands.sever(matchId),
    });
    this.keeper = new Keeper({
      db,
      calls: this.callStore,
      bus: this.bus,
      clock,
      log,
      tickMatch: (matchId) => this.matches.system(matchId, { type: 'tick' }),
      activateCall: (callId) => this.actors.activateCall(callId),
      isOpen: () => this.isOpen,
      reconcileInboxes: () => this.hub.reconcile(),
      dropOld: () => Promise.resolve(),
      processId: () => this.id,
    });
    if (world.weather.leave > 0) this.accounts = new SimAccounts(world, this);
    // It has its name before anything is asked of it.
    void this.link.holdName(clock).then(() => this.keeper.start());
  }

  /** Up, awake, and on speaking terms with the database. */
  get healthy(): boolean {
    return !this.dead && !this.cut && this.stalledUntil <= this.#world.time.now;
  }

  /** Takes on calls: not once it is asked to end. */
  get isOpen(): boolean {
    return !this.actors.isDraining;
  }

  /** Gives back what it holds, as when it ends in order. */
  closeRooms(): void {
    for (const room of [...this.rooms.values()]) room.stop();
  }

  /** `POST /calls/:callId/<command>`. */
  command(callId: string, userId: string, command: PersonCommand, id?: string): Promise<Call> {
    return this.#callCommands.give(callId, userId, command, id);
  }

  /** What a block does to the match of two people (`src/safety/Blocks.ts`). */
  async block(oneId: string, otherId: string): Promise<void> {
    await this.#db.transaction((tx) => tx.query(severPair, [oneId, otherId]));
    await this.matches.sever(oneId, otherId);
  }

  /** Somebody's session has ended: their sockets are closed. */
  signedOut(userId: string): void {
    for (const room of this.rooms.values()) room.turnOut(userId);
  }

  #roomHost(): RoomHost {
    const host = {
      processId: () => this.id,
      localRoom: (callId: string) => this.rooms.get(callId),
      roomClosed: () => Promise.resolve(),
      forgetListing: () => Promise.resolve(),
      createLocalRoom: async (_name: string, callId: string) => {
        this.rooms.set(callId, new SimRoom(this.#world, this, callId));
      },
      callRoom: (callId: string, method: RemoteMethod, args: unknown[], timeoutMs: number) =>
        this.#callRoom(callId, method, args, timeoutMs),
    };
    return host as unknown as RoomHost;
  }

  /** A room's method, here or over the bus: whoever has a room of that name hears it, the first answer counts. */
  #callRoom(callId: string, method: RemoteMethod, args: unknown[], timeoutMs: number): Promise<unknown> {
    const world = this.#world;
    const here = this.rooms.get(callId);
    if (here !== undefined) return call(here, method, args);
    return new Promise((resolve, reject) => {
      const giveUp = world.time.after(timeoutMs, this, () => reject(new Error('no answer from the room')));
      if (this.muteOnBus || world.random.chance(world.weather.commandLost)) return;
      const ask = (other: SimProcess) => {
        const room = other.deafToBus ? undefined : other.rooms.get(callId);
        if (room === undefined) return;
        call(room, method, args).then((result) => {
          if (other.muteOnBus || world.random.chance(world.weather.commandLost)) return;
          world.time.after(world.latency(), this, () => {
            if (this.deafToBus) return;
            giveUp.cancel();
            resolve(result);
          });
        }, reject);
      };
      const copies = world.random.chance(world.weather.commandTwice) ? 2 : 1;
      for (const other of world.everyone) {
        for (let copy = 0; copy < copies; copy++) world.time.after(world.latency(), other, () => ask(other));
      }
    });
  }
}

type RemoteMethod = 'command' | 'reserve';

function call(room: SimRoom, method: RemoteMethod, args: unknown[]): Promise<unknown> {
  return (room[method] as (...args: unknown[]) => Promise<unknown>)(...args);
}
