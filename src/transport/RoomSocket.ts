import type { WebSocket } from 'uWebSockets.js';
import { EventEmitter } from 'node:events';
import { CloseCode, type ISendOptions, Protocol } from '@colyseus/core';
import { uWebSocketClient } from '@colyseus/uwebsockets-transport/uWebSocketClient';
import type { FrameQueue, FrameQueues, FrameSink } from './FrameQueue.ts';

/**
 * A socket as Colyseus' rooms see it: an emitter of `message` and `close`, and a `Client` on top of it.
 *
 * Private surfaces of Colyseus leaned on here, each with a contract test: `uWebSocketClient.raw`, `.leave`,
 * `._ref`, `._enqueuedMessages`; that `ref.ws` is what is sent on; which frames own their memory.
 */

export type Upgraded = { socket?: RoomSocket };

// What a room may say to a client that has not yet acknowledged its join.
const MAX_BEFORE_ACK = 256;
// Of which each counts for this at least: whoever paces what it says stops long before there are too many.
const BYTES_BEFORE_ACK = 2048;
// A close reason may quote what the client sent; it is not given back at length.
const MAX_REASON = 64;
const MAX_ERROR_TEXT = 200;
const CODE_MASK = 0b0001_1111;
const WS_OPEN = 1;
const WS_CLOSED = 3;

/** Emits `message` (a Buffer of its own) and `close` (the code). */
export class RoomSocket extends EventEmitter implements FrameSink {
  readonly ws: WebSocket<Upgraded>;
  readonly queue: FrameQueue;
  readonly #onError: (error: unknown) => void;
  /** The room's answer to `close`; Colyseus keeps it here between joining and leaving. */
  onleave: unknown;

  /** `onError` hears what a listener throws or rejects with. */
  constructor(ws: WebSocket<Upgraded>, queues: FrameQueues, onError: (error: unknown) => void) {
    // A room's `close` listener is async, and nobody looks at its promise: without this a rejection (Redis is away,
    // say) would be the process's.
    super({ captureRejections: true });
    this.ws = ws;
    this.#onError = onError;
    this.queue = queues.queueFor(this);
  }

  send(frame: Uint8Array): void {
    this.ws.send(frame, true, false);
  }

  cork(write: () => void): void {
    this.ws.cork(write);
  }

  [Symbol.for('nodejs.rejection')](error: unknown): void {
    this.#onError(error);
  }
}

/** A room's client. Sends through its socket's queue, and hands over what waits there before it leaves. */
export class RoomClient extends uWebSocketClient {
  override raw(data: Uint8Array | Buffer, _options?: ISendOptions, _cb?: (error?: Error) => void): void {
    if (this.readyState !== WS_OPEN) return;
    (this._ref as RoomSocket).queue.push(ownsMemory(data) ? data : Buffer.from(data));
  }

  override enqueueRaw(data: Uint8Array | Buffer, options?: ISendOptions): void {
    if (this._enqueuedMessages !== undefined && this._enqueuedMessages.length >= MAX_BEFORE_ACK) {
      this.leave(CloseCode.WITH_ERROR);
      return;
    }
    super.enqueueRaw(data, options);
  }

  override error(code: number, message = '', cb?: (error?: Error) => void): void {
    super.error(code, message.slice(0, MAX_ERROR_TEXT), cb);
  }

  override leave(code?: number, reason?: string): void {
    if (this.readyState !== WS_OPEN) return;
    (this._ref as RoomSocket).queue.flush();
    try {
      super.leave(code, reason?.slice(0, MAX_REASON));
    } catch {
      // The socket had closed by itself, and uWebSockets.js throws on any use of it.
      this.readyState = WS_CLOSED;
    }
  }
}

/**
 * What waits in this process to be sent to a room's client, its acknowledgement included; nothing for one that is gone.
 */
export function waitingBytes(client: object): number {
  if (!(client instanceof RoomClient) || client.readyState !== WS_OPEN) return 0;
  const { ws, queue } = client._ref as RoomSocket;
  let beforeAck = 0;
  for (const frame of client._enqueuedMessages ?? []) beforeAck += Math.max(frame.length, BYTES_BEFORE_ACK);
  try {
    return beforeAck + queue.bytes + ws.getBufferedAmount();
  } catch {
    // Closed in this very turn.
    return 0;
  }
}

/**
 * State frames point into the room's one encoder buffer, which the next patch overwrites. All others are fresh:
 * `getMessageBytes` of Colyseus copies what it makes.
 */
function ownsMemory(frame: Uint8Array): boolean {
  const code = frame[0]! & CODE_MASK;
  return code !== Protocol.ROOM_STATE && code !== Protocol.ROOM_STATE_PATCH;
}
