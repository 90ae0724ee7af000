import type { types } from 'mediasoup';

/** A transport and whose it is. */
export type Intake = { userId: string; transport: types.WebRtcTransport };

type Counted = Pick<types.WebRtcTransportStat, 'bytesReceived' | 'timestamp'>;
type Reading = { userId: string; stat: types.WebRtcTransportStat };

/**
 * Measures how much each person sends to the SFU: all bytes of all their transports, whatever they are and whether or
 * not anybody wants them, for the worker has to decrypt and to read each.
 */
export class IntakeMeter {
  readonly #roundMs: number;
  readonly #last = new Map<string, Counted>();
  /** By person, what transports that were closed since the last round had received in it, bits per second of a round. */
  #closed = new Map<string, number>();

  constructor(roundMs: number) {
    this.#roundMs = roundMs;
  }

  /** Takes one round's statistics; → bits per second since the one before, by person. */
  take(readings: Reading[]): Map<string, number> {
    const sums = this.#closed;
    this.#closed = new Map();
    for (const { userId, stat } of readings) {
      sums.set(userId, (sums.get(userId) ?? 0) + this.#bps(stat));
      this.#last.set(stat.transportId, stat);
    }
    return sums;
  }

  /** Takes a closed transport's last statistics: opening another does not hide what came before. */
  takeClosed({ userId, stat }: Reading): void {
    const sinceBytes = stat.bytesReceived - (this.#last.get(stat.transportId)?.bytesReceived ?? 0);
    this.#closed.set(userId, (this.#closed.get(userId) ?? 0) + (sinceBytes * 8_000) / this.#roundMs);
  }

  forgetAllBut(transportIds: ReadonlySet<string>): void {
    for (const id of this.#last.keys()) if (!transportIds.has(id)) this.#last.delete(id);
  }

  #bps({ transportId, bytesReceived, timestamp }: types.WebRtcTransportStat): number {
    const before = this.#last.get(transportId);
    // What is new was opened since the last round.
    const [bytes, ms] =
      before === undefined
        ? [bytesReceived, this.#roundMs]
        : [bytesReceived - before.bytesReceived, Math.max(timestamp - before.timestamp, 1)];
    return (bytes * 8_000) / ms;
  }
}
