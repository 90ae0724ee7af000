import type { HttpResponse } from 'uWebSockets.js';
import { isUtf8 } from 'node:buffer';
import type { Clock, Timer } from '../clock.ts';
import { DuetError } from '../errors.ts';
import { type Linked, LinkedSet } from '../platform/LinkedSet.ts';
import { UploadPlaces } from './UploadPlaces.ts';

/**
 * Request bodies: collected up to a cap, within a time, and parsed so that nothing surprising comes out.
 */

/** A body that is still arriving. */
export interface OpenBody extends Linked<OpenBody> {
  /** When it is too late. In the clock's time. */
  deadlineMs: number;
  readonly tap: Tap;
  expire(): void;
}

/** Stops and goes on reading the client's socket. */
export interface Tap {
  readonly isHeld: boolean;
  hold(): void;
  release(): void;
}

// Of all bodies that have not arrived in full, as far as they are in memory.
const MAX_HELD_BYTES = 256 * 1024 * 1024;
const MAX_DEPTH = 32;
const REFUSED_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
const SWEEPS_PER_DEADLINE = 4;
// A path is made of the client's own keys: as much of it as helps, not as much as was sent.
const MAX_PATH = 100;

/** Collects one small body; all of it must be there in time. It must be made while the request handler runs: uWebSockets.js does not keep chunks. */
export class BodyReader implements OpenBody {
  older: OpenBody | undefined;
  newer: OpenBody | undefined;
  readonly tap: Tap;
  readonly #capBytes: number;
  readonly #open: OpenBodies;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #pieces = 0;
  #held = 0;
  #whole: Buffer | undefined;
  #failure: DuetError | undefined;
  #waiting: { resolve: (body: Buffer) => void; reject: (error: DuetError) => void } | undefined;
  readonly deadlineMs: number;

  constructor(res: HttpResponse, capBytes: number, open: OpenBodies, tap: Tap) {
    this.tap = tap;
    this.#capBytes = capBytes;
    this.#open = open;
    this.deadlineMs = open.add(this);
    res.onData((chunk, isLast) => this.#take(chunk, isLast));
  }

  /** Whether all of it arrived. */
  get complete(): boolean {
    return this.#whole !== undefined;
  }

  /** How many pieces of it arrived, wanted or not. */
  get pieces(): number {
    return this.#pieces;
  }

  /** The body, as soon as it is there. Rejects with 413 at the cap and 408 at the deadline. */
  read(): Promise<Buffer> {
    if (this.#whole !== undefined) return Promise.resolve(this.#whole);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Lets go of what was collected; later chunks are not kept. A pending `read` stays pending for ever. */
  discard(): void {
    this.#leave();
    this.#failure ??= new DuetError('REQUEST_TIMEOUT');
    this.#chunks = [];
  }

  /** The deadline has passed. */
  expire(): void {
    this.#fail(new DuetError('REQUEST_TIMEOUT'));
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    this.#pieces++;
    if (this.#failure !== undefined) return;
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#capBytes) {
      this.#fail(new DuetError('PAYLOAD_TOO_LARGE'));
      return;
    }
    if (!this.#open.hold(chunk.byteLength)) {
      this.#fail(new DuetError('UNAVAILABLE'));
      return;
    }
    this.#held += chunk.byteLength;
    // Copied: uWebSockets.js takes the memory back when this returns.
    if (chunk.byteLength > 0) this.#chunks.push(Buffer.from(new Uint8Array(chunk)));
    if (isLast) this.#finish();
  }

  #finish(): void {
    this.#leave();
    this.#whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#waiting?.resolve(this.#whole);
  }

  #leave(): void {
    this.#open.remove(this, this.#held);
    this.#held = 0;
  }

  #fail(error: DuetError): void {
    this.#leave();
    this.#failure = error;
    this.#chunks = [];
    this.#waiting?.reject(error);
  }
}

