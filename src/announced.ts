import { BlockList, isIP } from 'node:net';

const NOWHERE = new BlockList();
NOWHERE.addSubnet('0.0.0.0', 8, 'ipv4');
NOWHERE.addSubnet('127.0.0.0', 8, 'ipv4');
NOWHERE.addSubnet('169.254.0.0', 16, 'ipv4');
NOWHERE.addAddress('::', 'ipv6');
NOWHERE.addAddress('::1', 'ipv6');
NOWHERE.addSubnet('fe80::', 10, 'ipv6');

/** RFC 1918, RFC 6598, RFC 4193. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8, 'ipv4');
PRIVATE.addSubnet('172.16.0.0', 12, 'ipv4');
PRIVATE.addSubnet('192.168.0.0', 16, 'ipv4');
PRIVATE.addSubnet('100.64.0.0', 10, 'ipv4');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');

/** Why an address is not one to tell clients on the internet, or undefined. Host names are believed. */
export function whyNotAnnounced(address: string, options: { allowPrivate: boolean }): string | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (NOWHERE.check(address, family)) return 'no other machine reaches this address';
  if (!options.allowPrivate && PRIVATE.check(address, family)) {
    return 'is a private address; where all clients are in its network, set MEDIA_ALLOW_PRIVATE=true';
  }
  return undefined;
}
