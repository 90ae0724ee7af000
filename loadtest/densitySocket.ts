/** A WebSocket that costs its own process next to nothing: joins, answers pings, and can stop reading. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Colyseus' code of the frame that lets a client in, and of the client's acknowledgement. */
const JOIN_ROOM = 10;
/** Colyseus' frame of a refusal. */
const ERROR = 11;

export class ThinSocket {
  readonly socket: Socket;
  readonly #joined: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #onFrame: (payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #upgraded = false;
  #acknowledged = false;
  /** What the server said instead of letting it in. */
  #refusal = '';
  /** Why the server closed: the code of its close frame, 1006 when there was none, undefined while it is open. */
  closeCode: number | undefined;

  private constructor(socket: Socket, onFrame: (payload: Buffer) => void) {
    this.socket = socket;
    this.#onFrame = onFrame;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closeCode ??= 1006;
      this.#joined.reject(new Error(`closed with ${this.closeCode} before it was let in: ${this.#refusal}`));
    });
  }

  /**
   * Opens a socket at `path` and resolves when the server has let it in (or, for a server that lets everybody in,
   * `waitForJoin: false`, when it was upgraded). `onFrame` gets the frames after that.
   */
  static async open(
    port: number,
    path: string,
    options: { waitForJoin?: boolean; onFrame?: (payload: Buffer) => void } = {},
  ): Promise<ThinSocket> {
    const socket = connect(port, '127.0.0.1');
    const thin = new ThinSocket(socket, options.onFrame ?? (() => {}));
    thin.#acknowledged = options.waitForJoin === false;
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    await thin.#joined.promise;
    return thin;
  }

  send(payload: Buffer, opcode = BINARY): void {
    // A mask of zeros is a mask (RFC 6455 section 5.3). No frame is longer than what two bytes can tell.
    const isShort = payload.length < 126;
    const start = isShort ? 6 : 8;
    const frame = Buffer.alloc(start + payload.length);
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (isShort ? payload.length : 126);
    if (!isShort) frame.writeUInt16BE(payload.length, 2);
    frame.set(payload, start);
    this.socket.write(frame);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#upgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = bytes;
        return;
      }
      if (!bytes.toString('latin1', 0, 12).endsWith('101')) {
        this.socket.destroy();
        return;
      }
      this.#upgraded = true;
      if (this.#acknowledged) this.#joined.resolve();
      bytes = bytes.subarray(end + 4);
    }
    for (;;) {
      const frame = firstFrame(bytes);
      if (frame === undefined) break;
      bytes = bytes.subarray(frame.length);
      this.#take(frame.opcode, frame.payload);
    }
    this.#rest = bytes.length === 0 ? EMPTY : Buffer.from(bytes);
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === PING) this.send(payload, PONG);
    if (opcode === CLOSE) this.closeCode ??= payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    if (opcode !== BINARY) return;
    if (this.#acknowledged) {
      this.#onFrame(payload);
    } else if (payload[0] === JOIN_ROOM) {
      this.#acknowledged = true;
      this.send(Buffer.from([JOIN_ROOM]));
      this.#joined.resolve();
    } else if (payload[0] === ERROR) {
      this.#refusal = payload
        .toString('latin1', 1)
        .replace(/[^ -~]+/g, ' ')
        .trim();
    }
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

function firstFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
  if (bytes.length < start) return undefined;
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < start + size) return undefined;
  return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(start, start + size), length: start + size };
}

/** Where a seat is taken. */
export function seatPath(
  seat: { processId: string; roomId: string; sessionId: string },
  token: string,
): string {
  return `/${seat.processId}/${seat.roomId}?sessionId=${seat.sessionId}&_authToken=${token}`;
}
