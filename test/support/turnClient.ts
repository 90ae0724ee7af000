/** As much of a TURN client (RFC 8656, over UDP or TLS) as asks a relay what it allows. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';

const COOKIE = 0x2112a442;
const TYPE = { allocate: 0x0003, createPermission: 0x0008 };
const ATTRIBUTE = {
  username: 0x0006,
  integrity: 0x0008,
  error: 0x0009,
  peer: 0x0012,
  realm: 0x0014,
  nonce: 0x0015,
  transport: 0x0019,
};
const UDP = Buffer.from([17, 0, 0, 0]);
const ANSWER_MS = 5_000;

type Attribute = [type: number, value: Buffer];

/** How messages go to and fro. */
type Line = { send(message: Buffer): void; answer(): Promise<Buffer>; close(): void };

export class TurnClient {
  readonly #line: Line;
  readonly #username: string;
  readonly #password: string;
  #realm: Buffer = Buffer.alloc(0);
  #nonce: Buffer = Buffer.alloc(0);

  static async connect(port: number, username: string, password: string): Promise<TurnClient> {
    const socket = createSocket('udp4');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const answer = async () => {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const [message] = (await once(socket, 'message', { signal })) as [Buffer];
      return message;
    };
    const line = { send: (message: Buffer) => socket.send(message), answer, close: () => socket.close() };
    return new TurnClient(line, username, password);
  }

  /** Over TLS; rejects when the server's certificate is not signed by `ca` for 127.0.0.1. */
  static async connectTls(port: number, username: string, password: string, ca: Buffer): Promise<TurnClient> {
    const socket = connectTls({ port, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(ANSWER_MS) });
    // An answer comes before the next question, and each is one record.
    const answer = async () => {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const [message] = (await once(socket, 'data', { signal })) as [Buffer];
      return message;
    };
    const line = { send: (message: Buffer) => socket.write(message), answer, close: () => socket.destroy() };
    return new TurnClient(line, username, password);
  }

  private constructor(line: Line, username: string, password: string) {
    this.#line = line;
    this.#username = username;
    this.#password = password;
  }

  /** Asks for a relayed address; 0 when there is one, else the error code. */
  async allocate(): Promise<number> {
    const challenge = await this.#ask(TYPE.allocate, [[ATTRIBUTE.transport, UDP]]);
    this.#realm = challenge.get(ATTRIBUTE.realm) ?? this.#realm;
    this.#nonce = challenge.get(ATTRIBUTE.nonce) ?? this.#nonce;
    if (this.#nonce.length === 0) return errorOf(challenge);
    return errorOf(await this.#ask(TYPE.allocate, this.#signed([[ATTRIBUTE.transport, UDP]]), true));
  }

  /** Asks to be allowed to send to an IPv4 address; 0 when it is, else the error code. */
  async permit(address: string): Promise<number> {
    const octets = address.split('.').map(Number);
    const value = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]);
    value.writeUInt16BE(9 ^ (COOKIE >>> 16), 2);
    value.writeUInt32BE((Buffer.from(octets).readUInt32BE() ^ COOKIE) >>> 0, 4);
    return errorOf(await this.#ask(TYPE.createPermission, this.#signed([[ATTRIBUTE.peer, value]]), true));
  }

  close(): void {
    this.#line.close();
  }

  #signed(attributes: Attribute[]): Attribute[] {
    return [
      ...attributes,
      [ATTRIBUTE.username, Buffer.from(this.#username)],
      [ATTRIBUTE.realm, this.#realm],
      [ATTRIBUTE.nonce, this.#nonce],
    ];
  }

  async #ask(type: number, attributes: Attribute[], sign = false): Promise<Map<number, Buffer>> {
    const id = randomBytes(12);
    let message = encode(type, id, attributes, sign ? 24 : 0);
    if (sign) {
      const key = createHash('md5').update(`${this.#username}:${this.#realm}:${this.#password}`).digest();
      const hmac = createHmac('sha1', key).update(message).digest();
      message = Buffer.concat([message, header(ATTRIBUTE.integrity, 20), hmac]);
    }
    this.#line.send(message);
    return decode(await this.#line.answer());
  }
}

/** 0 for a success. */
function errorOf(attributes: Map<number, Buffer>): number {
  const error = attributes.get(ATTRIBUTE.error);
  return error === undefined ? 0 : error[2]! * 100 + error[3]!;
}

function header(first: number, second: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(first, 0);
  bytes.writeUInt16BE(second, 2);
  return bytes;
}

/** `more`: bytes that are still to follow, already counted in the length (RFC 8489 section 14.5). */
function encode(type: number, id: Buffer, attributes: Attribute[], more: number): Buffer {
  const body = Buffer.concat(
    attributes.flatMap(([type, value]) => [
      header(type, value.length),
      value,
      Buffer.alloc((4 - (value.length % 4)) % 4),
    ]),
  );
  const cookie = Buffer.alloc(4);
  cookie.writeUInt32BE(COOKIE);
  return Buffer.concat([header(type, body.length + more), cookie, id, body]);
}

function decode(message: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= message.length; ) {
    const length = message.readUInt16BE(at + 2);
    attributes.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return attributes;
}
