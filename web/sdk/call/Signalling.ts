import { backoffMs, pause } from '../backoff.ts';
import { CLOSED, endsSession } from '../closeCodes.ts';
import { DuetApiError } from '../DuetApiError.ts';
import type { Http } from '../Http.ts';
import { persist, within } from '../persist.ts';
import { type LinkState, RoomLink } from '../RoomLink.ts';
import type { Seats } from '../Seats.ts';
import type { ServerClock } from '../ServerClock.ts';
import type { Call, Seat } from '../types.ts';

type Options = {
  callId: string;
  http: Http;
  seats: Seats;
  clock: ServerClock;
  /** Whether the person wants to talk on this device; where it only rings, they may answer on another. */
  wantsToTalk: () => boolean;
  /** What the server says that the call is. */
  take: (call: Call) => void;
};

type CallAndSeat = { call: Call; seat: Seat };
type Command = 'answer' | 'reject' | 'extend' | 'upgrade';

const MESSAGE_OF = {
  answer: 'call:answer',
  reject: 'call:reject',
  end: 'call:end',
  extend: 'call:extend_request',
  upgrade: 'call:upgrade_request',
} as const satisfies Record<Command | 'end', string>;

/** A room that has not answered by then is not asked again: HTTP is. */
const ROOM_ANSWER_MS = 1_200;

/** What is said to the server of one call: in its room, and over HTTP where the room does not answer. */
export class Signalling {
  /** The seat in the room, which is asked for again when it is lost. */
  readonly link: RoomLink;
  readonly #o: Options;
  /** States that the room has sent, so that an answer over HTTP is known to be older than one of them. */
  #patches = 0;
  #hasSat = false;
  /** An answer is on its way over HTTP. */
  #isPosting = false;

  constructor(options: Options) {
    this.#o = options;
    const { seats, callId, take, wantsToTalk } = options;
    this.link = new RoomLink({
      seats,
      // A device that only rings may come in between an answer and its seat, which takes the place back.
      isFinal: (code) => endsSession(code) && !(code === CLOSED.takenOver && this.#isPosting),
      askForSeat: async () => {
        // Unless the person asked to talk here and has not got to, nobody has asked for this one: it does not take the
        // call from another device that talks by now.
        const returns = this.#hasSat || !wantsToTalk();
        const { call, seat } = await seats.ask<CallAndSeat>(`/calls/${callId}/join`, { returns });
        take(call);
        return seat;
      },
    });
    this.link.on('up', () => {
      this.#hasSat = true;
    });
    this.link.on('patch', () => {
      this.#patches += 1;
    });
  }

  /** A message of the room's that answers with the call. */
  async say(type: string, body?: object): Promise<void> {
    const { call } = await this.link.request<{ call: Call }>(type, body);
    this.#o.take(call);
  }

  /** Until the room is there, which it soon is where it is at all. */
  async seated(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (state: LinkState) => {
      if (state === 'connected' || state === 'closed') resolve();
    };
    const forget = this.link.on('state', look);
    look(this.link.state);
    await Promise.race([promise, pause(ROOM_ANSWER_MS)]);
    forget();
  }

  async command(command: Command, body?: object): Promise<void> {
    // Who answers or declines is not to keep the other waiting.
    const isUrgent = command === 'answer' || command === 'reject';
    let wasLost = false;
    if (this.link.state === 'connected') {
      try {
        const saying = this.say(MESSAGE_OF[command], body);
        return await (isUrgent ? within(saying, ROOM_ANSWER_MS) : saying);
      } catch (error) {
        // A socket may be dead without knowing.
        wasLost = error instanceof DuetApiError && error.code === 'NETWORK';
        if (!wasLost || !isUrgent) throw error;
      }
    }
    // Another device has the seat: answered from here, the other would talk to nobody.
    if (command === 'answer' && this.link.state === 'closed') throw DuetApiError.network();
    const patches = this.#patches;
    const call = await this.#post(command, body).catch((error) => {
      // The room had heard; only what it said was lost.
      if (!wasLost || !(error instanceof DuetApiError) || error.code !== 'WRONG_PHASE') throw error;
      return this.read();
    });
    if (patches === this.#patches || call.phase === 'ended') this.#o.take(call);
  }

  /** Tells of hanging up until the server answers, or until a time by its clock. False where it refuses: it was over already. */
  async end(untilMs: number): Promise<boolean> {
    if (this.link.state === 'connected') {
      const isAnswered = this.say(MESSAGE_OF.end).then(
        () => true,
        () => false,
      );
      if (await Promise.race([isAnswered, pause(ROOM_ANSWER_MS)])) return true;
    }
    for (let attempt = 0; this.#o.clock.now() < untilMs; attempt++) {
      try {
        this.#o.take(await this.#ask('end'));
        return true;
      } catch (error) {
        if (error instanceof DuetApiError && !error.isTemporary) return false;
      }
      await pause(backoffMs(attempt));
    }
    return true;
  }

  /** What HTTP knows of the call. */
  async read(): Promise<Call> {
    return (await this.#o.http.get<{ call: Call }>(`/calls/${this.#o.callId}`)).call;
  }

  async #post(command: Command, body?: object): Promise<Call> {
    if (command === 'reject') return await persist(() => this.#ask(command, body));
    if (command !== 'answer') return await this.#ask(command, body);
    this.#isPosting = true;
    const path = `/calls/${this.#o.callId}/answer`;
    const { call, seat } = await this.#o.seats.insist<CallAndSeat>(path, body).finally(() => {
      this.#isPosting = false;
    });
    // By one that was asked for while it rang it would be another device's to take over.
    this.link.sit(seat);
    return call;
  }

  async #ask(command: Command | 'end', body?: object): Promise<Call> {
    const path = `/calls/${this.#o.callId}/${command}`;
    return (await this.#o.http.post<{ call: Call }>(path, body)).call;
  }
}
