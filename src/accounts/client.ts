import { isIPv6 } from 'node:net';
import { DuetError } from '../errors.ts';
import { isId } from '../ids.ts';

/** Who makes a request, as far as it can be known before anybody is signed in. */
export interface Client {
  /** The peer's address, through trusted proxies only. */
  address: string;
  /** The User-Agent header, empty when absent. */
  userAgent: string;
  /** A UUID that the client keeps, where it sent one and was asked for it (`clientOnDevice`). */
  deviceId?: string | undefined;
}

/** The request headers that a client is known by. */
export const CLIENT_HEADERS = ['user-agent'] as const;
const DEVICE_ID = 'x-device-id';
/** Those of routes that ask which device it is: where people come in, for a ban may be of it. */
export const DEVICE_HEADERS = [...CLIENT_HEADERS, DEVICE_ID] as const;

const BROWSERS: [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\bOPR\/|\bOpera\b/, 'Opera'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\bChrome\/|\bCriOS\/|\bChromium\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
  [/\bokhttp\/|\bDart\/|\bCFNetwork\//, 'an app'],
];

const SYSTEMS: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\biPhone\b|\biPad\b|\biOS\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b|\bDarwin\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
];

const MAX_LOOKED_AT = 512;

/** The client of a request whose route declares `CLIENT_HEADERS`. */
export function clientOf(request: {
  address: string;
  header(name: (typeof CLIENT_HEADERS)[number]): string;
}): Client {
  return { address: request.address, userAgent: request.header('user-agent') };
}

/**
 * The same, and its device, where the route declares `DEVICE_HEADERS`. Throws VALIDATION_FAILED for an id that is no UUID:
 * another made in its place would be a new device at each sign-in, of which its owner is told by mail.
 */
export function clientOnDevice(request: {
  address: string;
  header(name: (typeof DEVICE_HEADERS)[number]): string;
}): Client {
  const deviceId = request.header(DEVICE_ID).toLowerCase();
  if (deviceId === '') return clientOf(request);
  if (isId(deviceId)) return { ...clientOf(request), deviceId };
  throw new DuetError('VALIDATION_FAILED', { details: [{ path: DEVICE_ID, message: 'must be a UUID' }] });
}

/** Browser and system of a User-Agent: "Firefox on Linux". Versions are left out, so that an update changes nothing. */
export function deviceName(userAgent: string): string {
  const text = userAgent.slice(0, MAX_LOOKED_AT);
  const browser = BROWSERS.find(([pattern]) => pattern.test(text))?.[1] ?? 'an unknown client';
  const system = SYSTEMS.find(([pattern]) => pattern.test(text))?.[1];
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** An address cut down to its network: /24 of IPv4, /48 of IPv6. Enough to recognise, too little to find a home. */
export function shortAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const plain = mapped?.[1] ?? address;
  if (isIPv6(plain)) return `${ipv6Groups(plain).slice(0, 3).join(':')}::/48`;
  const parts = plain.split('.');
  return parts.length === 4 ? `${parts.slice(0, 3).join('.')}.0/24` : 'unknown';
}

/** What an address is counted by: all of IPv4, the /64 of IPv6, of which one household has 2^64. */
export function addressKey(address: string): string {
  return isIPv6(address) && !/^::ffff:\d+\./i.test(address)
    ? ipv6Groups(address).slice(0, 4).join(':')
    : address;
}

function ipv6Groups(address: string): string[] {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Math.max(0, 8 - left.length - right.length);
  const groups = tail === undefined ? left : [...left, ...Array<string>(zeros).fill('0'), ...right];
  return groups.map((group) => (Number.parseInt(group, 16) || 0).toString(16));
}
