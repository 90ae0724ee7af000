import type { Agent } from 'node:https';
import webpush, { WebPushError } from 'web-push';

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
  /** For tests against a push service of their own. */
  agent?: Agent;
}

const TIMEOUT_MS = 5_000;

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
   * when the push service cannot be reached.
   */
  async send(target: PushTarget, message: object, ttlSec: number): Promise<'sent' | 'gone'> {
    const { vapid, subject, agent } = this.#options;
    try {
      await webpush.sendNotification(
        { endpoint: target.endpoint, keys: { p256dh: target.p256dh, auth: target.auth } },
        JSON.stringify(message),
        {
          TTL: ttlSec,
          urgency: 'high',
          timeout: TIMEOUT_MS,
          contentEncoding: 'aes128gcm',
          vapidDetails: { subject, publicKey: vapid.publicKey, privateKey: vapid.privateKey },
          ...(agent && { agent }),
        },
      );
      return 'sent';
    } catch (error) {
      if (error instanceof WebPushError && (error.statusCode === 404 || error.statusCode === 410))
        return 'gone';
      throw error;
    }
  }
}
