import type { types } from 'mediasoup';
import { DuetError } from '../errors.ts';
import { ICE_CONSENT_TIMEOUT_SEC, INITIAL_OUTGOING_BPS } from './codecs.ts';
import type { WorkerProcess } from './WorkerProcess.ts';

/** A call's router on its worker: how things are made there, given up and closed. It holds no rule of a call. */
export class CallRouter {
  readonly process: WorkerProcess;
  readonly #router: types.Router;
  #rtpCapabilities: types.RtpCapabilities | undefined;
  readonly #transports = new Set<types.Transport>();
  #closed = false;

  constructor(process: WorkerProcess, router: types.Router) {
    this.process = process;
    this.#router = router;
    router.observer.on('newtransport', (transport) => {
      this.#transports.add(transport);
      transport.observer.once('close', () => this.#transports.delete(transport));
    });
  }

  get rtpCapabilities(): types.RtpCapabilities {
    // mediasoup makes a deep copy on every reading; nobody changes this one.
    this.#rtpCapabilities ??= this.#router.rtpCapabilities;
    return this.#rtpCapabilities;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closed, or its worker is gone: nothing can be asked of it any more. */
  get over(): boolean {
    return this.#closed || !this.process.alive;
  }

  /** Throws `CALL_NOT_ACTIVE` after `close`, `UNAVAILABLE` when the worker is gone. */
  assertUsable(): void {
    if (this.#closed) throw new DuetError('CALL_NOT_ACTIVE');
    if (!this.process.alive) throw new DuetError('UNAVAILABLE');
  }

  /** A transport on the worker's one port. Only the SFU's own candidates exist; there is no data channel. */
  openTransport(isWanted: () => boolean): Promise<types.WebRtcTransport> {
    const open = () =>
      this.#router.createWebRtcTransport({
        webRtcServer: this.process.server,
        enableUdp: true,
        enableTcp: true,
        preferUdp: true,
        enableSctp: false,
        iceConsentTimeout: ICE_CONSENT_TIMEOUT_SEC,
        initialAvailableOutgoingBitrate: INITIAL_OUTGOING_BPS,
      });
    return this.make('open', open, isWanted);
  }

  /** The SFU's addresses as clients reach them: TCP by the gate, on the same port as UDP. */
  candidatesOf({ iceCandidates }: types.WebRtcTransport): types.IceCandidate[] {
    const { port } = this.process;
    return iceCandidates.map((candidate) =>
      candidate.protocol === 'tcp' ? { ...candidate, port } : candidate,
    );
  }

  /**
   * Makes something on the worker. By the time that it is there it may no longer be wanted: it is closed then, and
   * the caller gets `CONFLICT` (or why the router itself is unusable). A refusal becomes `VALIDATION_FAILED`.
   */
  async make<T extends { close(): void }>(
    what: string,
    make: () => Promise<T>,
    isWanted: () => boolean,
  ): Promise<T> {
    const options = { refusedAs: 'VALIDATION_FAILED', late: (value: T) => this.drop(value) } as const;
    const made = await this.process.ask(what, make, options).catch((error) => {
      // What it was to be made on was closed in the meantime.
      if (!this.over && !isWanted()) throw new DuetError('CONFLICT');
      throw error;
    });
    if (this.#closed || !isWanted()) {
      this.drop(made);
      this.assertUsable();
      throw new DuetError('CONFLICT');
    }
    return made;
  }

  /** A request whose answer nobody waits for. It may find its object closed in the meantime. */
  tell(what: string, request: () => Promise<void>): void {
    if (this.over) return;
    this.process.ask(what, request, { refusedAs: 'NOT_FOUND' }).catch(() => undefined);
  }

  /** Closes a transport, producer or consumer. */
  drop(item: { close(): void }): void {
    this.process.drop(item);
  }

  /** Closes the router with everything on it; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // One by one: of transports that only their router closes, mediasoup (3.27) keeps every one in its WebRtcServer for as
    // long as the worker lives, and with it all that listens to it: the call and its room.
    for (const transport of this.#transports) this.drop(transport);
    this.drop(this.#router);
  }
}
