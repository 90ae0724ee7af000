import { randomBytes } from 'node:crypto';
import { openRaw, type RawConnection, requestText } from './rawHttp.ts';

/** A WebSocket (RFC 6455) as bytes: it acknowledges, reads and answers only what a test wants it to. */

export type RawFrame = { opcode: number; payload: Buffer };

export type RawSocket = {
  connection: RawConnection;
  /** Status of the answer to the upgrade: 101 when it was granted. */
  status: number;
  /** Body of a refusal. */
  body: string;
  /** Whole frames received so far. */
  frames(): RawFrame[];
  send(payload: Uint8Array | string, opcode?: number): void;
  /** The close frame's code: 1006 when the connection ended without one, undefined while it is open. */
  closeCode(): number | undefined;
  destroy(): void;
};

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Asks 127.0.0.1 for a socket at `path` and resolves with what came of it. */
export async function openSocket(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<RawSocket> {
  const connection = await openRaw(port);
  const { socket } = connection;
  let bytes: Buffer = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.on('close', () => {
    ended = true;
  });
  connection.send(
    requestText('GET', path, {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      'sec-websocket-version': '13',
      ...headers,
    }),
  );
  while (!ended && !bytes.includes('\r\n\r\n'))
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
  const headEnd = bytes.indexOf('\r\n\r\n') + 4;
  const status = Number(bytes.toString('latin1', 0, headEnd).split(' ')[1]);
  const frames = () => (status === 101 ? parseFrames(bytes.subarray(headEnd)) : []);
  return {
    connection,
    status,
    body: status === 101 ? '' : bytes.toString('utf8', headEnd),
    frames,
    send: (payload, opcode = OPCODE.binary) => connection.send(maskedFrame(Buffer.from(payload), opcode)),
    closeCode() {
      const close = frames().find((frame) => frame.opcode === OPCODE.close);
      if (close !== undefined && close.payload.length >= 2) return close.payload.readUInt16BE(0);
      return ended ? 1006 : undefined;
    },
    destroy: () => connection.destroy(),
  };
}

function maskedFrame(payload: Buffer, opcode: number): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extended + 4);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  // A mask of zeros changes nothing and is as good as any other for a test.
  return Buffer.concat([head, payload]);
}

function parseFrames(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]! & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + extended;
    if (start > bytes.length) break;
    const length =
      extended === 0
        ? short
        : extended === 2
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    if (start + length > bytes.length) break;
    frames.push({ opcode: bytes[at]! & 0x0f, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
