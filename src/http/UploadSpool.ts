import type { HttpResponse } from 'uWebSockets.js';
import { writev, writevSync } from 'node:fs';
import { promisify } from 'node:util';
import { DuetError } from '../errors.ts';
import type { OpenBodies, OpenBody, Tap } from './body.ts';
import type { RawBody } from './route.ts';
import { closeUnnamed, openUnnamed, Upload } from './Upload.ts';
import type { PlacedUpload } from './UploadPlaces.ts';

/**
 * A large body on its way into a file: as fast as the disk takes it, and no faster. What a client sends beyond that
 * waits in its own socket, so that a hundred uploads at once cost little more memory than one.
 */

/** Above this much in memory the client is made to wait. */
const MAX_QUEUED_BYTES = 128 * 1024;
/**
 * A socket that is told to wait still hands over what its kernel buffer held, some megabytes. When all uploads
 * together hold more than this, that is written at once instead of in its turn: the loop waits for the page cache,
 * half a millisecond a megabyte, and memory stays where it is.
 */
const SPILL_ABOVE_BYTES = 32 * 1024 * 1024;
/** Enough to know any image by. */
const START_BYTES = 16;
/**
 * However steadily it comes: 10 MB at 11 KB/s. Ended sessions must be remembered for longer (`Revocations`): whose it is is
 * asked again when it is there.
 */
const MAX_DURATION_MS = 15 * 60_000;

const writeAll = promisify(writev);

export class UploadSpool implements OpenBody, PlacedUpload {
  older: OpenBody | undefined;
  newer: OpenBody | undefined;
  readonly tap: Tap;
  readonly #rules: RawBody;
  readonly #open: OpenBodies;
  readonly #requester: { readonly userId: string | undefined };
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #bytes = 0;
  #pieces = 0;
  /** The first bytes, until they were looked at. */
  #start: Buffer | undefined = Buffer.alloc(0);
  #isComplete = false;
  #fd: number | undefined;
  /** Where in the file the next piece goes. */
  #offset = 0;
  #isWriting = false;
  /** The file is the handler's now. */
  #isHandedOver = false;
  #failure: DuetError | undefined;
  #waiting: { resolve: (fd: number) => void; reject: (error: DuetError) => void } | undefined;
  deadlineMs: number;
  readonly #lastMs: number;

