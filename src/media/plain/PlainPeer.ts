import type { Clock, Timer } from '../../clock.ts';
import { DuetError } from '../../errors.ts';
import type { CallMedia } from '../CallMedia.ts';
import { PlainConnection } from './PlainConnection.ts';
import { invalid, type RemoteSession, readSession } from './readSession.ts';
import type { Section } from './sections.ts';

/** The messages that hand a description to a client. */
export type SdpMessage = 'call:sdp_offer' | 'call:sdp_answer';

export type PlainPeerOptions = {
  media: CallMedia;
  userId: string;
  peerId: string;
  clock: Clock;
  /** Hands a description to the person's client. */
  say(type: SdpMessage, sdp: string): void;
};

/** For how long an offer that is not answered keeps the client's own out. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Changes are gathered for so long before they are offered; also lets the answer before go out first. */
const GATHER_MS = 10;
/** Descriptions of one client's that may be at work or wait for their turn. */
const MAX_WAITING = 4;

/**
 * A person whose client is a bare RTCPeerConnection, driven by session descriptions: whose turn it is to describe, one after
 * the other. What a description asks for is done by `PlainConnection`.
 *
 * Either side may offer. Of two offers that cross, the server's counts (it is the "impolite" peer of perfect
 * negotiation): the client's is refused with `CONFLICT`, and it rolls back, answers and offers again.
 */
export class PlainPeer {
  readonly #options: PlainPeerOptions;
  #connection: PlainConnection | null = null;
  /** An offer that the client has not answered: what will hold when it does, however late, or offers itself. */
  #offered: { sections: Section[]; lapsesAtMs: number } | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #gather: Timer | null = null;
  #closed = false;

  constructor(options: PlainPeerOptions) {
    this.#options = options;
  }

  /** An offer of the client's; answered with `call:sdp_answer`. Throws `VALIDATION_FAILED`, `CONFLICT`. */
  offer(sdp: string): Promise<void> {
    const remote = readSession(sdp);
    return this.#described(async () => {
      const connection = await this.#connect(remote);
      const lapsesAtMs = this.#offered?.lapsesAtMs ?? 0;
      if (this.#options.clock.now() < lapsesAtMs) throw new DuetError('CONFLICT');
      await connection.takeOffer(remote, this.#offered?.sections);
      this.#offered = null;
      await connection.noteIce(remote);
      this.#options.say('call:sdp_answer', connection.describe('answer'));
      this.changed();
    });
  }

  /** The client's answer to the last offer. Throws `CONFLICT` when there is none, `VALIDATION_FAILED`. */
  answer(sdp: string): Promise<void> {
    const remote = readSession(sdp);
    return this.#described(async () => {
      const [connection, offered] = [this.#connection, this.#offered];
      if (connection === null || offered === null) throw new DuetError('CONFLICT');
      if (!connection.isAnswer(offered.sections, remote)) invalid('does not answer the offer');
      this.#offered = null;
      await connection.takeAnswer(offered.sections, remote);
      this.changed();
    });
  }

  /** Something changed that may have to be offered: the other's producers, or what may flow. */
  changed(): void {
    if (this.#closed || this.#connection === null || this.#gather !== null) return;
    this.#gather = this.#options.clock.after(GATHER_MS, () => {
      // A worker that is lost meanwhile takes this peer with it; anything else is tried at the next change.
      this.#inTurn(() => {
        this.#gather = null;
        return this.#offerIfNeeded();
      }).catch(() => undefined);
    });
  }

  /** Forgets everything; what is in `CallMedia` is closed by `CallMedia.leave`. */
  close(): void {
    this.#closed = true;
    this.#gather?.cancel();
    this.#connection = null;
  }

  /** What a description of the client's asks for, in its turn. */
  #described(run: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(new DuetError('CONFLICT'));
    this.#waiting += 1;
    return this.#inTurn(run).finally(() => {
      this.#waiting -= 1;
    });
  }

  /**
   * One description at a time: each depends on what the one before has made. Of the server's own at most one waits,
   * whatever the client sends.
   */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => {
      if (this.#closed) throw new DuetError('CONFLICT');
      return run();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** The RTCPeerConnection that a description is of; another one replaces the one before. */
  async #connect(remote: RemoteSession): Promise<PlainConnection> {
    if (this.#connection?.isOf(remote)) return this.#connection;
    this.#offered = null;
    this.#connection = null;
    const connection = await PlainConnection.open(this.#options, remote);
    if (this.#closed) throw new DuetError('CONFLICT');
    this.#connection = connection;
    return connection;
  }

  async #offerIfNeeded(): Promise<void> {
    const connection = this.#connection;
    const { clock, say } = this.#options;
    if (connection === null || this.#offered !== null) return;
    const sections = await connection.propose();
    if (sections === undefined || this.#closed) return;
    this.#offered = { sections, lapsesAtMs: clock.now() + ANSWER_TIMEOUT_MS };
    say('call:sdp_offer', connection.describe('offer', sections));
  }
}
