/** An ICE connectivity check (RFC 8445 section 7.2.2) as a client's first packet to a media port. */
import { createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { crc32 } from 'node:zlib';

const COOKIE = 0x2112a442;
const FINGERPRINT_XOR = 0x5354554e;
const SUCCESS = 0x0101;

/** Whether the port answers this client's check with a success within the time. */
export async function answersCheck(
  port: number,
  { usernameFragment, password }: { usernameFragment: string; password: string },
  withinMs: number,
): Promise<boolean> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  try {
    await once(socket, 'listening');
    socket.send(bindingRequest(usernameFragment, password), port, '127.0.0.1');
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(withinMs) })) as [Buffer];
    return answer.readUInt16BE(0) === SUCCESS;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/** The check itself. */
export function bindingRequest(usernameFragment: string, password: string): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(1_845_501_695);
  const attributes = [
    attribute(0x0006, Buffer.from(`${usernameFragment}:me`)),
    attribute(0x0024, number),
    attribute(0x802a, randomBytes(8)),
    attribute(0x0025, Buffer.alloc(0)),
  ];
  const id = randomBytes(12);
  // Integrity covers all before it, with a length that counts it in; the fingerprint after it likewise (RFC 8489).
  const plain = message(id, attributes, 24);
  const integrity = attribute(0x0008, createHmac('sha1', password).update(plain).digest());
  const signed = message(id, [...attributes, integrity], 8);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE((crc32(signed) ^ FINGERPRINT_XOR) >>> 0);
  return Buffer.concat([signed, attribute(0x8028, sum)]);
}

function message(id: Buffer, attributes: Buffer[], more: number): Buffer {
  const body = Buffer.concat(attributes);
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x0001, 0);
  head.writeUInt16BE(body.length + more, 2);
  head.writeUInt32BE(COOKIE, 4);
  return Buffer.concat([head, id, body]);
}

function attribute(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}
