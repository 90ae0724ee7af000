import type { Http } from './Http.ts';

/** A browser's `PushSubscription.toJSON()`. */
export type PushTarget = {
  endpoint?: string;
  expirationTime?: number | null;
  keys?: Record<string, string>;
};

/**
 * Being told of calls while no page is open. Messages are `{ type, callId }`; a subscription belongs to the sign-in that
 * made it and ends with it. Signing in again is a reason to subscribe again.
 */
export class Push {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** For `applicationServerKey` of `PushManager.subscribe`. Errors: `NOT_FOUND` where the server does not push. */
  async publicKey(): Promise<string> {
    return (await this.#http.get<{ publicKey: string }>('/push/public-key')).publicKey;
  }

  /** Errors: `VALIDATION_FAILED` for a push service that the server does not know. */
  subscribe(target: PushTarget): Promise<void> {
    return this.#http.post('/users/me/push-subscriptions', target);
  }

  unsubscribe(endpoint: string): Promise<void> {
    return this.#http.request('DELETE', '/users/me/push-subscriptions', { body: { endpoint } });
  }
}