  /**
   * Made while the request handler runs: uWebSockets.js does not keep what arrives before. `requester` has its `userId`
   * when the upload is allowed.
   */
  constructor(
    res: HttpResponse,
    rules: RawBody,
    open: OpenBodies,
    tap: Tap,
    requester: { readonly userId: string | undefined },
  ) {
    this.tap = tap;
    this.#rules = rules;
    this.#open = open;
    this.#requester = requester;
    this.deadlineMs = open.add(this);
    this.#lastMs = this.deadlineMs + MAX_DURATION_MS;
    res.onData((chunk, isLast) => this.#take(chunk, isLast));
  }

  /** Whether all of it arrived. */
  get complete(): boolean {
    return this.#isComplete;
  }

  /** How many pieces of it arrived, wanted or not. */
  get pieces(): number {
    return this.#pieces;
  }

  get userId(): string {
    return this.#requester.userId ?? '';
  }

  get isArriving(): boolean {
    return !this.#isComplete && this.#failure === undefined;
  }

  /** Whose it is is known: from here on it may be written. Before that it waits, in memory and in its socket. */
  allow(): void {
    if (this.#fd !== undefined || this.#failure !== undefined || this.#isHandedOver) return;
    try {
      this.#open.places.take(this);
      this.#fd = openUnnamed();
    } catch (error) {
      const isRefusal = error instanceof DuetError;
      this.#fail(isRefusal ? error : new DuetError('UNAVAILABLE', { retryAfterSec: 2, cause: error }));
      return;
    }
    void this.#write();
  }

  /**
   * The upload, once all of it is in its file; close it after use. Rejects with 408 when the client stops sending, 413
   * at the cap, 415 as soon as the first bytes are of no such type, 429 or 503 when there are too many at once.
   */
  async receive(contentType: string): Promise<Upload> {
    this.allow();
    const fd = await new Promise<number>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#settle();
    });
    return new Upload(contentType, this.#bytes, fd, () => this.#open.places.leave(this));
  }

  /** Lets go of what was collected; later pieces are not kept. A pending `receive` stays pending for ever. */
  discard(): void {
    if (this.#isHandedOver) return;
    this.#waiting = undefined;
    this.#fail(new DuetError('REQUEST_TIMEOUT'));
  }

  /** The deadline has passed: a client that was made to wait is not to blame. */
  expire(): void {
    if (this.tap.isHeld && this.deadlineMs < this.#lastMs) this.#waitOn();
    else this.#fail(new DuetError('REQUEST_TIMEOUT'));
  }

  giveWay(): void {
    this.#fail(new DuetError('TOO_MANY_REQUESTS', { retryAfterSec: 2 }));
  }

  #waitOn(): void {
    this.deadlineMs = Math.min(this.#open.nextDeadline(), this.#lastMs);
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    this.#pieces++;
    if (this.#failure !== undefined) return;
    const error = this.#keep(Buffer.from(new Uint8Array(chunk)), isLast);
    if (error !== undefined) {
      this.#fail(error);
      return;
    }
    if (isLast) {
      this.#isComplete = true;
      this.#open.remove(this, 0);
    } else {
      this.#waitOn();
      if (this.#queuedBytes > MAX_QUEUED_BYTES) this.tap.hold();
    }
    if (this.#open.heldBytes > SPILL_ABOVE_BYTES) this.#spill();
    void this.#write();
  }

  /** `piece` is a copy: uWebSockets.js takes the memory of what it hands over back. */
  #keep(piece: Buffer, isLast: boolean): DuetError | undefined {
    this.#bytes += piece.length;
    if (this.#bytes > this.#rules.maxBytes) return new DuetError('PAYLOAD_TOO_LARGE');
    if (!this.#looksRight(piece, isLast)) return new DuetError('UNSUPPORTED_MEDIA_TYPE');
    if (!this.#open.hold(piece.length)) return new DuetError('UNAVAILABLE', { retryAfterSec: 2 });
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    return undefined;
  }

  /** Looks at the first bytes as soon as they are there. Nothing at all is left to the handler. */
  #looksRight(piece: Buffer, isLast: boolean): boolean {
    if (this.#start === undefined) return true;
    const start = Buffer.concat([this.#start, piece.subarray(0, START_BYTES)]);
    this.#start = start;
    if (start.length < START_BYTES && !isLast) return true;
    this.#start = undefined;
    return start.length === 0 || this.#rules.looksRight?.(start) !== false;
  }

  #goOn(): void {
    if (!this.tap.isHeld) return;
    this.#waitOn();
    this.tap.release();
  }

  /** Writes what is queued until nothing is. One writer at a time. */
  async #write(): Promise<void> {
    if (this.#isWriting || this.#fd === undefined) return;
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const { pieces, bytes, offset } = this.#takeQueue();
        const { bytesWritten } = await writeAll(this.#fd, pieces, offset).finally(() =>
          this.#open.letGo(bytes),
        );
        if (bytesWritten !== bytes) throw new Error('The disk took less than it was given.');
        this.#goOn();
      }
      this.#goOn();
    } catch (error) {
      this.#fail(new DuetError('UNAVAILABLE', { cause: error }));
    }
    this.#isWriting = false;
    this.#settle();
  }

  /** Writes what is queued, now. It has its place in the file, whatever else is being written. */
  #spill(): void {
    if (this.#fd === undefined || this.#queue.length === 0) return;
    const { pieces, bytes, offset } = this.#takeQueue();
    this.#open.letGo(bytes);
    try {
      if (writevSync(this.#fd, pieces, offset) !== bytes)
        throw new Error('The disk took less than it was given.');
    } catch (error) {
      this.#fail(new DuetError('UNAVAILABLE', { cause: error }));
    }
  }

  #takeQueue(): { pieces: Buffer[]; bytes: number; offset: number } {
    const taken = { pieces: this.#queue, bytes: this.#queuedBytes, offset: this.#offset };
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#offset += taken.bytes;
    return taken;
  }

  #fail(error: DuetError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#open.places.leave(this);
    this.#open.remove(this, this.#queuedBytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#goOn();
    this.#settle();
  }

  /** Hands the file over, or gives up, once nothing is being written and somebody waits for it. */
  #settle(): void {
    if (this.#isWriting || this.#isHandedOver) return;
    const fd = this.#fd;
    if (this.#failure !== undefined) {
      this.#fd = undefined;
      if (fd !== undefined) closeUnnamed(fd);
      this.#waiting?.reject(this.#failure);
      this.#waiting = undefined;
    } else if (
      this.#isComplete &&
      this.#queue.length === 0 &&
      fd !== undefined &&
      this.#waiting !== undefined
    ) {
      this.#isHandedOver = true;
      this.#waiting.resolve(fd);
    }
  }
}
