import { z } from 'zod';
import { DuetError } from '../../errors.ts';
import type { PushDevices } from '../../events/PushDevices.ts';
import { isPushKey, isPushSecret, pushAddress } from '../../platform/WebPush.ts';
import { type Route, route } from '../route.ts';

export interface PushRouteDeps {
  devices: PushDevices;
  /** Hosts of push services that devices may name: our server calls whatever they name. */
  pushHosts: readonly string[];
}

const tags = ['push'];
/** In ASCII, as push services spell theirs: 1,024 other characters would be more bytes than an index takes. */
const Endpoint = z
  .string()
  .max(1024, { abort: true })
  // Before it is parsed: hosts of other characters are normalised, which takes long where they are made for it.
  .regex(/^https:\/\/\w[!-~]*$/i, { abort: true })
  .pipe(z.url({ normalize: true }));
const base64url = (bytes: number) =>
  z
    .string()
    .regex(/^[\w-]+={0,2}$/)
    .max(Math.ceil((bytes * 4) / 3) + 4, { abort: true });
const PublicKey = base64url(65).refine(isPushKey, 'must be an uncompressed point of P-256');
const Secret = base64url(16).refine(isPushSecret, 'must be 16 bytes');

/** A browser's `PushSubscription.toJSON()`. */
const Subscription = z.strictObject({
  endpoint: Endpoint,
  expirationTime: z.number().nullish(),
  keys: z.strictObject({ p256dh: PublicKey, auth: Secret }),
});

export function pushRoutes({ devices, pushHosts }: PushRouteDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/push/public-key',
      summary: "The server's key for `PushManager.subscribe`",
      tags,
      who: 'user',
      limit: 'browse',
      status: 200,
      out: z.strictObject({ publicKey: z.string() }),
      run: () => ({ publicKey: devices.publicKey }),
    }),
    route({
      method: 'post',
      path: '/users/me/push-subscriptions',
      summary: 'Tell this device of calls while no socket of its own is open',
      tags,
      who: 'user',
      limit: 'write',
      body: Subscription,
      status: 204,
      run: async ({ auth, body: { endpoint, keys }, once }) => {
        if (pushAddress(endpoint, pushHosts) === undefined) {
          throw new DuetError('VALIDATION_FAILED', {
            details: [{ path: 'endpoint', message: 'is not a push service that is known here' }],
          });
        }
        await once(() => devices.subscribe(auth, { endpoint, ...keys }));
      },
    }),
    route({
      method: 'delete',
      path: '/users/me/push-subscriptions',
      summary: 'Tell this device no more',
      tags,
      who: 'user',
      limit: 'write',
      body: z.strictObject({ endpoint: Endpoint }),
      status: 204,
      run: ({ auth, body }) => devices.unsubscribe(auth.userId, body.endpoint),
    }),
  ];
}
