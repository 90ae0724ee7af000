import { type Clock, inTime, type Timer } from '../clock.ts';
import { DuetError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CallMedia } from './CallMedia.ts';
import type { CallMediaOptions } from './callMediaPort.ts';
import { ROUTER_CODECS } from './codecs.ts';
import { logMediasoup } from './spawnWorker.ts';
import { type LostCause, WorkerProcess } from './WorkerProcess.ts';

export type MediaWorkersOptions = {
  /** How many worker processes; one per core is the most that is of use. */
  count: number;
  /** Address that the workers listen on. */
  listenIp: string;
  /** Address that clients are told instead of `listenIp`; needed where that is not one they can reach. */
  announcedAddress?: string | undefined;
  /** Worker `i` listens on `basePort + i`, UDP and TCP; 0 takes free ports. */
  basePort: number;
  /** Path of the worker binary; absent, `MEDIASOUP_WORKER_BIN` as mediasoup reads it, or its own build. */
  workerBin?: string | undefined;
  /** Told of every loss, for metrics. */
  onWorkerLost?: (lost: { index: number; cause: LostCause; calls: number }) => void;
  log: Log;
  clock: Clock;
  /** What an address is counted by, of which so many connections may come. Itself, by default. */
  addressKey?: (address: string) => string;
};

export type MediaHealth = { workers: number; alive: number; calls: number };

/** A place for a worker: its process, or none while it is being replaced. */
type Slot = {
  index: number;
  process: WorkerProcess | null;
  calls: Set<CallMedia>;
  /** Calls that are being placed on it. */
  placing: number;
  /** Losses in a row of processes that did not live long. */
  failures: number;
  retry: Timer | null;
  /** The last port of a slot that takes free ones: its replacement tries the same first. */
  port: number;
};

/** A process that lived this long was not part of a crash loop, milliseconds. */
const STABLE_AFTER_MS = 3_000;
const BACKOFF_FIRST_MS = 250;
/** Less than a new call waits for a worker. */
const BACKOFF_MOST_MS = 2_000;
/** How long the operating system may take to end a killed process before its port is asked for again. */
const REAP_TIMEOUT_MS = 500;
/** How long a new call waits for a worker when none is alive. */
const WORKER_WAIT_MS = 3_000;
/** A call is tried on so many workers before it is refused. */
const CREATE_TRIES = 2;

/** The SFU: a fixed number of mediasoup workers, each replaced when it is lost, and the calls placed on them. */
export class MediaWorkers {
  readonly #options: MediaWorkersOptions;
  readonly #slots: Slot[];
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** Starts all workers. Throws an `Error` when one does not start or its port is taken. */
  static async start(options: MediaWorkersOptions): Promise<MediaWorkers> {
    if (['0.0.0.0', '::', '::0'].includes(options.listenIp) && options.announcedAddress === undefined) {
      throw new Error(
        'Media that listens on every address needs an address to announce (MEDIA_ANNOUNCED_ADDRESS).',
      );
    }
    logMediasoup(options.log);
    const workers = new MediaWorkers(options);
    const started = await Promise.allSettled(workers.#slots.map((slot) => workers.#fill(slot)));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      await workers.close();
      throw failed.reason;
    }
    return workers;
  }

