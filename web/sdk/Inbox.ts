import { CLOSED } from './closeCodes.ts';
import { Emitter } from './Emitter.ts';
import { type LinkState, RoomLink } from './RoomLink.ts';
import type { Seats } from './Seats.ts';
import type { Delivery, InboxEvents, Seat } from './types.ts';

type Extras = {
  /** Some events are lost for good: reload what they would have told. */
  resync: Delivery;
  state: LinkState;
  /** The session was ended by the server. */
  revoked: undefined;
};

/** An earlier release does not say after which event it begins. */
type SeatAndPosition = { seat: Seat; position?: Pick<Delivery, 'epoch' | 'seq'> };

/** Acknowledgements are gathered for this long, so that a burst of events costs one. */
const ACK_AFTER_MS = 200;
/** A gap is asked for again at most this often. */
const REPLAY_EVERY_MS = 2_000;

/**
 * The user's inbox: every event once and in order, over drops and restarts.
 *
 * The server delivers at least once. What was seen already, by `(epoch, seq)`, is acknowledged and dropped; a gap is
 * replayed; what cannot be replayed any more is told as `resync`.
 */
export class Inbox extends Emitter<InboxEvents & Extras> {
  readonly #link: RoomLink;
  #epoch: Delivery['epoch'] | undefined;
  #lastSeq = 0;
  /** When that one was told: a log that lost its end has told another one by that number. */
  #lastAt: Delivery['at'] | undefined;
  #replayAskedAt = Number.NEGATIVE_INFINITY;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  /** Whether where this device begins is where the server does. */
  #isFirstSeat = true;

  constructor(seats: Seats) {
    super();
    this.#link = new RoomLink({
      seats,
      isFinal: (code) => code === CLOSED.revoked,
      askForSeat: async () => {
        const { seat, position } = await seats.ask<SeatAndPosition>('/realtime/inbox');
        this.#isFirstSeat = this.#epoch === undefined;
        if (this.#isFirstSeat && position) {
          this.#epoch = position.epoch;
          this.#lastSeq = position.seq;
        }
        return seat;
      },
    });
    // The server begins after what any device of this person's has acknowledged, which may be more than this one heard.
    this.#link.on('up', () => {
      if (!this.#isFirstSeat) this.#sendReplay();
    });
    this.#link.on('message', ({ type, payload }) => this.#receive(type, payload));
    this.#link.on('state', (state) => this.emit('state', state));
    this.#link.on('closed', ({ code }) => {
      if (code === CLOSED.revoked) this.emit('revoked', undefined);
    });
  }

  get state(): LinkState {
    return this.#link.state;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#link.open();
  }

  close(): void {
    clearTimeout(this.#ackTimer);
    this.#link.close();
    this.clear();
  }

  #receive(type: string, payload: unknown): void {
    if (!isDelivery(payload)) {
      // Some things are said without being logged (a session that was revoked has nobody to replay to).
      this.emit(type as keyof InboxEvents, payload as never);
    } else if (type === 'inbox:resync') {
      this.#epoch = payload.epoch;
      this.#lastSeq = payload.seq;
      this.#lastAt = undefined;
      this.emit('resync', payload);
    } else {
      this.#deliver(type as keyof InboxEvents, payload);
    }
  }

  #deliver(type: keyof InboxEvents, payload: Delivery): void {
    if (payload.epoch !== this.#epoch) {
      this.#epoch = payload.epoch;
      this.#lastSeq = payload.seq - 1;
      this.#lastAt = undefined;
    }
    if (payload.seq > this.#lastSeq + 1) {
      this.#askForReplay();
    } else {
      if (payload.seq > this.#lastSeq) {
        this.#lastSeq = payload.seq;
        this.#lastAt = payload.at;
        this.emit(type, payload as never);
      }
      this.#ackSoon();
    }
  }

  #askForReplay(): void {
    const now = performance.now();
    if (now - this.#replayAskedAt < REPLAY_EVERY_MS) return;
    this.#replayAskedAt = now;
    this.#sendReplay();
  }

  #sendReplay(): void {
    const at = this.#lastAt;
    this.#link.send('inbox:replay', { after: this.#lastSeq, ...(at && { at }) });
  }

  #ackSoon(): void {
    this.#ackTimer ??= setTimeout(() => {
      this.#ackTimer = undefined;
      this.#link.send('inbox:ack', { seq: this.#lastSeq });
    }, ACK_AFTER_MS);
  }
}

function isDelivery(value: unknown): value is Delivery {
  return (
    typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    typeof value.seq === 'number' &&
    'epoch' in value
  );
}
