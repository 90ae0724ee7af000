import { BlockList, isIP, SocketAddress } from 'node:net';

/**
 * Who is at the other end. The socket says so; a header does only where the socket's end is one of our own proxies.
 */

const MAPPED_IPV4 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

const RANGE = /^([^/]*)(?:\/(\d{1,3}))?$/;

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly isEmpty: boolean;

  /** Addresses and CIDR ranges (`10.0.0.0/8`, `fd00::/8`). Throws on what is neither. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [, address = '', prefix] = RANGE.exec(range) ?? [];
      const family = familyOf(address);
      const bits = Number(prefix);
      if (family === undefined || bits > (family === 'ipv4' ? 32 : 128)) {
        throw new Error(`Not an address or range of trusted proxies: "${range}"`);
      }
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, bits, family);
    }
    this.isEmpty = ranges.length === 0;
  }

  has(address: string): boolean {
    if (this.isEmpty) return false;
    const family = familyOf(address);
    return family !== undefined && this.#list.check(address, family);
  }
}

/**
 * The address of whoever sent the request, in its one canonical spelling; IPv4-mapped IPv6 becomes IPv4.
 *
 * `socket` is the socket's other end in binary (4 or 16 bytes). `forwardedFor` gives the X-Forwarded-For header and
 * is only asked where the socket's end is trusted: each proxy appends the address that it saw, so the rightmost one
 * that is no proxy of ours is the client, and everything left of it is the client's own invention.
 */
export function peerAddress(
  socket: ArrayBuffer,
  proxies: TrustedProxies,
  forwardedFor: () => string,
): string {
  let address = binaryAddress(new Uint8Array(socket));
  if (!proxies.has(address)) return address;
  const hops = forwardedFor().split(',');
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = textAddress(hops[i]!.trim());
    // Not an address: nothing left of it can be believed either.
    if (hop === undefined) return address;
    address = hop;
    if (!proxies.has(hop)) return hop;
  }
  return address;
}

function binaryAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return 'unknown';
  if (MAPPED_IPV4.every((byte, i) => bytes[i] === byte)) return bytes.subarray(12).join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  return canonical(groups.join(':')) ?? 'unknown';
}

/** `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`, as proxies write them. */
function textAddress(text: string): string | undefined {
  const match = WITH_PORT.exec(text);
  return canonical(match === null ? text : (match[1] ?? match[2]!));
}

const WITH_PORT = /^(?:\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;

function canonical(text: string): string | undefined {
  const family = familyOf(text);
  if (family === undefined) return undefined;
  const { address } = new SocketAddress({ address: text, family });
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

function familyOf(text: string): 'ipv4' | 'ipv6' | undefined {
  const version = text.includes('%') ? 0 : isIP(text);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
}