/**
 * The bodies that are still arriving: how long each may take, and how much all of them may hold.
 *
 * One timer for all of them, and only while there are any: most bodies are there in the same turn of the event loop
 * as their header, and a timer each would cost more than reading them.
 */
export class OpenBodies {
  /** Of those that are uploads. */
  readonly places = new UploadPlaces();
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #open = new LinkedSet<OpenBody>();
  #heldBytes = 0;
  #sweep: Timer | undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** How many bodies are arriving now. */
  get size(): number {
    return this.#open.size;
  }

  /** How much of them is in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  nextDeadline(): number {
    return this.#clock.now() + this.#limitMs;
  }

  add(body: OpenBody): number {
    this.#open.add(body);
    this.#sweep ??= this.#nextSweep();
    return this.nextDeadline();
  }

  /** Makes room for `bytes` more. False when the process holds enough: the body is refused with a 503. */
  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > MAX_HELD_BYTES) return false;
    this.#heldBytes += bytes;
    return true;
  }

  /** Some of what was held is not in memory any more. */
  letGo(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  remove(body: OpenBody, heldBytes: number): void {
    this.#open.delete(body);
    this.letGo(heldBytes);
  }

  close(): void {
    this.#sweep?.cancel();
  }

  #nextSweep(): Timer {
    return this.#clock.after(Math.ceil(this.#limitMs / SWEEPS_PER_DEADLINE), () => {
      const now = this.#clock.now();
      for (const body of this.#open) {
        if (body.deadlineMs <= now) body.expire();
        else keepWaiting(body.tap);
      }
      this.#sweep = this.#open.size > 0 ? this.#nextSweep() : undefined;
    });
  }
}

/** uWebSockets.js closes whoever sends less than 16 KB/s, without an answer, and waits anew when reading goes on. */
function keepWaiting(tap: Tap): void {
  if (tap.isHeld) return;
  tap.hold();
  tap.release();
}

/**
 * The JSON object in `bytes`; nothing at all counts as `{}`. Throws 400 for anything else: other JSON values,
 * bytes that are no UTF-8, keys that reach for a prototype, NUL and unpaired surrogates in strings (PostgreSQL can
 * keep neither), numbers beyond a double, -0, nesting beyond reason.
 */
export function parseJsonBody(bytes: Buffer): object {
  if (bytes.length === 0) return {};
  if (!isUtf8(bytes)) throw invalid('', 'must be UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('', 'must be valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('', 'must be a JSON object');
  }
  refuseHostile(value, '', 0);
  return value;
}

/** Whether a `content-type` header says JSON (RFC 8259): no other type, no other charset than UTF-8. */
export function isJsonType(contentType: string): boolean {
  return contentType === 'application/json' || JSON_WITH_CHARSET.test(contentType);
}

const JSON_WITH_CHARSET = /^application\/json[ \t]*(;[ \t]*(charset="?utf-8"?)?[ \t]*)?$/i;

/** The type in a `content-type` header without its parameters, lower case. */
export function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase();
}

/** Refuses text that PostgreSQL cannot keep. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function refuseHostile(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') {
    if (!isStorableText(value)) throw invalid(path, 'must not hold NUL or unpaired surrogates');
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(path, 'must be a finite number');
    // PostgreSQL's numeric has none, and what is compared by text would differ from what is compared by value.
    if (Object.is(value, -0)) throw invalid(path, 'must not be -0');
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= MAX_DEPTH) throw invalid('', 'is nested too deeply');
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) refuseHostile(value[i], `${path}[${i}]`, depth + 1);
    } else {
      for (const [key, member] of Object.entries(value)) {
        if (REFUSED_KEYS.has(key) || !isStorableText(key))
          throw invalid(path, 'holds a key that is not allowed');
        refuseHostile(member, path === '' ? key : `${path}.${key}`, depth + 1);
      }
    }
  }
}

function invalid(path: string, message: string): DuetError {
  return new DuetError('VALIDATION_FAILED', { details: [{ path: path.slice(0, MAX_PATH), message }] });
}
