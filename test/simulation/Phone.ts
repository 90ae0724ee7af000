/**
 * A person with a phone: starts calls, answers, asks for more time and for video, hangs up, loses the network, comes
 * back, sends things twice and at the wrong moment. Speaks to any process, over HTTP or over the socket of a room.
 */
import type { Seat } from '../../src/actors/Actors.ts';
import type { Call } from '../../src/calling/state.ts';
import type { PersonCommand } from '../../src/calling/transitions.ts';
import { DuetError } from '../../src/errors.ts';
import { newId } from '../../src/ids.ts';
import type { MatchCommand } from '../../src/matching/transitions.ts';
import { PHONE_TIMEOUT_MS } from './durations.ts';
import { Inbox } from './Inbox.ts';
import type { SimProcess } from './SimProcess.ts';
import type { RoomClient, SimRoom } from './SimRoom.ts';
import type { World } from './World.ts';

/** What a person in a call does next, and how often. */
export interface Temper {
  join: number;
  answer: number;
  reject: number;
  end: number;
  extend: number;
  decline_extend: number;
  upgrade: number;
  decline_upgrade: number;
  downgrade: number;
  leave: number;
  initiate: number;
  match: number;
}

interface Socket extends RoomClient {
  process: SimProcess;
  room: SimRoom;
}

export class Phone {
  readonly name: string;
  readonly userId: string;
  /** Also of matches that are over. */
  readonly matchIds: string[];
  readonly inbox: Inbox;
  /** The call this person believes to be in. */
  callId: string | undefined;
  #socket: Socket | undefined;
  /** Whether this person leaves when people rest; undefined until then. */
  #goesHome: boolean | undefined;
  /** Whether this person has deleted the account, and knows it. */
  #hasLeft = false;
  readonly #world: World;
  readonly #temper: Temper;

  constructor(world: World, name: string, userId: string, matchIds: string[], temper: Temper) {
    this.#world = world;
    this.name = name;
    this.userId = userId;
    this.matchIds = matchIds;
    this.#temper = temper;
    this.inbox = new Inbox(world, this);
  }

