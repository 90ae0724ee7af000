import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback } from 'node:stream';
import type { Clock } from '../clock.ts';

export type TcpGateOptions = {
  /** Where connections come in. */
  listenIp: string;
  port: number;
  /** The port on loopback that they go on to. */
  to: number;
  clock: Clock;
  /** What an address is counted by. Itself, by default. No proxy is in between: media reaches a worker directly. */
  addressKey?: ((address: string) => string) | undefined;
};

/** The longest frame that is passed on. What WebRTC sends fits into a datagram of some 1,500 bytes. */
export const MAX_FRAME_BYTES = 4_096;
/** One that is silent for longer is gone: ICE asks for consent every few seconds (RFC 7675). */
const SILENT_MS = 30_000;
/** Beyond so many a worker takes no more: each costs it a socket, before it has shown any credentials. */
const MAX_CONNECTIONS = 2_000;
/**
 * Whoever is in a call shows the credentials of its ICE at once, and the worker answers; strangers it does not answer. One
 * that it has not answered by then is closed.
 */
export const STRANGE_MS = 10_000;
/**
 * And of one address there are only so many of them: else one would hold all places. People behind one NAT come at once, but
 * none is a stranger for longer than a packet takes there and back; whom the worker knows it allows a few connections each.
 */
export const MAX_STRANGERS = 64;
const LENGTH_BYTES = 2;

/**
 * The TCP half of a media worker's port. Frames over TCP (RFC 4571) may hold 65,535 bytes, which no datagram can; to one
 * of that length mediasoup's worker cannot add its header extensions, and ends (3.27: `Serializable::SetLength` throws,
 * and nothing catches it), with the calls of everybody on it. So connections are taken here and passed on to the worker
 * on loopback, and one that announces a longer frame than anybody has reason to send is closed.
 */
export class TcpGate {
  readonly #options: TcpGateOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that the worker has not answered yet, by what their address is counted by. */
  readonly #strangers = new Map<string, number>();

  /** Rejects where the port is taken. */
  static async open(options: TcpGateOptions): Promise<TcpGate> {
    const gate = new TcpGate(options);
    gate.#server.listen({ host: options.listenIp, port: options.port });
    await once(gate.#server, 'listening');
    // A connection that the system has no memory for is lost; all others are none the worse.
    gate.#server.on('error', () => {});
    return gate;
  }

  private constructor(options: TcpGateOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (outer) => this.#take(outer));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Ends all connections, at once. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(outer: Socket): void {
    const { clock, addressKey } = this.#options;
    // Undefined of one that has gone already.
    const address = outer.remoteAddress ?? '';
    const key = addressKey?.(address) ?? address;
    const count = this.#strangers.get(key) ?? 0;
    if (count >= MAX_STRANGERS) {
      outer.destroy();
      return;
    }
    this.#strangers.set(key, count + 1);
    const tooLong = clock.after(STRANGE_MS, () => outer.destroy());
    let isStranger = true;
    const known = () => {
      if (!isStranger) return;
      isStranger = false;
      tooLong.cancel();
      const others = this.#strangers.get(key)! - 1;
      if (others > 0) this.#strangers.set(key, others);
      else this.#strangers.delete(key);
    };
    outer.once('close', known);
    this.#passOn(outer).once('data', known);
  }

  /** → the connection to the worker. */
  #passOn(outer: Socket): Socket {
    const inner = dial({ host: '127.0.0.1', port: this.#options.to, noDelay: true });
    for (const socket of [outer, inner]) {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    }
    outer.setTimeout(SILENT_MS, () => outer.destroy());
    // Whichever side ends, or fails, takes the other along.
    pipeline(outer, new FrameCheck(), inner, () => outer.destroy());
    pipeline(inner, outer, () => inner.destroy());
    return inner;
  }
}

/** Passes bytes on as they come, as long as each frame in them is short. */
class FrameCheck extends Transform {
  /** Bytes of the present frame that are still to come. */
  #left = 0;
  /** The first byte of a length whose second has not come yet. */
  #high: number | undefined;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      if (this.#high === undefined && chunk.length - at < LENGTH_BYTES) {
        this.#high = chunk[at];
        break;
      }
      const isHalf = this.#high !== undefined;
      const length = isHalf ? this.#high! * 256 + chunk[at]! : chunk.readUInt16BE(at);
      at += isHalf ? 1 : LENGTH_BYTES;
      this.#high = undefined;
      if (length > MAX_FRAME_BYTES) {
        done(new Error(`a frame of ${length} bytes`));
        return;
      }
      this.#left = length;
    }
    done(null, chunk);
  }
}
