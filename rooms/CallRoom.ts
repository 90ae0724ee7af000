/**
 * The door to one live call: its clients, their seats and messages. What happens to the call is decided by its actor
 * (`src/calling`), what flows by its media (`src/media`); what people see of it is its presenter's.
 */
import type { z } from 'zod';
import type { ActorAnswer, ActorCommand, CallSeatOptions, PersonsCommand } from '../src/actors/Actors.ts';
import { SEAT_SEC } from '../src/actors/Actors.ts';
import { processId, reserveSeat } from '../src/actors/colyseus.ts';
import { CallActor } from '../src/calling/CallActor.ts';
import { CallMediaHost } from '../src/calling/CallMediaHost.ts';
import { CallSeats } from '../src/calling/CallSeats.ts';
import { type Call, mediaPolicy, peerOf } from '../src/calling/state.ts';
import type { PersonCommand } from '../src/calling/transitions.ts';
import { callView } from '../src/calling/view.ts';
import { Withdrawals } from '../src/calling/Withdrawals.ts';
import { DuetError } from '../src/errors.ts';
import { codeToTell } from '../src/failure.ts';
import { answerMedia } from '../src/media/answerMedia.ts';
import { MEDIA_MESSAGES, type MediaMessage, type MediaMessageType } from '../src/media/messages.ts';
import { Nothing } from '../src/shapes.ts';
import { BaseRoom, CLOSE, type DuetClient, LINGER_MS } from './BaseRoom.ts';
import { CallPresenter } from './CallPresenter.ts';
import { type CallState, newCallState } from './CallState.ts';
import { CLIENT_MESSAGES } from './messages.ts';
import type { RoomServices } from './services.ts';

/** The messages that are a person's command and nothing more. */
const COMMANDS: Record<string, PersonCommand> = {
  'call:reject': { type: 'reject' },
  'call:end': { type: 'end' },
  'call:extend_request': { type: 'extend' },
  'call:extend_decline': { type: 'decline_extend' },
  'call:upgrade_request': { type: 'upgrade' },
  'call:upgrade_decline': { type: 'decline_upgrade' },
  'call:downgrade': { type: 'downgrade' },
};

export abstract class CallRoom extends BaseRoom {
  abstract override readonly services: RoomServices;
  declare state: CallState;
  #actor!: CallActor;
  #media!: CallMediaHost;
  #presenter!: CallPresenter;
  readonly #withdrawals = new Withdrawals();
  readonly #seats = new CallSeats<DuetClient>();