  /** Begins to live. */
  start(): void {
    const { time, random } = this.#world;
    const again = () => {
      time.after(random.between(60, this.#world.resting ? 900 : 600), null, () => {
        if (this.#hasLeft) return;
        this.inbox.keepOpen();
        if (this.#world.resting) this.#rest();
        else this.#act();
        again();
      });
    };
    again();
  }

  /** The network is gone for a moment; the server finds out later. */
  drop(): void {
    this.#leaveRoom();
    this.inbox.drop();
  }

  /** Deletes the account. What is under way, and what is said before every process knows of it, comes all the same. */
  quit(): void {
    const process = this.#world.anyProcess();
    this.#world.tell(this.name, () => `deletes the account by ${process.id}`);
    void this.ask('departure', process, () => process.accounts!.leave(this.userId));
  }

  /** A process died: its sockets break. */
  lost(process: SimProcess): void {
    if (this.#socket?.process === process) this.#socket = undefined;
    this.inbox.lost(process);
  }

  /** A call rings, or began by one's own hand. */
  hears(callId: string): void {
    this.callId = callId;
  }

  /** Told of the end of a call, by whatever way. */
  ended(callId: string): void {
    if (this.callId === callId) this.callId = undefined;
  }

  /** Asks a process for something over HTTP; undefined: refused, or no answer. What is sent twice is done twice. */
  ask<T>(what: string, process: SimProcess, act: () => Promise<T>): Promise<T | undefined> {
    const { time, random } = this.#world;
    return new Promise((resolve) => {
      const giveUp = time.after(PHONE_TIMEOUT_MS, null, () => resolve(undefined));
      const admitted = async () => {
        if (process.accounts?.isSignedOut(this.userId)) throw new DuetError('UNAUTHORIZED');
        return act();
      };
      const arrive = () => {
        admitted().then(
          (result) => answer(() => resolve(result)),
          (error: { code?: string; message: string }) => {
            this.#world.tell(
              process.id,
              () => `refuses ${this.name}'s ${what}: ${error.code ?? error.message}`,
            );
            answer(() => {
              if (error.code === 'UNAUTHORIZED') this.#hasLeft = true;
              resolve(undefined);
            });
          },
        );
      };
      const answer = (settle: () => void) => {
        time.after(this.#world.latency(), null, () => {
          giveUp.cancel();
          settle();
        });
      };
      time.after(this.#world.latency(), process, arrive);
      if (random.chance(0.03)) time.after(random.between(5, 800), process, arrive);
    });
  }

  #act(): void {
    const { random } = this.#world;
    if (this.callId === undefined) {
      if (random.chance(0.15)) this.#commandMatch();
      else if (random.chance(0.4)) void this.#initiate();
      return;
    }
    const action = random.weighted(this.#temper as Temper & Record<string, number>) as keyof Temper;
    const { callId } = this;
    if (action === 'leave') this.drop();
    else if (action === 'match') this.#commandMatch();
    else if (action === 'join') void this.#join(callId);
    else if (action === 'initiate') void this.#initiate();
    else if (action !== 'answer') void this.#command(callId, { type: action });
    else void this.#command(callId, { type: action, media: random.chance(0.5) ? 'video' : 'audio' });
  }

  /** Nobody asks for anything any more; who is in a call stays in it, or never comes back. */
  #rest(): void {
    this.#goesHome ??= this.#world.random.chance(0.3);
    if (this.#goesHome) this.#leaveRoom();
    else if (this.callId !== undefined && this.#socket === undefined) void this.#join(this.callId, true);
  }

  #leaveRoom(): void {
    const { time, random } = this.#world;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    time.after(random.between(20, 1_500), socket.process, () => socket.room.leave(socket));
  }

  async #initiate(): Promise<void> {
    const { random } = this.#world;
    const process = this.#world.anyProcess();
    const matchId = random.pick(this.matchIds);
    const media = random.chance(0.4) ? 'video' : 'audio';
    this.#world.tell(this.name, () => `calls (${media}) in ${this.#world.nameOf(matchId)} by ${process.id}`);
    const id = newId();
    const initiate = (by: SimProcess) =>
      this.ask('initiate', by, () => by.calls.initiate(matchId, this.userId, media, id));
    // Whoever hears nothing may ask again, for the same call.
    const again = () => (random.chance(0.3) ? initiate(this.#world.anyProcess()) : undefined);
    const call = (await initiate(process)) ?? (await again());
    if (call === undefined) return;
    this.#world.ledger.acknowledged(call);
    if (call.phase !== 'ended') this.hears(call.id);
    await this.#join(call.id);
  }

  #commandMatch(): void {
    const { random } = this.#world;
    const process = this.#world.anyProcess();
    const matchId = random.pick(this.matchIds);
    const type = random.weighted({ accept: 20, decline: 1, end: 1.5, block: 1 });
    this.#world.tell(this.name, () => `${type}s ${this.#world.nameOf(matchId)} by ${process.id}`);
    const match = this.#world.database.tables.matches.get(matchId);
    void this.ask<unknown>(`${type} of the match`, process, async () =>
      type === 'block'
        ? match && process.block(match.low_id, match.high_id)
        : process.matches.command(matchId, { type } as MatchCommand, this.userId),
    );
  }

  async #command(callId: string, command: PersonCommand): Promise<void> {
    const { random, ledger } = this.#world;
    const socket = this.#socket;
    if (socket !== undefined && random.chance(0.6)) return this.#send(socket, command);
    // Under one id it is one wish, however often it comes.
    const id = random.chance(0.5) ? newId() : undefined;
    let isCounted = false;
    const give = (process: SimProcess) => {
      this.#world.tell(
        this.name,
        () => `asks ${process.id} to ${command.type} ${this.#world.nameOf(callId)}`,
      );
      return this.ask(command.type, process, async () => {
        if (id === undefined || !isCounted) ledger.asked(callId, this.userId, command);
        isCounted = true;
        const since = ledger.versionOf(callId);
        return { call: await process.command(callId, this.userId, command, id), since };
      });
    };
    const again = () => (id !== undefined && random.chance(0.5) ? give(this.#world.anyProcess()) : undefined);
    const answered = (await give(this.#world.anyProcess())) ?? (await again());
    if (answered !== undefined) this.#believe(answered.call, answered.since);
  }

  /** A message on the room's socket: it is about the call of that room, whatever the phone has heard of since. */
  async #send(socket: Socket, command: PersonCommand): Promise<void> {
    const { time, ledger } = this.#world;
    const { callId } = socket.room;
    this.#world.tell(this.name, () => `says ${command.type} in the room of ${this.#world.nameOf(callId)}`);
    time.after(this.#world.latency(), socket.process, () => {
      if (!socket.room.clients.has(socket)) return;
      ledger.asked(callId, this.userId, command);
      const since = ledger.versionOf(callId);
      socket.room.obey(socket, command).then(
        (call) => time.after(this.#world.latency(), null, () => this.#believe(call, since)),
        (error: { code?: string; message: string }) =>
          this.#world.tell(
            socket.process.id,
            () => `refuses ${this.name}'s ${command.type}: ${error.code ?? error.message}`,
          ),
      );
    });
  }

  async #join(callId: string, returns = false): Promise<void> {
    const process = this.#world.anyProcess();
    const seat = await this.ask<Seat | undefined>('join', process, async () => {
      const before = await process.calls.find(callId, this.userId);
      if (before.phase === 'ended') {
        this.#world.time.after(this.#world.latency(), null, () => this.#believe(before));
        return undefined;
      }
      return process.actors.callSeat(callId, this.userId, { returns });
    });
    const named = this.#world.everyone.filter((one) => one.id === seat?.processId);
    if (seat === undefined || named.length === 0) return;
    const target = this.#world.random.pick(named);
    this.#world.time.after(this.#world.latency(), target, () => {
      const room = target.rooms.get(callId);
      if (room === undefined) return;
      const socket: Socket = {
        userId: this.userId,
        sessionId: this.name,
        process: target,
        room,
        shown: (call) => this.#world.time.after(this.#world.latency(), null, () => this.#believe(call)),
        closed: (why) => {
          this.#world.tell(this.name, () => `is out of the room of ${this.#world.nameOf(callId)}: ${why}`);
          if (this.#socket === socket) this.#socket = undefined;
        },
      };
      room.join(socket, seat.sessionId).then(
        () => {
          this.#world.tell(
            this.name,
            () => `is in the room of ${this.#world.nameOf(callId)} on ${target.id}`,
          );
          this.#socket = socket;
        },
        () => {},
      );
    });
  }

  /** What an answer or a room shows is taken for true. */
  #believe(call: Call, since?: number): void {
    this.#world.ledger.acknowledged(call, since);
    if (call.phase === 'ended') this.ended(call.id);
  }
}
