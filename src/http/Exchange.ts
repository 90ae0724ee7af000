import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Clock, Timer } from '../clock.ts';
import { type Header, type HeaderText, headerText, joinHeaders, NO_HEADERS } from './headers.ts';

/**
 * One request and its answer on a uWebSockets.js response. Knows when the client has gone, writes at most one
 * answer, always corked, and never touches the response after either.
 */

/** The client has gone before the answer. nginx's number: nobody reads it, the metrics count it. */
const CLIENT_GONE = 499;

// Whether a client takes what it is sent shows by a body only, and looking costs a microsecond. Of small answers one in so
// many is looked at, and of those without a body one in so many is the last on its connection: who asks without end and
// reads nothing has no more than some dozens waiting.
const SMALL_CHARS = 4 * 1024;
const LOOK_ONE_IN = 16;
const LAST_ONE_IN = 64;
// A refused client may still be sending its body. The answer's last byte is held back until the client is quiet:
// closing at once would make the kernel reset the connection, and the answer could be lost with it.
const LOOK_EVERY_MS = 50;
const MAX_LOOKS = 40;

const CLOSE = headerText([['connection', 'close']]);
const END_OF_HEAD = '\r\n';

export class Exchange {
  readonly res: HttpResponse;
  readonly requestId: string;
  readonly isHead: boolean;
  /** Headers that a handler added, for whatever the answer will be. */
  added: HeaderText = NO_HEADERS;
  /** Written into every answer: security headers, and those of CORS where they apply. */
  readonly #common: HeaderText;
  readonly #onDone: (status: number) => void;
  #state: 'open' | 'answered' | 'gone' = 'open';
  #inHandler = true;
  #watchesAbort = false;
  #isHeld = false;
  #onGone: (() => void) | undefined;

  constructor(
    res: HttpResponse,
    requestId: string,
    isHead: boolean,
    common: HeaderText,
    onDone: (status: number) => void,
  ) {
    this.res = res;
    this.requestId = requestId;
    this.isHead = isHead;
    this.#common = common;
    this.#onDone = onDone;
  }

  /** Whether an answer is still owed and somebody is there to get it. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /**
   * Runs when the client goes away before it has the whole answer. One at a time: the last one that was given. A method,
   * not a property: what is written where a property is set lives too long (`src/db/ask.ts`).
   */
  whenGone(run: () => void): void {
    this.#onGone = run;
  }

  /**
   * The request handler returns now. What is still open is answered later: uWebSockets.js wants to be told so, and
   * no longer corks by itself.
   */
  leaveHandler(): void {
    if (this.#state === 'open') this.#watchAbort();
    this.#inHandler = false;
  }

  /** Stops reading the request's body for a while. */
  hold(): void {
    if (this.#state !== 'open') return;
    this.#isHeld = true;
    this.res.pause();
  }

  /** Whether the client cannot send because it is not read. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  release(): void {
    this.#isHeld = false;
    if (this.#state === 'open') this.res.resume();
  }

  /** Answers. Does nothing when an answer was given or the client has gone. */
  answer(status: number, headers: HeaderText, body?: string | Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#state = 'answered';
    this.#corked(() => {
      if (body !== undefined && body.length > 0 && !this.isHead) {
        this.#head(status, headers);
        if (body.length > SMALL_CHARS || isOneIn(LOOK_ONE_IN)) this.#send(body);
        else this.res.end(body);
      } else if (isOneIn(LAST_ONE_IN)) {
        this.#endConnection(status, headers, body);
      } else {
        this.#head(status, headers);
        if (body === undefined) this.res.endWithoutBody();
        else this.res.endWithoutBody(byteLength(body));
      }
    });
    this.#onDone(status);
  }

  /**
   * Answers a client that is still sending its body, and sees to it that it does not go on for long: it is told at
   * once, what it sends is thrown away, and the connection is cut if it has not stopped after two seconds.
   * `pieces` counts the pieces of the body that have arrived.
   */
  refuse(status: number, headers: HeaderText, body: string, pieces: () => number, clock: Clock): void {
    if (this.#state !== 'open') return;
    this.#state = 'answered';
    if (this.isHead) {
      this.#corked(() => this.#endConnection(status, headers, body));
      this.#onDone(status);
      return;
    }
    this.#watchAbort();
    const { res } = this;
    const bytes = Buffer.from(body);
    const split = bytes.length - 1;
    this.#corked(() => {
      this.#head(status, joinHeaders(headers, CLOSE));
      res.tryEnd(bytes.subarray(0, split), bytes.length);
    });
    this.#onDone(status);
    let timer: Timer;
    let seen = pieces();
    let looks = 0;
    const look = () => {
      looks++;
      if (pieces() === seen) {
        res.cork(() => {
          res.tryEnd(bytes.subarray(split), bytes.length);
        });
      } else if (looks >= MAX_LOOKS) {
        res.close();
      } else {
        seen = pieces();
        timer = clock.after(LOOK_EVERY_MS, look);
      }
    };
    timer = clock.after(LOOK_EVERY_MS, look);
    this.whenGone(() => timer.cancel());
  }

  #watchAbort(): void {
    if (this.#watchesAbort) return;
    this.#watchesAbort = true;
    this.res.onAborted(() => {
      const owed = this.#state === 'open';
      this.#state = 'gone';
      this.#onGone?.();
      if (owed) this.#onDone(CLIENT_GONE);
    });
  }

  #head(status: number, headers: HeaderText, end = ''): void {
    const { res } = this;
    // uWebSockets.js says 200 by itself.
    if (status !== 200) res.writeStatus(statusLine(status));
    res.writeHeader('x-request-id', this.requestId + this.#common + headers + this.added + end);
  }

  /**
   * The body, as the socket takes it. `end` would put all of it behind what waits to be sent already, however much that
   * is. What is not sent in full is an answer under way, and who asks for another meanwhile is cut off.
   */
  #send(body: string | Uint8Array): void {
    const { res } = this;
    const total = byteLength(body);
    if (res.tryEnd(body, total)[1]) return;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    this.#watchAbort();
    res.onWritable((offset) => res.tryEnd(bytes.subarray(offset), total)[0]);
  }

  /**
   * The head of an answer without a body, and then the end. For uWebSockets.js it stays under way until then: after an
   * answer that is whole it would go on with what the client sent behind it, and forget that it was to close.
   */
  #endConnection(status: number, headers: HeaderText, body: string | Uint8Array | undefined): void {
    const length: Header[] = body === undefined ? [] : [['content-length', String(byteLength(body))]];
    this.#head(status, joinHeaders(headers, joinHeaders(headerText(length), CLOSE)), END_OF_HEAD);
    this.#watchAbort();
    setImmediate(() => {
      if (this.#state !== 'gone') this.res.close();
    });
  }

  #corked(write: () => void): void {
    if (this.#inHandler) write();
    else this.res.cork(write);
  }
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
    statusLines.set(status, line);
  }
  return line;
}

/** By chance, so that nobody can have others' answers counted in place of their own. */
function isOneIn(count: number): boolean {
  return Math.random() * count < 1;
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
}
