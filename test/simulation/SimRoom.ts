/**
 * The room of a call without Colyseus, sockets and SFU: what `rooms/CallRoom.ts` does with its actor and its
 * clients, and nothing else. Media flow a moment after both people are in the room of an answered call.
 */
import type { ActorAnswer, ActorCommand } from '../../src/actors/Actors.ts';
import { CallActor } from '../../src/calling/CallActor.ts';
import { CallSeats, type SeatTerms } from '../../src/calling/CallSeats.ts';
import { type Call, mediaPolicy } from '../../src/calling/state.ts';
import type { PersonCommand } from '../../src/calling/transitions.ts';
import { Withdrawals } from '../../src/calling/Withdrawals.ts';
import { DuetError } from '../../src/errors.ts';
import type { SimProcess } from './SimProcess.ts';
import type { World } from './World.ts';

/** A client in the room. */
export interface RoomClient {
  readonly userId: string;
  /** The device. */
  readonly sessionId: string;
  /** The room shows the call as it is now. */
  shown(call: Call): void;
  /** The room closed the socket. */
  closed(why: string): void;
}

/** How long the room of an ended call stays (`rooms/CallRoom.ts`). */
const LINGER_MS = 1_000;

export class SimRoom {
  readonly callId: string;
  readonly actor: CallActor;
  readonly clients = new Set<RoomClient>();
  readonly #world: World;
  readonly #process: SimProcess;
  readonly #reserved = new Map<string, SeatTerms & { userId: string }>();
  readonly #seats = new CallSeats<RoomClient>();
  readonly #withdrawals = new Withdrawals();
  /** Who said so here, and nothing since. */
  readonly #wantNoVideo = new Set<string>();
  /** What the SFU of this room lets through. */
  policy: { audio: boolean; video: boolean };
  #closed = false;

  constructor(world: World, process: SimProcess, callId: string) {
    this.#world = world;
    this.#process = process;
    this.callId = callId;
    const held = process.actors.takeClaim(callId);
    this.policy = mediaPolicy(held.call);
    this.actor = new CallActor({
      held,
      store: process.callStore,
      settings: world.durations.call,
      matchSettings: world.durations.match,
      clock: process.clock,
      log: world.log,
      publish: (events) => process.hub.publish(events),
      audience: {
        changed: (call) => this.#show(call),
        say: () => {},
        lost: () => this.#moved(held.epoch),
      },
    });
    process.keeper.hold(this.actor);
    world.tell(process.id, () => `holds ${world.nameOf(callId)} by epoch ${held.epoch}`);
  }

