import type { Call } from './state.ts';

/** What a seat in a call says of how it was asked for; stored with its reservation. */
export interface SeatTerms {
  /** The how many-th seat of the room it is. */
  nth: number;
  /** Whether the call rang for this person when the seat was asked for: whoever takes it may only be waiting to answer. */
  waits: boolean;
  /** Whether the client asked by itself, because it had lost its room. */
  returns: boolean;
}

interface Taken {
  nth: number;
  /** The sign-in of the device. */
  sessionId: string;
  /** Whether its person talks there, or only waits to answer. */
  talks: boolean;
}

/**
 * Which device of a person has the seat in a call, where there is one a person and the last to come in takes it over: but
 * no join that was long on its way from who asked later, and where somebody talks, no device that comes in by itself
 * (because it rang there, or because it had lost its room).
 */
export class CallSeats<Client extends object> {
  #given = 0;
  readonly #taken = new WeakMap<Client, Taken>();

  /** The terms of the next seat in `call`, for one of its people. */
  give({ phase, calleeId }: Call, userId: string, returns: boolean): SeatTerms {
    this.#given += 1;
    return { nth: this.#given, waits: phase === 'ringing' && userId === calleeId, returns };
  }

  /** Takes a seat among the clients of the same person that are there; false, where one of them keeps it. */
  take(client: Client, { nth, waits, returns }: SeatTerms, sessionId: string, others: Client[]): boolean {
    const isKept = others.some((other) => {
      const seat = this.#taken.get(other);
      if (seat === undefined) return false;
      const isOtherDevice = seat.sessionId !== sessionId;
      return seat.nth > nth || (seat.talks && (waits || (returns && isOtherDevice)));
    });
    if (!isKept) this.#taken.set(client, { nth, sessionId, talks: !waits });
    return !isKept;
  }

  /** A client answers: from now on its person talks there. */
  answers(client: Client): void {
    const seat = this.#taken.get(client);
    if (seat !== undefined) seat.talks = true;
  }
}
