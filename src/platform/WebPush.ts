import { ECDH } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { type Agent, request } from 'node:https';
import webpush from 'web-push';

export interface VapidKeys {
  publicKey: string;
  privateKey: string;
}

export interface PushTarget {
  endpoint: string;
  p256dh: string;
  auth: string;
}

export interface WebPushOptions {
  vapid: VapidKeys;
  /** Whom a push service may write to about us: an https: or mailto: address. */
  subject: string;
  /** Hosts of push services that devices may name: our server calls whatever they name. */
  hosts: readonly string[];
  /** For tests against a push service of their own. */
  agent?: Agent;
}

/** What was to be sent will not be taken, however often it is sent. */
export class PushRefused extends Error {}

/** Asked for too much, or too slowly: the same may be taken a moment later. */
const NOT_NOW: readonly number[] = [408, 429];
/** From the first attempt to reach the push service to its answer, whatever it sends meanwhile. */
const DEADLINE_MS = 5_000;

/** A new pair of keys for VAPID (RFC 8292). */
export function newVapidKeys(): VapidKeys {
  return webpush.generateVAPIDKeys();
}

/** Web push (RFC 8030), encrypted for the device (RFC 8291), signed by us (RFC 8292). */
export class WebPush {
  readonly #options: WebPushOptions;

  constructor(options: WebPushOptions) {
    this.#options = options;
  }

  get publicKey(): string {
    return this.#options.vapid.publicKey;
  }

  /**
   * Sends a message that is worth nothing after `ttlSec`. Resolves with `gone` when the device unsubscribed; rejects
   * when the push service cannot be reached or does not take the message now, and with `PushRefused` when it never will
   * or is not one of ours.
   */
  async send(target: PushTarget, message: object, ttlSec: number): Promise<'sent' | 'gone'> {
    const { vapid, subject, hosts, agent } = this.#options;
    // Once more: what is stored may be older than the rule.
    const address = pushAddress(target.endpoint, hosts);
    if (address === undefined) throw new PushRefused('not a push service that is known here');
    if (!isPushKey(target.p256dh) || !isPushSecret(target.auth))
      throw new PushRefused('nothing can be encrypted for these keys');
    const { headers, body } = webpush.generateRequestDetails(
      { endpoint: address.origin, keys: { p256dh: target.p256dh, auth: target.auth } },
      JSON.stringify(message),
      { TTL: ttlSec, urgency: 'high', contentEncoding: 'aes128gcm', vapidDetails: { subject, ...vapid } },
    );
    const status = await post(address, headers, body, agent);
    if (status === 404 || status === 410) return 'gone';
    if (status >= 200 && status < 300) return 'sent';
    const isFinal = status < 500 && !NOT_NOW.includes(status);
    throw new (isFinal ? PushRefused : Error)(`a push service answered ${status}`);
  }
}

/**
 * The address that a device named, if it is one of a push service in `hosts`. `*.example.com` allows every host below
 * it; everything else is compared as it stands, port included. What is called is this `URL`: read a second time by
 * another parser, `https://10.0.0.1;.example.com` is another host.
 */
export function pushAddress(endpoint: string, hosts: readonly string[]): URL | undefined {
  const url = URL.parse(endpoint);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  if (!/^[a-z0-9.-]+$/.test(url.hostname)) return undefined;
  const isKnown = hosts.some((known) =>
    known.startsWith('*.') ? url.host.endsWith(known.slice(1)) : url.host === known,
  );
  return isKnown ? url : undefined;
}

/** Whether this is the base64url of a point of P-256, uncompressed: a device's public key (RFC 8291 section 3.1). */
export function isPushKey(p256dh: string): boolean {
  const key = Buffer.from(p256dh, 'base64url');
  if (key.length !== 65 || key[0] !== 4) return false;
  try {
    ECDH.convertKey(key, 'prime256v1');
    return true;
  } catch {
    return false;
  }
}

/** Whether this is the base64url of 16 bytes: what a device shares with us besides (RFC 8291 section 3.2). */
export function isPushSecret(auth: string): boolean {
  return Buffer.from(auth, 'base64url').length === 16;
}

/** Resolves with the status. No redirect is followed and nothing of the answer's body is read. */
function post(address: URL, headers: OutgoingHttpHeaders, body: Buffer, agent?: Agent): Promise<number> {
  const { hostname, port, pathname, search } = address;
  return new Promise((resolve, reject) => {
    const call = request({
      method: 'POST',
      hostname,
      port,
      path: pathname + search,
      headers,
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...(agent && { agent }),
    });
    call.on('error', reject);
    call.on('response', (answer) => {
      resolve(answer.statusCode!);
      answer.destroy();
    });
    call.end(body);
  });
}