  override async onCreate({ callId }: { callId: string }): Promise<void> {
    const { services } = this;
    const held = services.actors.takeClaim(callId);
    // The call needs its room while nobody is in it: its clock runs.
    this.autoDispose = false;
    // Seats are only given to its two people, who are limited themselves: counting them here would let one who asks
    // for seats without taking them keep the other out.
    this.state = newCallState(held.call);
    this.open();
    this.#presenter = new CallPresenter({
      state: this.state,
      call: () => this.#actor.call,
      clock: services.clock,
      isHere: (userId) => this.clientsOf(userId).length > 0,
      say: (...said) => this.say(...said),
      patch: () => this.patch(),
    });
    this.#media = new CallMediaHost({
      people: [held.call.callerId, held.call.calleeId],
      policy: mediaPolicy(held.call),
      create: (options) => services.createMedia(options),
      clock: services.clock,
      audience: this.#presenter,
      flowing: () => void this.#actor.insist(() => this.#actor.system({ type: 'media_flowing' })),
    });
    this.#actor = new CallActor({
      held,
      store: services.callStore,
      factsAtEnd: () => ({ quality: this.#media.quality }),
      settings: services.callSettings,
      matchSettings: services.matchSettings,
      clock: services.clock,
      log: services.log,
      publish: (events) => services.publish(events),
      audience: {
        changed: (call) => this.#changed(call),
        say: (effect, call) => this.#presenter.announce(effect, call),
        lost: () => this.#moved(),
      },
    });
    services.keeper.hold(this.#actor);
    // Whoever committed it may have died before it pushed.
    if (held.call.phase === 'ringing') services.ring(held.call);
  }

  override async onJoin(client: DuetClient, options: CallSeatOptions): Promise<void> {
    const { userId, sessionId } = this.admit(client);
    const others = this.clientsOf(userId).filter((other) => other !== client);
    if (!this.#seats.take(client, options, sessionId, others)) throw new DuetError('CONFLICT');
    // One device a person: the one that joins takes the seat over.
    for (const other of others) {
      other.leave(CLOSE.takenOver);
      this.#media.leave(userId);
    }
    this.#presenter.forgetKeys(userId);
    await this.#actor.command({ type: 'joined' }, userId);
    this.#withdrawals.cameBack(userId);
    this.#allow();
    this.#presenter.showPerson(userId);
    const peerId = peerOf(this.#actor.call, userId);
    const key = this.#presenter.keyOf(peerId);
    if (key !== undefined) client.send('call:e2ee_key', { userId: peerId, ...key });
    for (const producer of this.#media.producers(peerId)) client.send('media:producer', producer);
  }

  override async onLeave(client: DuetClient): Promise<void> {
    const userId = client.auth?.userId;
    if (userId === undefined || this.clientsOf(userId).length > 0) return;
    this.#media.leave(userId);
    this.#presenter.forgetKeys(userId);
    this.#presenter.showPerson(userId);
    await this.#actor.insist(
      () => this.#actor.command({ type: 'dropped' }, userId),
      () => this.clientsOf(userId).length === 0,
    );
  }

  override async onDispose(): Promise<void> {
    this.#media?.close();
    if (this.#actor !== undefined) {
      this.services.keeper.letGo(this.#actor);
      await this.#actor.close();
    }
    this.shut();
  }

  /**
   * A command that came over HTTP or from another actor; called across processes, so it answers with data, or with nothing
   * once the call is another process's.
   */
  async command(given: ActorCommand): Promise<ActorAnswer | undefined> {
    try {
      const call =
        'userId' in given ? await this.#obeyInTime(given) : await this.#actor.system(given.command);
      return { ok: true, call };
    } catch (error) {
      // Not even a refusal: whoever holds the call now may have another answer.
      if (!this.#actor.isActing) return undefined;
      if (!(error instanceof DuetError))
        this.services.log.error({ err: error, callId: this.roomId }, 'a command to a call failed');
      return { ok: false, code: codeToTell(error) };
    }
  }

  /** A seat for one of the two; called across processes. Undefined where none is to be had. */
  async reserve(sessionId: string, userId: string, returns: boolean): Promise<object | undefined> {
    const options: CallSeatOptions = { userId, ...this.#seats.give(this.#actor.call, userId, returns) };
    if (!(await reserveSeat(this, sessionId, options, SEAT_SEC))) return undefined;
    const { publicAddress } = this.services;
    return { processId: processId(), ...(publicAddress !== undefined && { publicAddress }) };
  }

  protected override takeMessages(): void {
    const messages = CLIENT_MESSAGES.call;
    const obey = async (room: this, client: DuetClient, command: PersonCommand) => {
      const call = await room.#obey(command, client.auth!.userId);
      return { call: callView(call, room.services.clock.now()) };
    };
    this.handle('call:answer', messages['call:answer'].payload, async (room, client, { media }) => {
      // From now on: another device may come in while the answer is being committed.
      room.#seats.answers(client);
      return obey(room, client, { type: 'answer', ...(media && { media }) });
    });
    for (const [type, command] of Object.entries(COMMANDS)) {
      this.handle(type, Nothing, (room, client) => obey(room, client, command));
    }
    for (const type of Object.keys(MEDIA_MESSAGES) as MediaMessageType[]) {
      this.handle<z.ZodType>(type, messages[type].payload, async (room, client, payload) => {
        const media = await room.#whileSeated(client, () => room.#media.get());
        return answerMedia(media, client.auth!.userId, type, payload as MediaMessage<typeof type>);
      });
    }
    this.#takeDescriptions();
    this.#takeEncryption();
  }

  /** Between one client and the server only: the other person must not learn an address. */
  #takeDescriptions(): void {
    const messages = CLIENT_MESSAGES.call;
    const plain = (room: this, client: DuetClient) => room.#whileSeated(client, () => room.#media.plain());
    this.handle('call:sdp_offer', messages['call:sdp_offer'].payload, async (room, client, { sdp }) =>
      (await plain(room, client)).offer(client.auth!.userId, sdp),
    );
    this.handle('call:sdp_answer', messages['call:sdp_answer'].payload, async (room, client, { sdp }) =>
      (await plain(room, client)).answer(client.auth!.userId, sdp),
    );
    this.handle('call:ice_candidate', messages['call:ice_candidate'].payload, () => ({}));
  }

  /** What the server is told of end-to-end encryption: public keys, and what each client says that it does. */
  #takeEncryption(): void {
    const messages = CLIENT_MESSAGES.call;
    this.handle('call:e2ee_key', messages['call:e2ee_key'].payload, async (room, client, key) => {
      const { userId, sessionId } = client.auth!;
      await room.#whileSeated(client, async () => {
        if (key.device !== undefined && key.device !== (await room.services.deviceKeyOf(sessionId)))
          throw new DuetError('FORBIDDEN');
      });
      room.#presenter.takeKey(userId, key);
    });
    this.handle('call:e2ee_state', messages['call:e2ee_state'].payload, (room, client, claim) => {
      room.#presenter.takeClaim(client.auth!.userId, claim);
    });
  }

  /** Asked for by another process, which may have been told meanwhile that nobody answers: then it does not count. */
  #obeyInTime({ command, userId, id, until }: PersonsCommand): Promise<Call> {
    const isLate = until !== undefined && this.services.clock.now() > until;
    if (isLate && command.type !== 'end') throw new DuetError('UNAVAILABLE');
    return this.#obey(command, userId, id);
  }

  /** Waits for what a client needs of a live call. Another client of the same person may have taken the seat meanwhile. */
  async #whileSeated<T>(client: DuetClient, wait: () => Promise<T>): Promise<T> {
    if (this.#actor.call.phase === 'ended') throw new DuetError('CALL_NOT_ACTIVE');
    const result = await wait();
    if (!this.clients.includes(client)) throw new DuetError('CONFLICT');
    return result;
  }

  /** A person's command. What it takes away stops at once, whatever becomes of the commit. */
  #obey(command: PersonCommand, userId: string, id?: string): Promise<Call> {
    const change: [Call, Call] = [this.#actor.call, this.#actor.after(command, userId)];
    const commit = () => this.#actor.command(command, userId, id);
    return this.#withdrawals.during(userId, command.type, change, () => this.#allow(), commit);
  }

  /** Lets flow what may, in the call as it was last committed. */
  #allow(): void {
    this.#media.setPolicy(this.#withdrawals.policyFor(this.#actor.call));
  }

  /** After each commit: what may flow first, then what is shown. */
  #changed(call: Call): void {
    this.#allow();
    this.#presenter.show(call);
    if (call.phase !== 'ended') return;
    for (const heard of Object.values(this.#media.quality)) this.services.observeQuality(heard);
    this.#media.close();
    this.services.keeper.letGo(this.#actor);
    this.services.clock.after(LINGER_MS, () => this.#close(CLOSE.ended));
  }

  /** Another process holds the call. */
  #moved(): void {
    this.#media.close();
    this.#close(CLOSE.moved);
  }

  #close(code: number): void {
    this.disconnect(code).catch((err: unknown) => {
      this.services.log.warn({ err, callId: this.roomId }, 'a room did not close cleanly');
    });
  }
}