  async reserve(seatId: string, userId: string, returns: boolean): Promise<object | undefined> {
    if (this.#closed) return undefined;
    this.#reserved.set(seatId, { userId, ...this.#seats.give(this.actor.call, userId, returns) });
    return { processId: this.#process.id };
  }

  async command(given: ActorCommand): Promise<ActorAnswer | undefined> {
    try {
      const isLate = 'until' in given && given.until !== undefined && this.#process.clock.now() > given.until;
      if (isLate && given.command.type !== 'end') throw new DuetError('UNAVAILABLE');
      const call =
        'userId' in given
          ? await this.#obey(given.command, given.userId, given.id)
          : await this.actor.system(given.command);
      return { ok: true, call };
    } catch (error) {
      if (!this.actor.isActing) return undefined;
      return { ok: false, code: error instanceof DuetError ? error.code : 'UNAVAILABLE' };
    }
  }

  /** A client with a seat comes in. */
  async join(client: RoomClient, seatId: string): Promise<void> {
    const seat = this.#reserved.get(seatId);
    if (this.#closed || seat?.userId !== client.userId) throw new DuetError('NOT_FOUND');
    this.#reserved.delete(seatId);
    if (this.#process.accounts?.isSignedOut(client.userId)) throw new DuetError('UNAUTHORIZED');
    const others = [...this.clients].filter((other) => other.userId === client.userId);
    if (!this.#seats.take(client, seat, client.sessionId, others)) throw new DuetError('CONFLICT');
    this.clients.add(client);
    for (const other of others) {
      this.clients.delete(other);
      other.closed('taken over');
    }
    try {
      await this.actor.command({ type: 'joined' }, client.userId);
    } catch (error) {
      this.clients.delete(client);
      throw error;
    }
    this.#withdrawals.cameBack(client.userId);
    this.#allow(this.actor.call);
    client.shown(this.actor.call);
    this.#flow();
  }

  /** A client's message. */
  obey(client: RoomClient, command: PersonCommand): Promise<Call> {
    if (command.type === 'answer') this.#seats.answers(client);
    return this.#obey(command, client.userId);
  }

  #obey(command: PersonCommand, userId: string, id?: string): Promise<Call> {
    const { actor } = this;
    const change: [Call, Call] = [actor.call, actor.after(command, userId)];
    const { phase } = actor.call;
    const isNo = command.type === 'downgrade' || (command.type === 'decline_upgrade' && phase === 'active');
    const isTold = isNo && phase !== 'ringing';
    if (isTold) this.#wantNoVideo.add(userId);
    const commit = () =>
      actor.command(command, userId, id).then(
        (call) => {
          this.#wantNoVideo.delete(userId);
          return call;
        },
        (error: unknown) => {
          const isRefused = error instanceof DuetError && error.code !== 'UNAVAILABLE';
          if (isTold && isRefused) this.#wantNoVideo.delete(userId);
          throw error;
        },
      );
    return this.#withdrawals.during(userId, command.type, change, () => this.#allow(actor.call), commit);
  }

  /** What may flow of a call, and nobody is seen who has said that they do not want it. */
  #allow(call: Call): void {
    if (this.#closed) return;
    this.policy = this.#withdrawals.policyFor(call);
    if (this.policy.video && this.#wantNoVideo.size > 0)
      this.#world.ledger.fail(
        `video flows in ${this.#world.nameOf(this.callId)}, which somebody there does not want`,
      );
  }

  /** A client's socket is gone. */
  leave(client: RoomClient): void {
    if (!this.clients.delete(client)) return;
    if ([...this.clients].some((other) => other.userId === client.userId)) return;
    const { userId } = client;
    void this.actor.insist(
      () => this.actor.command({ type: 'dropped' }, userId),
      () => ![...this.clients].some((other) => other.userId === userId),
    );
  }

  /** Somebody is signed out. */
  turnOut(userId: string): void {
    for (const client of [...this.clients]) {
      if (client.userId !== userId) continue;
      this.leave(client);
      client.closed('signed out');
    }
  }

  /** Its process ends. */
  stop(): void {
    this.#close('its process ends');
  }

  #show(call: Call): void {
    this.#allow(call);
    for (const client of this.clients) client.shown(call);
    this.#flow();
    if (call.phase !== 'ended') return;
    this.#process.keeper.letGo(this.actor);
    this.#process.clock.after(LINGER_MS, () => this.#close('ended'));
  }

  /** Both are there and connect: soon each hears the other. */
  #flow(): void {
    const { call } = this.actor;
    if (call.phase !== 'connecting' || new Set([...this.clients].map((one) => one.userId)).size < 2) return;
    this.#process.clock.after(this.#world.random.between(50, 400), () => {
      if (this.#closed || this.clients.size < 2) return;
      void this.actor.insist(() => this.actor.system({ type: 'media_flowing' }));
    });
  }

  #moved(epoch: number): void {
    const { database, ledger } = this.#world;
    const row = database.tables.calls.get(this.callId);
    if (row?.epoch === epoch)
      ledger.fail(`${this.#world.nameOf(this.callId)} is said to have moved, and nobody took it`);
    this.#close('moved');
  }

  #close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.policy = { audio: false, video: false };
    for (const client of [...this.clients]) {
      this.leave(client);
      client.closed(why);
    }
    if (this.#process.rooms.get(this.callId) === this) this.#process.rooms.delete(this.callId);
    this.#process.keeper.letGo(this.actor);
    this.actor.close().catch(() => {});
  }
}
