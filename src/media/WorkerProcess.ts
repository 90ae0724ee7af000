import { randomInt } from 'node:crypto';
import type { types } from 'mediasoup';
import { errors } from 'mediasoup';
import type { Clock, Timer } from '../clock.ts';
import { DuetError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { spawnWorker } from './spawnWorker.ts';
import { TcpGate } from './TcpGate.ts';

/** Why a worker was lost: its process ended, or it stopped answering and was killed, or its channel was broken. */
export type LostCause = 'died' | 'hung' | 'wedged';

export type WorkerOptions = {
  listenIp: string;
  announcedAddress: string | undefined;
  /** Port of its WebRtcServer, UDP and TCP; 0 takes a free one. */
  port: number;
  workerBin: string | undefined;
  clock: Clock;
  log: Log;
  /** What an address is counted by (`TcpGate`). Itself, by default. */
  addressKey?: ((address: string) => string) | undefined;
};

type Asked<T> = {
  /** What a client's request that the worker refuses is answered with. Default: a bug, `INTERNAL_SERVER_ERROR`. */
  refusedAs?: ErrorCode;
  /** Gets an answer that came after the time-out, so that what was made can be closed. */
  late?: (value: T) => void;
};

/** A worker answers in well under a millisecond; one that needs this long is not answering, milliseconds. */
const REQUEST_TIMEOUT_MS = 2_000;

/** The watchdog: how often a worker is asked, and for how long it may be silent, milliseconds. */
export const PROBE_EVERY_MS = 500;
export const PROBE_TIMEOUT_MS = 1_300;

/** Starting a process takes some 50 ms; on a machine that is busy with other things, longer. */
const START_TIMEOUT_MS = 10_000;
const FREE_PORT_TRIES = 30;
const CLOSE_TIMEOUT_MS = 1_000;

/** A worker's WebRtcServer and the port that it is reached at from outside: UDP directly, TCP through the gate. */
type Listening = { server: types.WebRtcServer; gate: TcpGate; port: number };

/**
 * One live mediasoup worker with its WebRtcServer. Every request to it goes through `ask`: mediasoup's own never
 * settle when the worker hangs.
 */
export class WorkerProcess {
  readonly worker: types.Worker;
  readonly server: types.WebRtcServer;
  readonly port: number;
  /** When it was started, epoch milliseconds. */
  readonly startedAt: number;

  readonly #clock: Clock;
  readonly #log: Log;
  readonly #gate: TcpGate;
  readonly #exited: Promise<void>;
  readonly #waiting = new Set<() => void>();
  readonly #onLost = new Set<(cause: LostCause) => void>();
  #lost: LostCause | 'closed' | null = null;
  #probe: Promise<void> | null = null;
  #nextProbe: Timer;

  /** Starts a worker and its server; throws what mediasoup throws, or an `Error` when no port could be had. */
  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const spawned = spawnWorker(options.workerBin);
    const worker = await within(options.clock, spawned, 'worker start', START_TIMEOUT_MS).catch((error) => {
      // One that comes up after all must not stay behind.
      spawned.then((late) => kill(late.pid)).catch(() => undefined);
      throw error;
    });
    try {
      const listening = await listen(worker, options);
      // It may have died after its last answer, when nobody listened for that yet.
      if (worker.closed) {
        listening.gate.close();
        throw new Error('A media worker died while it started.');
      }
      return new WorkerProcess(worker, listening, options);
    } catch (error) {
      kill(worker.pid);
      throw error;
    }
  }

  private constructor(worker: types.Worker, { server, gate, port }: Listening, options: WorkerOptions) {
    this.worker = worker;
    this.server = server;
    this.#gate = gate;
    this.port = port;
    this.#clock = options.clock;
    this.#log = options.log.child({ worker: worker.pid });
    this.startedAt = this.#clock.now();
    this.#exited = new Promise((resolve) => worker.once('subprocessclose', resolve));
    worker.once('died', () => this.#lose('died'));
    this.#nextProbe = this.#clock.after(PROBE_EVERY_MS, () => void this.probe());
  }

  get alive(): boolean {
    return this.#lost === null;
  }

  /** Resolves when the operating system has reaped the process. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  /** Calls `listener` once when the worker is lost; not when it was closed. Returns how to unsubscribe. */
  onLost(listener: (cause: LostCause) => void): () => void {
    this.#onLost.add(listener);
    return () => this.#onLost.delete(listener);
  }

  /**
   * Makes one request. Throws `DuetError`: `UNAVAILABLE` when the worker is lost or does not answer in time,
   * `refusedAs` when it (or mediasoup before it) refuses.
   */
  async ask<T>(what: string, request: () => Promise<T>, { refusedAs, late }: Asked<T> = {}): Promise<T> {
    if (!this.alive) throw new DuetError('UNAVAILABLE');
    let timedOut = false;
    const answer = request();
    answer.then(
      (value) => timedOut && late?.(value),
      () => undefined,
    );
    try {
      return await this.#patiently(answer);
    } catch (error) {
      if (error instanceof SilentWorker) {
        timedOut = true;
        if (this.alive) this.#log.warn({ what }, 'A media worker did not answer in time.');
        throw new DuetError('UNAVAILABLE', { cause: error });
      }
      if (error instanceof errors.WorkerClosedError || !this.alive) {
        throw new DuetError('UNAVAILABLE', { cause: error });
      }
      // A serialiser that threw may have left the builder unusable; the probe finds out at once.
      void this.probe();
      if (refusedAs === undefined) this.#log.error({ what, err: error }, 'A media worker refused a request.');
      throw new DuetError(refusedAs ?? 'INTERNAL_SERVER_ERROR', { cause: error });
    }
  }

  /** Closes a router, transport, producer or consumer. mediasoup's `close` throws on a broken channel. */
  drop(item: { close(): void }): void {
    if (!this.alive) return;
    try {
      item.close();
    } catch {
      void this.probe();
    }
  }

  /** Asks for a sign of life; kills the worker when there is none. At most one runs at a time. */
  probe(): Promise<void> {
    this.#probe ??= this.#runProbe().finally(() => {
      this.#probe = null;
    });
    return this.#probe;
  }

  /** Ends the process: politely, and after a second by force. Resolves when it is gone. */
  async close(): Promise<void> {
    if (this.alive) {
      this.#end('closed');
      try {
        this.worker.close();
      } catch {
        kill(this.worker.pid);
      }
    }
    const force = this.#clock.after(
      CLOSE_TIMEOUT_MS,
      () => !this.worker.subprocessClosed && kill(this.worker.pid),
    );
    if (!this.worker.subprocessClosed) await this.#exited;
    force.cancel();
  }

  async #runProbe(): Promise<void> {
    this.#nextProbe.cancel();
    if (!this.alive) return;
    try {
      await within(this.#clock, this.worker.getResourceUsage(), 'probe', PROBE_TIMEOUT_MS);
    } catch (error) {
      if (this.alive && !this.worker.died) this.#lose(error instanceof SilentWorker ? 'hung' : 'wedged');
      return;
    }
    if (this.alive) this.#nextProbe = this.#clock.after(PROBE_EVERY_MS, () => void this.probe());
  }

  /** The answer, or a `SilentWorker` after the time-out or as soon as the worker is lost. */
  #patiently<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        settle();
        reject(new SilentWorker('The worker is gone.'));
      };
      const settle = () => this.#waiting.delete(giveUp);
      this.#waiting.add(giveUp);
      within(this.#clock, answer, 'request').then(resolve, reject).finally(settle);
    });
  }

  #lose(cause: LostCause): void {
    if (!this.alive) return;
    this.#end(cause);
    if (cause !== 'died') kill(this.worker.pid);
    this.#log.error({ cause }, 'A media worker was lost.');
    for (const listener of [...this.#onLost]) listener(cause);
    this.#onLost.clear();
  }

  #end(reason: LostCause | 'closed'): void {
    this.#lost = reason;
    this.#gate.close();
    this.#nextProbe.cancel();
    for (const giveUp of [...this.#waiting]) giveUp();
  }
}

class SilentWorker extends Error {}

/**
 * `answer`, or a `SilentWorker` error after `timeoutMs`. Where this process itself was what stood still, the answer
 * is already in the socket when the timer fires: two turns of the event loop let it through first.
 */
function within<T>(
  clock: Clock,
  answer: Promise<T>,
  what: string,
  timeoutMs = REQUEST_TIMEOUT_MS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => {
      setImmediate(() => setImmediate(() => reject(new SilentWorker(`No answer: ${what}.`))));
    });
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** Opens the WebRtcServer: UDP and TCP on one port. A port that is asked for by number is taken or not at all. */
async function listen(worker: types.Worker, options: WorkerOptions): Promise<Listening> {
  const ports = options.port > 0 ? [options.port] : Array.from({ length: FREE_PORT_TRIES }, randomPort);
  let reason: unknown;
  for (const port of ports) {
    try {
      return await listenOn(worker, port, options);
    } catch (error) {
      reason = error;
    }
  }
  throw new Error(`A media worker cannot listen on port ${options.port} (0: any free one).`, {
    cause: reason,
  });
}

async function listenOn(worker: types.Worker, port: number, options: WorkerOptions): Promise<Listening> {
  const { clock, listenIp, announcedAddress = listenIp, addressKey } = options;
  const listenInfos: types.TransportListenInfo[] = [
    { protocol: 'udp', ip: listenIp, port, announcedAddress },
    // A port of its choosing; `CallRouter.candidatesOf` names the gate's.
    { protocol: 'tcp', ip: '127.0.0.1', announcedAddress },
  ];
  const server = await within(clock, worker.createWebRtcServer({ listenInfos }), 'listen');
  try {
    const { tcpServers } = await within(clock, server.dump(), 'listen');
    const to = tcpServers[0]!.port;
    return { server, gate: await TcpGate.open({ listenIp, port, to, clock, addressKey }), port };
  } catch (error) {
    server.close();
    throw error;
  }
}

function randomPort(): number {
  return randomInt(20_000, 60_000);
}

/** SIGKILL, also for a stopped process. It may be gone already. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone: what was wanted.
  }
}