  private constructor(options: MediaWorkersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      process: null,
      calls: new Set<CallMedia>(),
      placing: 0,
      failures: 0,
      retry: null,
      port: options.basePort === 0 ? 0 : options.basePort + index,
    }));
  }

  get health(): MediaHealth {
    return {
      workers: this.#slots.length,
      alive: this.#slots.filter((slot) => slot.process?.alive).length,
      calls: this.#slots.reduce((calls, slot) => calls + slot.calls.size, 0),
    };
  }

  /** The live processes, for tests and diagnosis. */
  get processes(): WorkerProcess[] {
    return this.#slots.flatMap((slot) => (slot.process?.alive ? [slot.process] : []));
  }

  /**
   * A router for one call on the worker with the fewest calls. Waits up to three seconds for a worker when none is
   * alive; throws `DuetError` `UNAVAILABLE` after that and after `close`.
   */
  async createCall(options: CallMediaOptions): Promise<CallMedia> {
    for (let tries = 1; ; tries += 1) {
      const { slot, process } = await this.#reserve();
      try {
        return await this.#place(slot, process, options);
      } catch (error) {
        if (this.#closed || tries === CREATE_TRIES) throw error;
      } finally {
        slot.placing -= 1;
      }
    }
  }

  /** Ends every call's media and every worker process. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of [...this.#waiting]) wake();
    await Promise.all(
      this.#slots.map(async (slot) => {
        slot.retry?.cancel();
        for (const call of [...slot.calls]) call.close();
        await slot.process?.close();
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #place(slot: Slot, process: WorkerProcess, options: CallMediaOptions): Promise<CallMedia> {
    const router = await process.ask(
      'create_router',
      () => process.worker.createRouter({ mediaCodecs: ROUTER_CODECS }),
      {
        late: (late) => process.drop(late),
      },
    );
    if (this.#closed || !process.alive) {
      process.drop(router);
      throw new DuetError('UNAVAILABLE');
    }
    const { clock, log } = this.#options;
    const call = new CallMedia(options, {
      process,
      router,
      clock,
      log,
      onClose: () => slot.calls.delete(call),
    });
    slot.calls.add(call);
    return call;
  }

  /**
   * The worker with the fewest calls, counting the one that is about to be placed: calls that start at once must
   * not all land on one.
   */
  async #reserve(): Promise<{ slot: Slot; process: WorkerProcess }> {
    const deadline = this.#options.clock.now() + WORKER_WAIT_MS;
    while (!this.#closed) {
      let best: { slot: Slot; process: WorkerProcess } | null = null;
      for (const slot of this.#slots) {
        if (slot.process?.alive && (best === null || load(slot) < load(best.slot)))
          best = { slot, process: slot.process };
      }
      if (best !== null) {
        best.slot.placing += 1;
        return best;
      }
      const waitMs = deadline - this.#options.clock.now();
      if (waitMs <= 0) break;
      await this.#nextWorker(waitMs);
    }
    throw new DuetError('UNAVAILABLE');
  }

  /** Resolves when a worker has come up, or after `waitMs`, or when the pool closes. */
  #nextWorker(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = this.#options.clock.after(waitMs, wake);
      this.#waiting.add(wake);
    });
  }

  /** Starts a process for a slot; throws when it does not start. */
  async #fill(slot: Slot): Promise<void> {
    const { listenIp, announcedAddress, workerBin, clock, log, basePort, addressKey } = this.#options;
    const start = (port: number) =>
      WorkerProcess.start({ listenIp, announcedAddress, workerBin, clock, log, port, addressKey });
    // A replacement on a free port tries the old one first: a firewall or a client may know it.
    const process = await start(slot.port).catch((error) => {
      if (basePort > 0 || slot.port === 0) throw error;
      return start(0);
    });
    if (this.#closed) return process.close();
    slot.process = process;
    slot.port = process.port;
    process.onLost((cause) => this.#lost(slot, process, cause));
    log.info({ worker: process.worker.pid, index: slot.index, port: process.port }, 'A media worker is up.');
    for (const wake of [...this.#waiting]) wake();
  }

  #lost(slot: Slot, process: WorkerProcess, cause: LostCause): void {
    const { clock, onWorkerLost } = this.#options;
    slot.process = null;
    slot.failures = clock.now() - process.startedAt >= STABLE_AFTER_MS ? 1 : slot.failures + 1;
    onWorkerLost?.({ index: slot.index, cause, calls: slot.calls.size });
    this.#refill(slot, process.exited);
  }

  /** Replaces a lost process: at once the first time, then later and later while its replacements are lost too. */
  #refill(slot: Slot, exited: Promise<void>): void {
    const { clock, log } = this.#options;
    if (this.#closed) return;
    slot.retry = clock.after(backoffMs(slot.failures), async () => {
      slot.retry = null;
      // A port asked for by number is free only when the old process is gone.
      await inTime(clock, REAP_TIMEOUT_MS, exited);
      if (this.#closed) return;
      try {
        await this.#fill(slot);
      } catch (err) {
        slot.failures += 1;
        log.error(
          { err, index: slot.index, failures: slot.failures },
          'A media worker could not be replaced.',
        );
        this.#refill(slot, Promise.resolve());
      }
    });
  }
}

function load(slot: Slot): number {
  return slot.calls.size + slot.placing;
}

function backoffMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(BACKOFF_FIRST_MS * 2 ** (failures - 2), BACKOFF_MOST_MS);
}
